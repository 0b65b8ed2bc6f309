package proof_test

import (
	"os"
	"testing"
)

// TestMain makes this binary an instance of fob instead of a test, where
// startRaceInstances has started it as one.
func TestMain(m *testing.M) {
	if os.Getenv(raceInstanceEnv) != "" {
		os.Exit(serveRaceInstance())
	}
	os.Exit(m.Run())
}
