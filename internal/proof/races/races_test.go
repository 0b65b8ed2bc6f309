package races

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The instances of a run, and how busy they are kept.
const (
	processes           = 3
	lanesOfProcess      = 3  // requests that each process has under way
	operationsOfHistory = 28 // of each lane in one history

	// Over each network of TestLinearizable; $FOB_RACE_HISTORIES takes its place.
	histories = 15
	// In which a defect must show. Most do in the first, and a resource that changes nothing
	// in one of 20 or so.
	historiesOfDefect = 200

	// A predecessor is replayed by the clock a minute after its rotation. A
	// history that is longer, on a machine that stopped for a while, says nothing.
	longest = 25 * time.Second

	// Far more than a history needs.
	patience = time.Minute
)

// TestLinearizable checks histories of {issue, refresh, introspect, revoke}, sign-out, events and disabled users
// that three instances made over one engine, while their requests to it were
// slow, lost, lost on their way back, and given up.
func TestLinearizable(t *testing.T) {
	histories := histories
	if text := os.Getenv("FOB_RACE_HISTORIES"); text != "" {
		var err error
		if histories, err = strconv.Atoi(text); err != nil || histories < 1 {
			t.Fatalf("FOB_RACE_HISTORIES=%q is not a number of histories", text)
		}
	}
	for _, network := range []struct {
		name   string
		faults faultRates
	}{
		{"slow", faultRates{TornRead: 0.3}},
		{"slow and lossy", faultRates{TornRead: 0.3, LostRequest: 0.02, LostReply: 0.03, Deadline: 0.02}},
	} {
		t.Run(network.name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, sound, network.faults)
			for n := range histories {
				history := d.history(t, n)
				switch result := d.check(history); result {
				case porcupine.Illegal:
					d.explain(t, history)
					t.Fatalf("history %d is not linearizable", n)
				case porcupine.Unknown:
					t.Fatalf("history %d was not decided in %v", n, patience)
				}
			}
			d.report(t)
		})
	}
}

// TestDefectsAreFound does the same with instances that are wrong on purpose.
func TestDefectsAreFound(t *testing.T) {
	for _, defect := range slices.Sorted(maps.Keys(defectiveStores)) {
		t.Run(string(defect), func(t *testing.T) { testDefectIsFound(t, defect) })
	}
	for _, defect := range []plantedDefect{cachedIntrospection, anotherSubject, ignoredResource, forgottenVersion} {
		t.Run(string(defect), func(t *testing.T) { testDefectIsFound(t, defect) })
	}
}

func testDefectIsFound(t *testing.T, defect plantedDefect) {
	t.Parallel()
	d := newDriver(t, defect, faultRates{})
	for n := range historiesOfDefect {
		if d.check(d.history(t, n)) == porcupine.Illegal {
			d.report(t)
			return
		}
	}
	t.Errorf("%d histories of instances with %s look sound", historiesOfDefect, defect)
}
