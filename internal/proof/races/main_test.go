package races

import (
	"os"
	"testing"
)

// TestMain makes this binary an instance of fob instead of a test, where
// startInstance has started it as one.
func TestMain(m *testing.M) {
	if os.Getenv(instanceEnv) != "" {
		os.Exit(serveInstance())
	}
	os.Exit(m.Run())
}
