package ledger

import "github.com/fob-oauth/fob/internal/bearer"

// claims are what the JWT of a slot says (RFC 9068 §2.2): what introspection says of it,
// but for the name of the user, which an API that verifies by itself need not know.
func (a Authorization) claims(s Slot) bearer.Claims {
	return bearer.Claims{
		Issuer:    a.Issuer,
		Subject:   a.Subject.ID,
		Audiences: a.Audiences,
		Client:    string(a.Client),
		Scope:     a.Scope.String(),
		IssuedAt:  s.IssuedAt,
	}
}

// lacksPair reports whether one of the slots holds a JWT that has not run out, and that
// the ring can neither make again nor verify.
func (v View) lacksPair(slots ...Slot) bool {
	for _, s := range slots {
		if s.Generation > 0 && v.Now < s.Expiry && v.Keys.Verifies(s.KID) && !v.Keys.HasPair(s.KID) {
			return true
		}
	}
	return false
}
