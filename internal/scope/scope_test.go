package scope

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		device   Device
	}{
		{"", "", ""},
		{"read", "read", ""},
		{"write read", "read write", ""},
		{"read write read", "read write", ""},
		{"device_ipad", "device_ipad", "ipad"},
		{"device_ipad device_ipad", "device_ipad", "ipad"},
		{"write device_ipad read", "read write device_ipad", "ipad"},
		{"zeta device_a.b-c_D9", "zeta device_a.b-c_D9", "a.b-c_D9"},
		{"device", "device", ""},
		{"Device_x", "Device_x", ""}, // only the exact prefix is special
		{"device_" + strings.Repeat("x", 64), "device_" + strings.Repeat("x", 64), Device(strings.Repeat("x", 64))},
		{"!#[]~", "!#[]~", ""},
	} {
		got, err := Parse(tt.in)
		if err != nil || got.String() != tt.want || got.Device() != tt.device {
			t.Errorf("Parse(%q) = %q, device %q, %v; want %q, device %q", tt.in, got, got.Device(), err, tt.want, tt.device)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		" ", "a ", " a", "a  b", "a\tb", "a\n", "\na", "a\x00", "a\"b", `a\b`, "é", "a\x7fb", "\xff",
		"device_", "device_é", "device_a/b", "device_a b device_c", "device_a device_b",
		"device_" + strings.Repeat("x", 65), "device_a+b", "device_a:b",
		strings.Repeat("x", MaxLength+1), strings.Repeat("a ", MaxCount) + "a",
	} {
		got, err := Parse(in)
		if !errors.Is(err, ErrInvalid) || got != (Set{}) {
			t.Errorf("Parse(%q) = %q, %v; want the zero Set and ErrInvalid", in, got, err)
		}
		if err != nil && len(in) > 2 && strings.Contains(err.Error(), in) {
			t.Errorf("Parse(%q): the error repeats the input: %v", in, err)
		}
	}
}

func TestSet(t *testing.T) {
	s, err := Parse("read write device_ipad")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Contains("read") || !s.Contains("write") || s.Contains("rea") || s.Contains("device_ipad") || s.Contains("") {
		t.Error("Contains is wrong")
	}
	if got := s.Ordinary(); !slices.Equal(got, []string{"read", "write"}) {
		t.Errorf("Ordinary() = %q", got)
	}
	if got := s.WithDevice(""); got.String() != "read write" || s.Device() != "ipad" {
		t.Errorf("WithDevice changed %q into %q", s, got)
	}
	if (Set{}).Contains("") || (Set{}).HasOrdinary() || !(Set{}).IsEmpty() || s.IsEmpty() {
		t.Error("the empty Set is not empty")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "read", "write read", "device_ipad read", "device_", "a  b", "device_a device_b", "a\n", "x\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in)
		if err != nil {
			if s != (Set{}) {
				t.Fatalf("Parse(%q) failed and returned %q", in, s)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil || again != s {
			t.Fatalf("Parse(%q) = %q, which parses to %q, %v", in, s, again, err)
		}
		// An accepted text is the same tokens in another order, no more and no less.
		want := slices.Compact(slices.Sorted(strings.FieldsSeq(in)))
		if got := slices.Sorted(strings.FieldsSeq(s.String())); !slices.Equal(got, want) {
			t.Fatalf("Parse(%q) = %q", in, s)
		}
		reversed := strings.Fields(in)
		slices.Reverse(reversed)
		if r, err := Parse(strings.Join(reversed, " ")); err != nil || r != s {
			t.Fatalf("order matters: %q and its reverse differ", in)
		}
	})
}

func FuzzParseDevice(f *testing.F) {
	for _, s := range []string{"", "ipad", "a.b_c-d", "é", "a b", strings.Repeat("x", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := ParseDevice(in)
		s, scopeErr := Parse(DevicePrefix + in)
		// tokenBindingId and device_ are two spellings of one grammar.
		if (err == nil) != (scopeErr == nil && s.Device() != "" && !s.HasOrdinary()) {
			t.Fatalf("ParseDevice(%q) = %q, %v; Parse(device_) = %q, %v", in, d, err, s, scopeErr)
		}
		if err == nil && (string(d) != in || s.Device() != d) {
			t.Fatalf("ParseDevice(%q) = %q", in, d)
		}
	})
}
