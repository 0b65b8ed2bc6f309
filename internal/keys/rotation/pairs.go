package rotation

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/secret"
)

// PublicationWait is StepWait for a key with a pair: API Gateway keeps the public keys of
// an issuer for two hours, and would refuse JWTs under one that it does not know. It may
// have fetched them from a cache, which had kept them for keySetAge.
const PublicationWait = 2*time.Hour + keySetAge + StepWait

// keySetAge is the max-age of the key set (package wire).
const keySetAge = 5 * time.Minute

// publication is for how long the key must be prepublished.
func (k Key) publication() time.Duration {
	if k.Signs {
		return PublicationWait
	}
	return StepWait
}

// asItIs is since when the key is in its state and has its pair.
func (k Key) asItIs() time.Time {
	if k.Paired.After(k.Since) {
		return k.Paired
	}
	return k.Since
}

// JWTsFrom is the time from which on every instance knows the pair of an active key. Until
// then, an instance that has the ring from before the pair may call a JWT dead.
func (k Key) JWTsFrom() time.Time { return k.asItIs().Add(StepWait) }

// PublishedUntil is when a verify-only key leaves the key set, because no JWT under it is left.
// It is zero for other keys, and for those without a pair.
func (k Key) PublishedUntil() time.Time {
	if k.State != bearer.VerifyOnly || !k.Signs {
		return time.Time{}
	}
	return k.Since.Add(bearer.JWTsLeft * time.Second)
}

// pairs are the members "signing" of both secrets and "paired" of the check secret, by kid.
type pairs struct {
	private, public map[uint8]secret.Text
	since           map[uint8]int64 // Unix seconds, of a pair that is younger than its key's state
}

// They are named by package bearer's documentation of the secrets.
const (
	signingMember = "signing"
	pairedMember  = "paired"
)

// parsePairs takes the members out of both secrets.
func parsePairs(mint, check map[string]json.RawMessage) (pairs, error) {
	p := pairs{map[uint8]secret.Text{}, map[uint8]secret.Text{}, map[uint8]int64{}}
	if raw, ok := check[pairedMember]; ok && json.Unmarshal(raw, &p.since) != nil {
		return pairs{}, errCannotChange
	}
	delete(check, pairedMember)
	for _, half := range []struct {
		of   map[string]json.RawMessage
		into map[uint8]secret.Text
	}{{mint, p.private}, {check, p.public}} {
		raw, ok := half.of[signingMember]
		if !ok {
			continue
		}
		delete(half.of, signingMember)
		texts := map[uint8]string{}
		if json.Unmarshal(raw, &texts) != nil {
			return pairs{}, errCannotChange
		}
		for kid, text := range texts {
			half.into[kid] = secret.New(text)
		}
	}
	return p, nil
}

// write puts the members into both secrets, if there is a pair. Older programs than this
// feature take a ring without them alone.
func (p pairs) write(mint, check map[string]any) {
	if len(p.since) > 0 {
		check[pairedMember] = p.since
	}
	for _, half := range []struct {
		from map[uint8]secret.Text
		to   map[string]any
	}{{p.private, mint}, {p.public, check}} {
		texts := map[string]string{}
		for kid, text := range half.from {
			texts[strconv.Itoa(int(kid))] = text.Reveal()
		}
		if len(texts) > 0 {
			half.to[signingMember] = texts
		}
	}
}

func (p pairs) clone() pairs {
	return pairs{maps.Clone(p.private), maps.Clone(p.public), maps.Clone(p.since)}
}

func (p pairs) complete(kid uint8) bool { return p.public[kid].Len() > 0 }

// addPair gives a key a pair, where d is a clone. If an earlier change was stopped after it
// had written the mint secret, the private key that is there is taken.
func (d *Document) addPair(kid uint8) (err error) {
	private, begun := d.pairs.private[kid]
	if !begun {
		if private, err = keys.NewSigningKey(); err != nil {
			return err
		}
		d.pairs.private[kid], d.newMint = private, true
	}
	d.pairs.public[kid], err = keys.PublicHalf(private)
	return err
}

// dropOldPairs keeps the secrets far below the 64 KiB that Secrets Manager takes. An
// instance may still read a check secret from before a key was retired.
func (d Document) dropOldPairs(now time.Time) {
	for _, k := range d.in(bearer.Retired) {
		if !now.Before(k.Since.Add(StepWait)) {
			delete(d.pairs.private, k.KID)
			delete(d.pairs.public, k.KID)
		}
	}
}

// Sign gives pairs to the active key and to one that is prepublished, so that new JWTs can
// be signed now and after the next rotation. changed is false if they had them. The
// waits begin with the pairs: until [Key.JWTsFrom], and until the activation.
func (d Document) Sign(now time.Time) (_ Document, changed bool, _ error) {
	d = d.clone()
	for _, k := range append(d.in(bearer.Active), d.in(bearer.Prepublished)...) {
		if k.Signs {
			continue
		}
		if err := d.addPair(k.KID); err != nil {
			return Document{}, false, err
		}
		d.pairs.since[k.KID] = now.Unix()
		changed = true
	}
	if !changed {
		return d, false, nil
	}
	d.dropOldPairs(now)
	return d, true, d.leavesRoom(spareRoom)
}
