package oauth

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"github.com/fob-oauth/fob/internal/ledger"
)

// MaxLabel is the most bytes of a device's label, so that a record stays below 1 KiB.
const MaxLabel = 100

// NormalLabel is the spelling in which a label is stored, NFC, and its fault, if it has one:
// it is held to what usernames are. The empty label is none.
func NormalLabel(text string) (label string, fault error) {
	if text == "" {
		return "", nil
	}
	label = norm.NFC.String(text)
	return label, validateShown("label", MaxLabel, label)
}

// SetLabel labels a device of a subject, in all apps, with what [NormalLabel] returned; the empty
// label takes it away. No token is changed, and none asserts a label. A label lasts as long as
// the sign-ins that it was given to. found is false if nobody is signed in there. After an error
// some may have it; it may be called again.
func (d *SignIns) SetLabel(ctx context.Context, subject ledger.Subject, device Handle, label string) (found bool, err error) {
	if device == "" {
		return false, nil
	}
	records, err := d.active(ctx, subject, Filter{})
	if err != nil {
		return false, err
	}
	for _, r := range records {
		if HandleOf(subject, r.Authorization.Scope.Device()) != device {
			continue
		}
		found = true
		_, err := d.rewrite(ctx, r, func(r ledger.Record) (ledger.Record, bool) {
			changed := r.Label != label
			r.Label = label
			return r, changed
		})
		if err != nil {
			return false, err
		}
	}
	return found, nil
}
