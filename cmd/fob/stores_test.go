package main

import (
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
)

// Only stores that cannot keep a request waiting may leave it without a limit.
func TestStoresInProcess(t *testing.T) {
	if !newMemoryStores().ofLaptop().InProcess {
		t.Error("memory is not in the process")
	}
	if newDynamoStores(nil, dynamo.Tables{}).ofLaptop().InProcess {
		t.Error("tables are in the process")
	}
}
