package main

import (
	"os"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

const (
	byteOrderMark = "\xef\xbb\xbf"
	utf16Text     = "\xff\xfee\x00x\x00"
)

// Text that Windows wrote begins with a byte order mark and ends in CRLF. Stored as it
// is, a password would lock its user out.
func TestTextFromWindows(t *testing.T) {
	s := newMemoryStores()
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fob := func(stdin string, args ...string) (code int, out, said string) {
		var stdout, stderr output
		p := program{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
		code = p.run(t.Context(), args)
		return code, stdout.String(), stderr.String()
	}
	const text = "example-password-of-windows"
	marked := byteOrderMark + text + "\r\n"

	for _, args := range [][]string{{"user", "add", "ann"}, {"user", "passwd", "ann"}} {
		if code, _, said := fob(marked, args...); code != 0 {
			t.Fatalf("%q: exit code %d, %s", args, code, said)
		}
		u, _, err := s.users.User(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, err := (password.Hasher{}).Verify(secret.New(text), u.PasswordHash); !ok || err != nil {
			t.Errorf("%q: the password of %q is another one, %v", args, marked, err)
		}
	}
	for i, args := range [][]string{
		{"client", "add", "--id", "nightly", "--grant", "client_credentials", "--secret-stdin"},
		{"client", "rotate-secret", "nightly", "--now", "--secret-stdin"},
	} {
		want := strings.Repeat(text, i+1)
		if code, _, said := fob(byteOrderMark+want+"\r\n", args...); code != 0 {
			t.Fatalf("%q: exit code %d, %s", args, code, said)
		}
		c, _, err := s.clients.Client(t.Context(), "nightly")
		if err != nil || c.Secrets[0].Hash != oauth.HashClientSecret(secret.New(want)) {
			t.Errorf("%q: the secret is another one, %v", args, err)
		}
	}

	const set = `{"keys":[{"kid":"1","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	write("set.json", byteOrderMark+set+"\r\n")
	if code, _, said := fob("", "issuer", "add", "backend", "--audience", "shop", "--algorithm", "EdDSA", "--keys-file", "set.json"); code != 0 {
		t.Errorf("a marked key set: exit code %d, %s", code, said)
	}
	if i, _, err := s.issuers.TrustedIssuer(t.Context(), "backend"); err != nil || i.JWKS != set {
		t.Errorf("a marked key set is stored as %q, %v", i.JWKS, err)
	}
	write("wide.json", "\xff\xfe{\x00")
	if code, _, said := fob("", "client", "add", "--id", "signer", "--grant", "client_credentials", "--keys-file", "wide.json"); code != exitUsage || !strings.Contains(said, "wide.json is UTF-16, as PowerShell writes it") {
		t.Errorf("a key set in UTF-16: exit code %d, %s", code, said)
	}

	if err := keys.NewFile("new.json"); err != nil {
		t.Fatal(err)
	}
	ring, err := os.ReadFile("new.json")
	if err != nil {
		t.Fatal(err)
	}
	write("keys.json", byteOrderMark+strings.ReplaceAll(string(ring), "\n", "\r\n"))
	if code, _, said := fob("", "key", "list", "--keys", "keys.json"); code != 0 {
		t.Errorf("key list: exit code %d, %s", code, said)
	}
	line := `{"username":"bob",` + exampleBcrypt + "}\r\n"
	write("users.jsonl", byteOrderMark+line+byteOrderMark+strings.Replace(line, "bob", "cy", 1)) // two files joined
	if code, out, said := fob("", "user", "import", "users.jsonl"); code != 0 || !strings.HasPrefix(out, "2 users are imported") {
		t.Errorf("user import: exit code %d, %s%s", code, out, said)
	}

	// UTF-16 is refused by its name.
	write("utf16", utf16Text)
	for _, args := range [][]string{
		{"user", "passwd", "ann"},
		{"client", "rotate-secret", "nightly", "--now", "--secret-stdin"},
		{"key", "list", "--keys", "utf16"},
		{"user", "import", "utf16"},
		{"user", "import", "-"},
	} {
		code, out, said := fob(utf16Text, args...)
		if code == 0 || out != "" || !strings.Contains(said, " UTF-16, as PowerShell writes it: it must be UTF-8") {
			t.Errorf("%q with UTF-16: exit code %d, %q, %q", args, code, out, said)
		}
	}
	if code, _, said := fob(byteOrderMark+"\r\n", "user", "passwd", "ann"); code != exitUsage || !strings.Contains(said, "standard input has no password") {
		t.Errorf("a byte order mark alone: exit code %d, %s", code, said)
	}
}
