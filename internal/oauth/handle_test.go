package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Back ends compute handles by what docs/mobile.md says.
func TestHandleAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/mobile.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?m)^handle\("([^"]+)", "([^"]+)"\) == "([^"]+)"$`).FindStringSubmatch(string(page))
	label := regexp.MustCompile(`fields = \[b"([^"]+)", sub.encode\(\), name.encode\(\)\]`).FindStringSubmatch(string(page))
	if example == nil || label == nil {
		t.Fatal("docs/mobile.md has no example")
	}
	var text []byte
	for _, field := range []string{label[1], example[1], example[2]} {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(field))), field...)
	}
	sum := sha256.Sum256(text)
	want(t, "the example", "~"+base64.RawURLEncoding.EncodeToString(sum[:16]), example[3])
	want(t, "fob's", oauth.Handle(example[3]), oauth.HandleOf(oauth.SubjectOf(example[1]), scope.Device(example[2])))
}

func TestHandles(t *testing.T) {
	ada, bob := oauth.SubjectOf("u_ada"), oauth.SubjectOf("u_bob")
	seen := map[oauth.Handle]bool{}
	for _, subject := range []ledger.Subject{ada, bob} {
		for _, device := range []scope.Device{"ipad", "iPad", "iphone", ".", scope.Device(strings.Repeat("x", 64))} {
			h := oauth.HandleOf(subject, device)
			if got, ok := oauth.ParseHandle(string(h)); !ok || got != h || seen[h] || strings.Contains(string(h), string(device)) && device != "." {
				t.Errorf("%s of %s: %s, %v", device, subject.ID, h, ok)
			}
			seen[h] = true
			if _, err := scope.ParseDevice(string(h)); err == nil {
				t.Errorf("%s is a name as well", h)
			}
		}
	}
	if h := oauth.HandleOf(ada, ""); h != "" {
		t.Errorf("no device has the handle %s", h)
	}
	good := string(oauth.HandleOf(ada, "ipad"))
	for _, text := range []string{"", "~", "ipad", good[1:], good + "A", good[:22], "~" + good, good + "=", good[:10] + "\n" + good[10:], good[:len(good)-1] + "h"} {
		if h, ok := oauth.ParseHandle(text); ok || h != "" {
			t.Errorf("%q is a handle", text)
		}
	}
}
