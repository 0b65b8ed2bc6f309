package laptop

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/storetest"
)

// A sign-in on a new device writes one line, with the event as others get it, and a renewed
// token writes none.
func TestAnnounce(t *testing.T) {
	var lines bytes.Buffer
	tokens := memory.NewTokens()
	tokens.Follow(Announce(slog.New(slog.NewJSONHandler(&lines, nil))))
	r := storetest.Record("ipad")
	seen := ledger.Nonce{}
	for range 2 {
		if _, _, err := tokens.Save(t.Context(), r, seen); err != nil {
			t.Fatal(err)
		}
		seen, r.Nonce = r.Nonce, ledger.Nonce{7}
	}
	var line struct {
		Msg   string
		Event json.RawMessage
	}
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Msg != "announced" {
		t.Fatalf("%v: %s", err, lines.Bytes())
	}
	if user := r.Authorization.Subject; user.Kind != ledger.UserSubject {
		t.Fatalf("%v is not a user", user)
	}
	var event struct{ Type, Sub string }
	if err := json.Unmarshal(line.Event, &event); err != nil || event.Type != "new_device" || event.Sub != r.Authorization.Subject.ID {
		t.Errorf("%s, %v", line.Event, err)
	}
	if bytes.Contains(line.Event, []byte("ipad")) {
		t.Errorf("the name of the device leaves: %s", line.Event)
	}
}
