package dynamo_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
)

// What one partition of DynamoDB answers in a second.
const (
	partitionReads  = 3000.0
	partitionWrites = 1000.0
)

// The partition keys of the tokens table spread over partitions, for any users.
// DynamoDB hashes a key in a way that it does not publish; here that is SHA-256. The names are
// as alike as names get.
func spread(subjects, partitions int, weight func(rank int) float64) (fullest float64) {
	loads := make([]float64, partitions)
	sum := 0.0
	for n := range subjects {
		key := ledger.SubjectKey(ledger.Subject{Kind: ledger.UserSubject, ID: fmt.Sprintf("u_%026d", n)})
		hash := sha256.Sum256([]byte(base64.RawURLEncoding.EncodeToString(key[:])))
		w := weight(n)
		loads[int(float64(binary.BigEndian.Uint32(hash[:4]))/math.Exp2(32)*float64(partitions))] += w
		sum += w
	}
	return slices.Max(loads) / (sum / float64(partitions))
}

// traffic is how much of all requests is about the user of a rank.
var traffic = []struct {
	name   string
	weight func(subjects int) func(rank int) float64
}{
	{"all users alike", func(int) func(int) float64 { return func(int) float64 { return 1 } }},
	{"a tenth of the users makes half", func(n int) func(int) float64 {
		return func(rank int) float64 {
			if rank < n/10 {
				return 9
			}
			return 1
		}
	}},
	{"one user, or a client for itself, makes a tenth", func(n int) func(int) float64 {
		return func(rank int) float64 {
			if rank == 0 {
				return float64(n-1) / 9
			}
			return 1
		}
	}},
}

const spreadUsers = 100_000

func TestKeysSpread(t *testing.T) {
	for _, partitions := range []int{4, 16, 64} {
		for _, kind := range traffic[:2] {
			if times := spread(spreadUsers, partitions, kind.weight(spreadUsers)); times > 1.25 {
				t.Errorf("%s, %d partitions: the fullest has %.2f times the mean", kind.name, partitions, times)
			}
		}
	}
	// The control: a hot key is seen.
	if times := spread(spreadUsers, 64, traffic[2].weight(spreadUsers)); times < 6 {
		t.Errorf("a user who makes a tenth of the requests does not show: the fullest of 64 partitions has %.2f times the mean", times)
	}
}

// tableOfPartitions says at how many introspections a second the fullest partition is full.
func tableOfPartitions(t *testing.T) string {
	t.Helper()
	var units float64
	for _, row := range budgetRows() {
		if row.name == "introspect" {
			units = row.price.found + row.price.none
		}
	}
	var out strings.Builder
	out.WriteString("| traffic | 4 partitions, a new table | 16 | 64 |\n| --- | --- | --- | --- |\n")
	for _, kind := range traffic {
		fmt.Fprintf(&out, "| %s |", kind.name)
		for _, partitions := range []int{4, 16, 64} {
			times := spread(spreadUsers, partitions, kind.weight(spreadUsers))
			fmt.Fprintf(&out, " %.2f: %s a second |", times, thousands(math.Floor(float64(partitions)/times*partitionReads/units)))
		}
		out.WriteString("\n")
	}
	fmt.Fprintf(&out, "| one user alone | | %s introspections, or %s new tokens, a second | |\n", thousands(partitionReads/units), thousands(partitionWrites))
	return out.String()
}
