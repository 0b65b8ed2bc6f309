package memory

import (
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/storetest"
)

func TestStores(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Stores {
		tokens, users := NewTokens(), NewUsers()
		return storetest.Stores{
			Tokens: tokens, Subjects: tokens, Registry: tokens, Clients: NewClients(), Issuers: NewIssuers(), Users: users, UserRegistry: users,
			Damage: func(_ *testing.T, loc bearer.Locator) {
				r := tokens.records[loc]
				r.Authorization.Client = "somebody-else"
				tokens.records[loc] = r
			},
		}
	})
}
