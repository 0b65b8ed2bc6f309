package laptop

import (
	"log/slog"

	"github.com/fob-oauth/fob/internal/announce"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Announce writes a line for each event of a write, where a deployment puts it on a bus.
func Announce(log *slog.Logger) func(oauth.Write) {
	return func(w oauth.Write) {
		for _, e := range announce.Of(w) {
			log.Info("announced", "event", e)
		}
	}
}
