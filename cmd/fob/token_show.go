package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/endpoint"
)

func tokenShowCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show what a token says about itself, and ask nobody",
		Long: `Show what can be seen of the token in FILE: its kind, the id of the key that it was made
under, and when it ends at the latest; of a JWT also its header and claims. FILE has the
token alone, or is as fob token get --json prints it; then it is the access token.

Nothing of it is verified, and anybody can write such a text. Whether a token is active,
and whose it is, fob token introspect asks.`,
		Example: `  fob token show ipad.json
  fob token show < token.txt`,
		Args: tokenFile,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		token, err := p.readToken(cmd.Context(), fileOf(args, bearer.Access.String()))
		if err != nil {
			return err
		}
		return p.print(token.sight, columns(sightRows(token.sight, p.now())...))
	}
	return printsJSON(cmd, endpoint.Sight{})
}

func sightRows(s endpoint.Sight, now time.Time) [][]string {
	rows := [][]string{
		{"kind", cmp.Or(s.Kind, "not known")},
		{"format", s.Format},
		{"verified", "no: fob token introspect asks whether it is active"},
	}
	if s.Format == endpoint.Opaque {
		rows = append(rows, []string{"kid", s.KeyID})
	}
	for _, part := range []map[string]any{s.Header, s.Claims} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			if name != "exp" || s.Expiry == 0 { // its row is the last
				rows = append(rows, []string{name, claimText(name, part[name])})
			}
		}
	}
	if s.Expiry != 0 {
		ends := "is over"
		if left := time.Unix(s.Expiry, 0).Sub(now).Truncate(time.Second); left > 0 {
			ends = fmt.Sprintf("in %v", left)
		}
		rows = append(rows, []string{"exp", timestamp(s.Expiry) + ", " + ends})
	}
	return rows
}

// claimText is a claim for people: times of RFC 7519 §4.1 as times.
func claimText(name string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		if seconds, err := v.Int64(); err == nil && slices.Contains([]string{"iat", "nbf", "auth_time"}, name) {
			return timestamp(seconds)
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "-"
	}
	return string(text)
}
