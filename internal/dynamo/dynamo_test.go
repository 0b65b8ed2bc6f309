package dynamo_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// onEngines runs a test on each engine.
func onEngines(t *testing.T, test func(t *testing.T, endpoint string)) {
	t.Run("dynoxide", func(t *testing.T) { test(t, dynamotest.Engine(t)) })
	t.Run("local", func(t *testing.T) { test(t, dynamotest.Local(t)) })
}

func TestStores(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		storetest.Run(t, func(t *testing.T) storetest.Stores { return dynamotest.New(t, endpoint).Stores() })
	})
}
