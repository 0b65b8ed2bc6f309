package bearer

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"testing"
)

// An HMAC that was used before is as a new one, also while others of the key are in use.
func TestMACsOfOneKey(t *testing.T) {
	text := sha256.Sum256([]byte("a key"))
	k := newKey(text)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range maxMessage {
				message := bytes.Repeat([]byte{byte(worker)}, n)
				h := hmac.New(sha256.New, text[:])
				h.Write(message)
				if got, want := mac(k, message), h.Sum(nil); !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %x, want %x", n, got, want)
				}
			}
		})
	}
	all.Wait()
}
