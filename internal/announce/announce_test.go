package announce_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/announce"
	"github.com/fob-oauth/fob/internal/announce/announcetest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

const now = 1_800_000_000

var ann = ledger.Subject{Kind: ledger.UserSubject, ID: "u_annannannannannannannannan"}

// record is a sign-in of Ann that lives until then.
func record(until int64) *ledger.Record {
	r := storetest.Record("ipad")
	r.Authorization.Subject, r.Authorization.Username = ann, "ann@example.com"
	r.Access.Expiry, r.AccessPrev.Expiry, r.Refresh.Expiry, r.RefreshPrev.Expiry, r.RefreshIdle = until, until, until, until, until
	return &r
}

func TestOf(t *testing.T) {
	handle := oauth.HandleOf(ann, "ipad")
	r := record(now + 1)
	client := r.Authorization.Client
	machine := record(now + 1)
	machine.Authorization.Subject = ledger.Subject{Kind: ledger.ClientSubject, ID: "backend"}
	withoutDevice := record(now + 1)
	withoutDevice.Authorization.Scope = withoutDevice.Authorization.Scope.WithDevice("")
	raise := func(before, after oauth.SubjectState, why ...oauth.Cause) oauth.Write {
		return oauth.Write{Raised: &oauth.Raise{Subject: ann, Before: before, After: after, Why: why}}
	}
	enabled, disabled := oauth.SubjectState{Epoch: 1}, oauth.SubjectState{Epoch: 2, Disabled: true}
	type event = announce.Event
	for _, test := range []struct {
		name  string
		write oauth.Write
		want  []event
	}{
		{"nothing", oauth.Write{}, nil},
		{"a new device", oauth.Write{Made: r}, []event{{Type: "new_device", Client: client, Handle: handle}}},
		{"a sign-in without a device", oauth.Write{Made: withoutDevice}, []event{{Type: "new_device", Client: client}}},
		{"a client for itself", oauth.Write{Made: machine}, nil},
		{"a client that logs out", oauth.Write{Ended: machine}, nil},
		{"ended", oauth.Write{Ended: r}, []event{{Type: "signed_out", Client: client, Handle: handle, Reason: "ended"}}},
		{"ended when it had run out", oauth.Write{Ended: record(now)}, nil},
		{"replayed", oauth.Write{Ended: r, Replayed: true}, []event{
			{Type: "refresh_token_replayed", Client: client, Handle: handle},
			{Type: "signed_out", Client: client, Handle: handle, Reason: "replayed"},
		}},
		{"signed out", raise(enabled, enabled), []event{{Type: "signed_out", Reason: "sign_out"}}},
		{"a client is signed out", oauth.Write{Raised: &oauth.Raise{Subject: machine.Authorization.Subject, After: enabled}}, nil},
		{"an issuer's event", raise(enabled, enabled, oauth.SecurityEvent), []event{{Type: "signed_out", Reason: "issuer"}}},
		{"password", raise(enabled, enabled, oauth.PasswordChanged), []event{{Type: "password_changed"}, {Type: "signed_out", Reason: "password"}}},
		{"roles and disabled", raise(enabled, disabled, oauth.RolesChanged, oauth.UserDisabled), []event{
			{Type: "roles_changed"}, {Type: "user_disabled"}, {Type: "signed_out", Reason: "disabled"},
		}},
		{"disabled once more", raise(disabled, disabled, oauth.UserDisabled), nil},
		{"roles of a disabled one", raise(disabled, disabled, oauth.RolesChanged), []event{{Type: "roles_changed"}}},
		{"enabled", raise(disabled, enabled, oauth.UserEnabled), []event{{Type: "user_enabled"}}},
		{"enabled who was", raise(enabled, enabled, oauth.UserEnabled), []event{{Type: "signed_out", Reason: "enabled"}}},
		{"removed", raise(enabled, disabled, oauth.UserRemoved), []event{{Type: "user_removed"}, {Type: "signed_out", Reason: "removed"}}},
		{"removed, the rest of it", raise(disabled, disabled, oauth.UserRemoved), []event{{Type: "user_removed"}}},
	} {
		test.write.ID, test.write.At = "w1", now
		got := announce.Of(test.write)
		for i := range test.want {
			e := &test.want[i]
			e.ID, e.Time, e.User = "w1-"+string(e.Type), now, ann.ID
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		announcetest.Valid(t, got...)
		text, err := json.Marshal(got)
		if err != nil || strings.Contains(string(text), "ipad") || strings.Contains(string(text), "ann@") {
			t.Errorf("%s: %s, %v", test.name, text, err)
		}
	}
}

// The schema refuses what no event is, or the tests that hold events to it prove nothing.
func TestTheSchemaRefuses(t *testing.T) {
	good := `{"id":"1","type":"signed_out","time":1,"sub":"u_x","client_id":"app","reason":"ended"}`
	if err := announcetest.Check([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"id":"1",`, ``},
		{`"id":"1"`, `"id":""`},
		{`"time":1`, `"time":"1"`},
		{`"sub":"u_x"`, `"sub":"backend"`},
		{`"type":"signed_out"`, `"type":"signed_in"`},
		{`"reason":"ended"`, `"reason":"bored"`},
		{`"reason":"ended"`, `"reason":"password"`}, // ends all
		{`,"reason":"ended"`, ``},
		{`"client_id":"app",`, ``},
		{`"client_id":"app"`, `"client_id":"app","handle":"ipad"`},
		{`"client_id":"app"`, `"client_id":"app","username":"ann"`},
		{`"type":"signed_out"`, `"type":"new_device"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if announcetest.Check([]byte(bad)) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
