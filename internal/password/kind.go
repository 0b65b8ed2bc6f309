package password

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
)

// Kind is how a hash of another system is computed, as far as time depends on it:
//
//	bcrypt:12                 the cost
//	pbkdf2-sha256:600000:32   the iterations, and the bytes of the key
//	argon2id:65536:3:4        KiB, iterations and lanes
//
// The empty Kind is that of fob's hashes, and of all that take as long.
type Kind string

// kindOf is the Kind of what Hash or Foreign made.
func kindOf(stored string) Kind {
	if isBcrypt(stored) {
		return Kind("bcrypt:" + strconv.Itoa(bcryptCost(stored)))
	}
	if l, _, ok := parseWrapped(stored); ok {
		return l.kind()
	}
	p, _, _, err := argon2id.DecodeHash(stored)
	if err != nil || p.Memory == params.Memory && p.Iterations == params.Iterations && p.Parallelism == params.Parallelism {
		return ""
	}
	return Kind(fmt.Sprintf("argon2id:%d:%d:%d", p.Memory, p.Iterations, p.Parallelism))
}

// kind leaves a round of SHA out: it takes microseconds.
func (l legacy) kind() Kind {
	if l.iterations == 0 {
		return ""
	}
	return Kind(fmt.Sprintf("%s%s:%d:%d", pbkdf2Prefix, l.digest, l.iterations, l.length))
}

// Kind returns the kind of a hash of another system.
func (c Checked) Kind() Kind {
	if c.stored.Len() > 0 {
		return kindOf(c.stored.Reveal())
	}
	return c.legacy.kind()
}

// Revealing reports whether a login with a hash of this kind takes so much longer or
// shorter than one with fob's own that a few measurements show it.
func (k Kind) Revealing() bool {
	own := Kind("").estimate()
	return (k.estimate() - own).Abs() > own/5
}

// estimate is how long a login takes on one core of a common server: measured once, and
// only compared with each other.
func (k Kind) estimate() time.Duration {
	const (
		ownTime    = 23 * time.Millisecond
		bcryptTime = 14 * time.Millisecond // of cost minCost
		pbkdf2Time = 400 * time.Nanosecond // of one iteration, for a key as long as the digest
	)
	name, numbers := k.parts()
	switch {
	case name == "bcrypt":
		return bcryptTime << (numbers[0] - minCost)
	case name == "argon2id":
		return ownTime * time.Duration(numbers[0]*numbers[1]) / time.Duration(params.Memory*params.Iterations)
	case name != "":
		size := legacy{digest: strings.TrimPrefix(name, pbkdf2Prefix)}.size()
		blocks := (numbers[1] + size - 1) / size
		return ownTime + pbkdf2Time*time.Duration(numbers[0]*blocks)
	}
	return ownTime
}

// parts reads what kindOf wrote.
func (k Kind) parts() (name string, numbers []int) {
	name, rest, _ := strings.Cut(string(k), ":")
	for text := range strings.SplitSeq(rest, ":") {
		n, _ := strconv.Atoi(text) // it is one
		numbers = append(numbers, n)
	}
	return name, numbers
}
