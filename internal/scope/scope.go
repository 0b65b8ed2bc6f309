// Package scope is the scope parameter of RFC 6749 §3.3: parsed, deduplicated
// and free of order, with the device that a device_ scope names.
//
// A Set says nothing about who may have it; that is policy and lives in package
// oauth. The package promises one canonical form: two requests mean the
// same scopes if and only if their Sets are equal with ==. Everything that
// decides "the same token" builds on that.
package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// DevicePrefix begins the scope that names a device. It is reserved: no
	// resource scope, role or client id may start with it.
	DevicePrefix = "device_"

	// MaxLength is the most bytes a scope parameter may have.
	MaxLength = 1024
	// MaxCount is the most scopes that one parameter may name.
	MaxCount = 50
	// MaxDeviceLength is the most characters of a device name.
	MaxDeviceLength = 64
)

// ErrInvalid is matched by every error of this package. Its text is safe to
// show to the client: it never repeats the input.
var ErrInvalid = errors.New("invalid scope")

// Device is the name behind a device_ scope: 1 to 64 of A-Z a-z 0-9 . _ - or
// empty for none. It is a label the client chose, not a proof.
type Device string

// ParseDevice checks a name that came without its prefix.
func ParseDevice(name string) (Device, error) {
	if name == "" || len(name) > MaxDeviceLength {
		return "", fmt.Errorf("%w: a device name has 1 to %d characters", ErrInvalid, MaxDeviceLength)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return "", fmt.Errorf("%w: a device name has only A-Z a-z 0-9 . _ -", ErrInvalid)
		}
	}
	return Device(name), nil
}

// Set is a set of scopes and at most one device. The zero Set is empty. Sets
// compare with ==.
type Set struct {
	ordinary string // sorted, distinct, joined with single spaces
	device   Device
}

// Parse reads a scope parameter. The empty string is the empty Set.
//
// Repeated and reordered scopes are the same Set. Two different devices, a
// device_ scope that is not a valid device name, and anything outside the grammar
// of RFC 6749 §3.3 (single spaces, no control characters) are ErrInvalid: WSO2
// repaired such strings in one place and not in another, and lost tokens to the
// difference.
func Parse(s string) (Set, error) {
	if s == "" {
		return Set{}, nil
	}
	if len(s) > MaxLength {
		return Set{}, fmt.Errorf("%w: more than %d bytes", ErrInvalid, MaxLength)
	}
	return Of(strings.Split(s, " ")...)
}

// Of builds a Set from single scopes, by the same rules as Parse.
func Of(names ...string) (Set, error) {
	if len(names) > MaxCount {
		return Set{}, fmt.Errorf("%w: more than %d scopes", ErrInvalid, MaxCount)
	}
	var set Set
	ordinary := make([]string, 0, len(names))
	for _, name := range names {
		if err := checkToken(name); err != nil {
			return Set{}, err
		}
		suffix, isDevice := strings.CutPrefix(name, DevicePrefix)
		if !isDevice {
			ordinary = append(ordinary, name)
			continue
		}
		device, err := ParseDevice(suffix)
		if err != nil {
			return Set{}, err
		}
		if set.device != "" && set.device != device {
			return Set{}, fmt.Errorf("%w: more than one device", ErrInvalid)
		}
		set.device = device
	}
	slices.Sort(ordinary)
	set.ordinary = strings.Join(slices.Compact(ordinary), " ")
	return set, nil
}

// checkToken holds one scope-token to 1*NQCHAR (RFC 6749 appendix A.4).
func checkToken(name string) error {
	if name == "" {
		return fmt.Errorf("%w: scopes are separated by single spaces", ErrInvalid)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("%w: a character is not allowed", ErrInvalid)
		}
	}
	return nil
}

// String is the canonical form: the ordinary scopes sorted, then the device
// scope. Parse(s.String()) == s for every Set that Parse returned.
func (s Set) String() string {
	switch {
	case s.device == "":
		return s.ordinary
	case s.ordinary == "":
		return DevicePrefix + string(s.device)
	}
	return s.ordinary + " " + DevicePrefix + string(s.device)
}

// Ordinary returns the scopes other than the device's, sorted.
func (s Set) Ordinary() []string {
	if s.ordinary == "" {
		return nil
	}
	return strings.Split(s.ordinary, " ")
}

// HasOrdinary reports whether there is any scope other than the device's.
func (s Set) HasOrdinary() bool { return s.ordinary != "" }

// IsEmpty reports whether the Set has neither a scope nor a device.
func (s Set) IsEmpty() bool { return s == Set{} }

// Device returns the device that the Set names, or "".
func (s Set) Device() Device { return s.device }

// WithDevice returns the Set with its device replaced.
func (s Set) WithDevice(d Device) Set {
	s.device = d
	return s
}

// Contains reports whether name, which is not a device scope, is in the Set.
func (s Set) Contains(name string) bool {
	_, found := slices.BinarySearch(s.Ordinary(), name)
	return found
}
