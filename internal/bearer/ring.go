package bearer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// State is what a key may do. A key moves down this list and never up.
type State string

const (
	// Prepublished: verifies, so that instances that learn of the activation a
	// minute apart accept each other's tokens.
	Prepublished State = "prepublished"
	// Active: verifies and makes new tokens. A ring has exactly one.
	Active State = "active"
	// VerifyOnly: verifies, and returns tokens made under it.
	VerifyOnly State = "verify-only"
	// Retired: its tokens are inactive.
	Retired State = "retired"
)

// minKeyText is the fewest characters of a key's text. 32 of 62 characters are
// 190 bits.
const minKeyText = 32

// ErrBadRing is matched by the errors of the two Parse functions: the secrets
// hold something that must not be served with. Trying again will not help.
var ErrBadRing = errors.New("unusable key ring")

func badRing(which string, err error) error {
	return fmt.Errorf("%w: %s secret: %w", ErrBadRing, which, err)
}

// ParseCheckRing reads the check secret:
//
//	{"issuer_epoch": 0, "states": {"1": "active"}, "1": "<text of at least 32 characters>"}
//
// An optional member "since", {"1": 1767323045}, says when a key entered its state,
// in Unix seconds. It is for the operators who turn keys, for [MintRing.ActiveSince] and for
// [CheckRing.JWKS]; no answer about a token depends on it.
//
// An optional member "signing", {"1": "<public key>"}, has the public keys of JWTs. Another
// one, "paired", says like "since" when a key got its own, if that was after it entered its state.
//
// It refuses a ring without exactly one active key, a key without a state or a
// state without a key, and key texts that are short or doubled. Its errors name
// key ids and never key texts.
func ParseCheckRing(check []byte) (*CheckRing, error) {
	members, err := parseMembers(check)
	if err != nil {
		return nil, badRing("check", err)
	}
	r := &CheckRing{states: map[uint8]State{}, since: map[uint8]int64{}}
	var errs []error
	states := map[string]State{}
	// null would leave the epoch at 0 and revive what a higher one ended.
	if raw, ok := members["issuer_epoch"]; !ok || string(raw) == "null" || json.Unmarshal(raw, &r.issuerEpoch) != nil {
		errs = append(errs, errors.New("issuer_epoch must be a whole number from 0"))
	}
	if raw, ok := members["states"]; !ok || json.Unmarshal(raw, &states) != nil {
		errs = append(errs, errors.New("states must be an object from key id to state"))
	}
	since, err := parseTimes(members, "since", states)
	errs = append(errs, err)
	_, err = parseTimes(members, "paired", states)
	errs = append(errs, err)
	delete(members, "issuer_epoch")
	delete(members, "states")
	signing, err := parseSigningMember(members)
	errs = append(errs, err)
	r.keys, err = parseKeys("fob check", members)
	errs = append(errs, err)

	for id, state := range states {
		kid, err := parseKID(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, ok := r.keys[kid]; !ok {
			errs = append(errs, fmt.Errorf("key %d has a state and no text", kid))
		}
		switch state {
		case Active:
			if r.active != 0 {
				errs = append(errs, fmt.Errorf("keys %d and %d are both active", r.active, kid))
			}
			r.active = kid
		case Prepublished, VerifyOnly, Retired:
		default:
			errs = append(errs, fmt.Errorf("key %d: unknown state", kid))
		}
		r.states[kid] = state
		if when, said := since[id]; said {
			r.since[kid] = when
		}
	}
	r.verifying, err = parseVerifying(signing, r.states)
	errs = append(errs, err)
	for kid := range r.keys {
		if _, ok := r.states[kid]; !ok {
			errs = append(errs, fmt.Errorf("key %d has a text and no state", kid))
		}
	}
	if r.active == 0 {
		errs = append(errs, errors.New("no key is active"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, badRing("check", err)
	}
	return r, nil
}

// parseTimes takes a member out of members. It refuses times that an operator who turns keys
// could not rely on.
func parseTimes(members map[string]json.RawMessage, name string, states map[string]State) (times map[string]int64, err error) {
	raw, ok := members[name]
	if !ok {
		return nil, nil
	}
	delete(members, name)
	if json.Unmarshal(raw, &times) != nil || times == nil {
		return nil, fmt.Errorf("%s must be an object from key id to Unix seconds", name)
	}
	for id, when := range times {
		// The id is shown only if it is one: it may be a text in the wrong place.
		if _, ok := states[id]; !ok {
			return nil, fmt.Errorf("%s has a key id that states has not", name)
		}
		if when <= 0 {
			return nil, fmt.Errorf("key %s: %s must be Unix seconds after 1970", id, name)
		}
	}
	return times, nil
}

// ParseMintRing reads the mint secret, {"1": "<text>"}, and the check secret.
// Every key that is not retired must be in both: without its mint key a token
// could not be returned, and would look like one that somebody edited. So it is with the
// private key of each public one, in the member "signing". No text may be in both.
func ParseMintRing(mint, check []byte) (*MintRing, error) {
	checkRing, err := ParseCheckRing(check)
	if err != nil {
		return nil, err
	}
	members, err := parseMembers(mint)
	if err != nil {
		return nil, badRing("mint", err)
	}
	checkMembers, err := parseMembers(check)
	if err != nil {
		return nil, badRing("check", err)
	}
	for id, text := range members {
		for checkID, checkText := range checkMembers {
			if string(text) == string(checkText) {
				return nil, badRing("mint", fmt.Errorf("key %q repeats key %q of the check secret", id, checkID))
			}
		}
	}
	signing, err := parseSigning(members, checkRing)
	if err != nil {
		return nil, badRing("mint", err)
	}
	keys, err := parseKeys("fob mint", members)
	if err != nil {
		return nil, badRing("mint", err)
	}
	for kid, state := range checkRing.states {
		if _, ok := keys[kid]; !ok && state != Retired {
			return nil, badRing("mint", fmt.Errorf("the %s key %d is missing", state, kid))
		}
	}
	return &MintRing{CheckRing: checkRing, mint: keys, signing: signing}, nil
}

// parseMembers keeps the decoder's own message to itself: it quotes the input.
func parseMembers(text []byte) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(text, &members) != nil {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

func parseKID(id string) (uint8, error) {
	n, err := strconv.ParseUint(id, 10, 8)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != id {
		return 0, errors.New("a key id is a whole number from 1 to 255")
	}
	return uint8(n), nil
}

func parseKeys(label string, members map[string]json.RawMessage) (map[uint8]key, error) {
	keys := make(map[uint8]key, len(members))
	seen := make(map[[32]byte]uint8, len(members))
	var errs []error
	for id, raw := range members {
		kid, err := parseKID(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil || len(text) < minKeyText {
			errs = append(errs, fmt.Errorf("key %d must be a text of at least %d characters", kid, minKeyText))
			continue
		}
		k := sha256.Sum256(AppendField(AppendField(nil, label), text))
		if other, doubled := seen[k]; doubled {
			errs = append(errs, fmt.Errorf("keys %d and %d are the same", min(kid, other), max(kid, other)))
		}
		seen[k] = kid
		keys[kid] = newKey(k)
	}
	return keys, errors.Join(errs...)
}
