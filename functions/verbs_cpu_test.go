//go:build unix

package functions_test

import (
	"syscall"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// BenchmarkVerbs has each verb from the bytes of the event to those of the answer. Where
// others use the machine, cpu-µs/op says more than ns/op: user and system time of the
// process, without the engine.
func BenchmarkVerbs(b *testing.B) {
	b.Run("memory", func(b *testing.B) { inMemory(b).benchmark(b) })
	b.Run("dynoxide", func(b *testing.B) {
		f := dynamotest.New(b, dynamotest.Engine(b))
		newVerbs(b, f.Tokens, f.Clients, f.Users).benchmark(b)
	})
}

func (v *verbs) benchmark(b *testing.B) {
	for name, do := range v.all() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := spent(b)
			for b.Loop() {
				do()
			}
			b.ReportMetric((spent(b)-before)/float64(b.N), "cpu-µs/op")
		})
	}
}

// spent is the processor time of this process so far, in microseconds.
func spent(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1000
}
