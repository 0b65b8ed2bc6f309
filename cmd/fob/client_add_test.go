package main

import (
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// A client that is removed and added again must not revive old tokens, so its
// epoch begins at its creation.
func TestClientBeginsWithAnEpoch(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	before := time.Now().Unix()
	if code, _, said := fobAt(t, endpoint, "", f, "client", "add", "--id", "shop", "--public", "--grant", "password"); code != 0 {
		t.Fatal(said)
	}
	c, found, err := f.Clients.Client(t.Context(), "shop")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if c.Created < before || c.Epoch != uint64(c.Created) {
		t.Errorf("created %d and epoch %d, now is %d or later", c.Created, c.Epoch, before)
	}
}
