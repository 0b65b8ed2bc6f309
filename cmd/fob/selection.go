package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// selection is which Authorizations a command is about.
type selection struct {
	user, subject, client, device string // from the flags
	issuer, sub                   string // from the flags; subject is their hash

	filter oauth.Filter
}

func (s *selection) addFlags(cmd *cobra.Command) {
	s.addSubjectFlags(cmd)
	addText(cmd.Flags(), &s.client, "client", "", "of the client with this `id`")
	addText(cmd.Flags(), &s.device, "device", "", "of devices with this `name`")
}

func (s *selection) addSubjectFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	addText(f, &s.user, "user", "", "of the user with this `name`")
	addText(f, &s.subject, "subject", "", "of this sub: a user's `id`, which begins with u_, or a client's")
	addText(f, &s.issuer, "issuer", "", "of the user whom the issuer with this `name` calls --sub")
	addText(f, &s.sub, "sub", "", "`sub` in the tokens of --issuer")
}

// parse fills the filter.
func (s *selection) parse(cmd *cobra.Command) error {
	if err := oneOf(cmd, "user", "subject", "issuer"); err != nil {
		return err
	}
	if (s.issuer == "") != (s.sub == "") {
		return fail(exitUsage, "--issuer and --sub belong together")
	}
	if s.issuer != "" {
		s.subject = oauth.HashedUserID(s.issuer, s.sub)
	}
	s.filter.Client = ledger.ClientID(s.client)
	if s.device == "" {
		return nil
	}
	var err error
	if s.filter.Device, err = scope.ParseDevice(s.device); err != nil {
		return fail(exitUsage, "--device %q: a device name has 1 to %d of A-Z a-z 0-9 . _ -", s.device, scope.MaxDeviceLength)
	}
	return nil
}

// parseSubject is parse for a command that is about one subject.
func (s *selection) parseSubject(cmd *cobra.Command) error {
	err := s.parse(cmd)
	if err == nil && *s == (selection{}) {
		err = fail(exitUsage, "%s needs --user, --subject or --issuer", cmd.CommandPath())
	}
	return err
}

// one reports whether the selection is of one subject, and of whom.
func (s selection) one(ctx context.Context, from stores) (subject ledger.Subject, one bool, err error) {
	switch {
	case s.user != "":
		u, err := from.userRegistrar().User(ctx, s.user)
		if oauth.IsChange(err, oauth.NoSuchEntry) && isUserID(s.user) {
			err = fail(exitNotFound, "there is no user with the name %q: for a user's id there is --subject", s.user)
		}
		return oauth.SubjectOf(u.ID), true, err
	case s.subject != "":
		subject, err = s.findSubject(ctx, from)
		return subject, true, err
	}
	return ledger.Subject{}, false, nil
}

// issuerIsKnown refuses an issuer that may be a slip, or whose sub names a user of fob. It is for
// a command that takes users who were never here.
func (s selection) issuerIsKnown(ctx context.Context, from stores) error {
	if s.issuer == "" {
		return nil
	}
	i, err := from.registrar().TrustedIssuer(ctx, s.issuer)
	if err == nil && i.SubjectRule() != oauth.HashedSubjects {
		err = fail(exitUsage, "the issuer %s has no users of its own: for a user of fob there is --user", s.issuer)
	}
	return err
}

// findSubject refuses a sub without a user or client: it may be a slip, or a user's
// name. A subject that was ever signed in or out has a state or records; any other
// is looked up in the registry.
func (s selection) findSubject(ctx context.Context, from stores) (ledger.Subject, error) {
	subject := oauth.SubjectOf(s.subject)
	known, err := from.userRegistrar().KnowsUser(ctx, subject)
	switch {
	case err != nil || known:
		return subject, err
	case s.issuer != "":
		return subject, fail(exitNotFound, "nobody whom %s calls %q has signed in: see fob issuer list for the names of issuers", s.issuer, s.sub)
	case subject.Kind == ledger.UserSubject:
		return subject, fail(exitNotFound, "nobody has the id %q: see fob user list", s.subject)
	}
	_, err = from.registrar().Client(ctx, ledger.ClientID(s.subject))
	if oauth.IsChange(err, oauth.NoSuchEntry) {
		err = fail(exitNotFound, "there is no subject %q: it is a client's id, or a user's, which begins with u_; for a user's name there is --user", s.subject)
	}
	return subject, err
}

// isUserID reports whether a name looks like the id of a user.
func isUserID(name string) bool { return oauth.SubjectOf(name).Kind == ledger.UserSubject }

// nothing says that nothing was found, and how to see what is there.
func (s selection) nothing() string {
	list := "--client ID"
	switch {
	case s.user != "":
		list = "--user " + shown(s.user)
	case s.subject != "":
		list = "--subject " + shown(s.subject)
	case s.client != "":
		list = "--client " + shown(s.client)
	}
	text := "Nothing is signed in there"
	if s.device != "" {
		text = "Nothing is signed in at the device " + shown(s.device)
	}
	if strings.HasPrefix(s.device, scope.DevicePrefix) {
		text += ", and a device's name has no " + scope.DevicePrefix + " before it"
	}
	return text + ": fob device list " + list + " shows what is."
}

// clientIsKnown refuses a client's id that may be a slip, when nothing was found
// for it: tokens of a client that was removed can still be listed and ended.
func (s selection) clientIsKnown(ctx context.Context, from stores) error {
	if s.client == "" {
		return nil
	}
	_, err := from.registrar().Client(ctx, ledger.ClientID(s.client))
	return err
}
