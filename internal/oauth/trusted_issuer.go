package oauth

import (
	"cmp"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
)

const maxClaimName = 128 // bytes

// SubjectRule says which subject the sub of an issuer's token is.
type SubjectRule string

const (
	// HashedSubjects are users that fob does not have: see [HashedUserID]. It is the
	// zero rule's meaning.
	HashedSubjects SubjectRule = "hashed"
	// NamedSubjects are users of fob: the sub is a username. The issuer could name any,
	// so it is for a back end that may log in everybody.
	NamedSubjects SubjectRule = "username"
	// ClientSubjects are workloads that clients trust, see [Trust], and never users: at a
	// platform where anybody can run a workload, anybody could log in.
	ClientSubjects SubjectRule = "client"
)

var errUnknownSubjects = errors.New("the registered issuer has an unknown rule for subjects")

// TrustedIssuer is a registered issuer: its tokens prove users, or clients, and never
// both. Package oauth's [Issuer] is something else, fob's own token endpoint.
type TrustedIssuer struct {
	Signer
	Version uint64 // grows with every write; zero is an issuer not saved yet
	Created int64  // Unix seconds

	// Subjects is empty for HashedSubjects. For ClientSubjects no Audiences are registered.
	Subjects SubjectRule
	// UsernameClaim names the claim that becomes the username of a hashed subject, and
	// RolesClaim the one that becomes its roles. Empty is none. Both are as the issuer
	// says at each login, and neither ever identifies a user.
	UsernameClaim, RolesClaim string

	// Events is whether its security events end sign-ins; see [Receiver].
	Events bool
}

// SubjectRule is Subjects or its default.
func (i TrustedIssuer) SubjectRule() SubjectRule { return cmp.Or(i.Subjects, HashedSubjects) }

// Validate reports every fault of an issuer that is about to be saved, except those
// within its inline keys: see [Assertions].CheckKeys.
func (i TrustedIssuer) Validate() error {
	signer := i.Signer
	if i.SubjectRule() == ClientSubjects {
		signer = i.signerForClients("fob")
	}
	errs := []error{signer.Validate()}
	switch i.SubjectRule() {
	case HashedSubjects:
	case ClientSubjects:
		if len(i.Audiences) > 0 || i.NonceRequired || i.UsernameClaim != "" || i.RolesClaim != "" || i.Events {
			errs = append(errs, errors.New("an issuer for clients has no audiences, nonces, claims and events: those are for users, and an assertion about a client is for fob alone"))
		}
	case NamedSubjects:
		if i.UsernameClaim != "" || i.RolesClaim != "" {
			errs = append(errs, errors.New("users of fob have their own usernames and roles: no claims become those"))
		}
		if i.Events {
			errs = append(errs, errors.New("users of fob are not ended by events: its back end signs them out"))
		}
	default:
		errs = append(errs, fmt.Errorf("subjects are %s, %s or %s, not %q", HashedSubjects, NamedSubjects, ClientSubjects, i.Subjects))
	}
	for _, name := range []string{i.UsernameClaim, i.RolesClaim} {
		if len(name) > maxClaimName || !plain(name) {
			errs = append(errs, fmt.Errorf("the name of a claim has at most %d bytes of UTF-8 without blanks and characters that people cannot see", maxClaimName))
		}
	}
	return errors.Join(errs...)
}

// hashedSubject is the user whom this issuer calls sub, for those who log in and for
// events about them.
func (i TrustedIssuer) hashedSubject(sub string) ledger.Subject {
	return SubjectOf(HashedUserID(i.Name, sub))
}

// signerForClients is the issuer as the signer of assertions about clients, which are for
// fob and nobody else.
func (i TrustedIssuer) signerForClients(audience string) Signer {
	s := i.Signer
	s.Audiences = []string{audience}
	return s
}

// HashedUserID is the id of the user whom an issuer calls sub. Two issuers never
// mean one user, and it does not say what sub was: an e-mail address, say.
func HashedUserID(issuer, sub string) string {
	return hashedID("fob user of issuer 1", issuer, sub)
}

func hashedID(label string, fields ...string) string {
	var k [16]byte
	ledger.Key(k[:], label, fields...)
	return userIDPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(k[:]))
}
