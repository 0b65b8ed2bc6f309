package compose

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/config"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
)

// downClients is a registration store that cannot be reached.
type downClients struct{ oauth.Clients }

func (downClients) ResourceScopes(context.Context) (oauth.ResourceScopes, error) {
	return oauth.ResourceScopes{}, oauth.Unavailable("test", errors.New("tables down"))
}

func TestWarm(t *testing.T) {
	badRing := func(context.Context) (*bearer.CheckRing, error) { return bearer.ParseCheckRing([]byte(`{}`)) }
	downRing := func(context.Context) (*bearer.CheckRing, error) { return nil, errors.New("keys down") }
	goodRing := func(context.Context) (*bearer.CheckRing, error) { return nil, nil }
	for _, tt := range []struct {
		name    string
		clients oauth.Clients
		ring    func(context.Context) (*bearer.CheckRing, error)
		refuses bool
		logs    []string
	}{
		{"all well", memory.NewClients(), goodRing, false, nil},
		{"a ring not to be served with", memory.NewClients(), badRing, true, nil},
		{"the same while the tables are down", downClients{}, badRing, true, nil},
		{"no keys for the moment", memory.NewClients(), downRing, false, []string{"keys down"}},
		{"nothing for the moment", downClients{}, downRing, false, []string{"keys down", "tables down"}},
	} {
		var logs strings.Builder
		err := Warm(t.Context(), slog.New(slog.NewTextHandler(&logs, nil)), oauth.NewClientCache(tt.clients, time.Now), keys.NewCache(tt.ring, time.Now))
		if (err != nil) != tt.refuses {
			t.Errorf("%s: Warm = %v", tt.name, err)
		}
		if len(tt.logs) == 0 && logs.Len() > 0 {
			t.Errorf("%s: logged %s", tt.name, logs.String())
		}
		for _, want := range tt.logs {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("%s: no word of %q in %q", tt.name, want, logs.String())
			}
		}
	}
}

func TestOwnUsersMode(t *testing.T) {
	for c, want := range map[config.OwnUsers]oauth.OwnUsersMode{
		{Mode: "ask"}:                      oauth.NeverAsked,
		{Mode: "migrate"}:                  oauth.NeverAsked,
		{Function: "arn", Mode: "ask"}:     oauth.AskedAtEach,
		{Function: "arn", Mode: "migrate"}: oauth.AskedUntilFirst,
	} {
		if got := OwnUsersMode(c); got != want {
			t.Errorf("%+v: %d, want %d", c, got, want)
		}
	}
}
