package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// needle is a text that must not be found.
type needle struct{ what, text string }

// haystack is a place to search.
type haystack struct {
	where string
	text  []byte
}

func (h haystack) isLog() bool { return strings.HasPrefix(h.where, "log of ") }

// searchForLeaks looks for every secret of the stage where none may be. Put it
// behind a defer: it searches what came before.
func (s *stage) searchForLeaks(t *testing.T) {
	t.Helper()
	for _, leak := range search(s.needles(t), s.haystacks(t)) {
		t.Error(leak)
	}
}

// needles are the secrets, and what of a bearer is one by itself.
func (s *stage) needles(t *testing.T) []needle {
	t.Helper()
	needles := slices.Clone(s.secrets)
	for _, n := range s.secrets {
		_, body, isBearer := strings.Cut(n.text, "t_")
		if !isBearer || !strings.HasPrefix(n.text, "fob_") {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil || len(raw) != 99 {
			t.Fatalf("not a bearer: %v, %d bytes", err, len(raw))
		}
		// The tables keep its hash. The layout is package bearer's.
		needles = append(needles, needle{"the secret of the " + n.what, string(raw[51:83])})
	}
	// Also the beginning of a bearer has no business anywhere.
	return append(needles, needle{"access token", "fob_at_"}, needle{"refresh token", "fob_rt_"})
}

// haystacks are all that the functions wrote, answered and sent to the engine,
// and all that is in the tables.
func (s *stage) haystacks(t *testing.T) []haystack {
	t.Helper()
	var all []haystack
	for n, i := range s.running {
		name := fmt.Sprintf("%s %d", i.name, n)
		all = append(all,
			haystack{"log of " + name, i.stdout.all(t)},
			haystack{"log of " + name + ", standard error", i.stderr.all(t)})
		i.tables.mu.Lock()
		all = append(all, haystack{"calls to DynamoDB by " + name, bytes.Join(i.tables.sent, []byte("\n"))})
		i.tables.mu.Unlock()
	}
	all = append(all, haystack{"answers", bytes.Join(s.answers, []byte("\n"))})
	for _, table := range []string{s.fixture.Tables.Tokens, s.fixture.Tables.Clients, s.fixture.Tables.Users} {
		var dump bytes.Buffer
		for _, item := range s.fixture.Items(t, table) {
			dumpAttribute(&dump, &types.AttributeValueMemberM{Value: item})
		}
		all = append(all, haystack{"table " + strings.SplitN(table, "-", 2)[0], dump.Bytes()})
	}
	return all
}

// dumpAttribute writes names and values, and bytes raw, in hex and in base64.
func dumpAttribute(to *bytes.Buffer, value types.AttributeValue) {
	switch v := value.(type) {
	case *types.AttributeValueMemberM:
		for name, value := range v.Value {
			fmt.Fprintf(to, "%s = ", name)
			dumpAttribute(to, value)
		}
	case *types.AttributeValueMemberL:
		for _, value := range v.Value {
			dumpAttribute(to, value)
		}
	case *types.AttributeValueMemberS:
		fmt.Fprintln(to, v.Value)
	case *types.AttributeValueMemberB:
		fmt.Fprintf(to, "%s\n%x\n%s\n", v.Value, v.Value, base64.StdEncoding.EncodeToString(v.Value))
	default:
		fmt.Fprintf(to, "%v\n", v) // numbers and flags
	}
}

// search returns what it found, and never the secret itself. Usernames are not
// secret, but the logs are kept longer than the users.
func search(needles []needle, haystacks []haystack) (leaks []string) {
	for _, n := range needles {
		for form, text := range forms(n.text) {
			for _, h := range haystacks {
				if bytes.Contains(h.text, text) {
					leaks = append(leaks, fmt.Sprintf("%s: %s, %s", h.where, n.what, form))
				}
			}
		}
	}
	for _, h := range haystacks {
		if h.isLog() && bytes.Contains(h.text, []byte(demoUser)) {
			leaks = append(leaks, h.where+": username")
		}
	}
	slices.Sort(leaks)
	return slices.Compact(leaks)
}

// forms are the ways in which a text may be written.
func forms(text string) map[string][]byte {
	quoted, _ := json.Marshal(text)
	all := map[string][]byte{
		"as it is":      []byte(text),
		"as JSON":       quoted[1 : len(quoted)-1],
		"as form":       []byte(url.QueryEscape(text)),
		"as URL":        []byte(url.PathEscape(text)),
		"in hex":        []byte(hex.EncodeToString([]byte(text))),
		"in upper hex":  bytes.ToUpper([]byte(hex.EncodeToString([]byte(text)))),
		"as Go's bytes": []byte(strings.Trim(fmt.Sprint([]byte(text)), "[]")),
	}
	// In the midst of other bytes, as in a Basic header, base64 has three ways to
	// write it, and its first and last characters belong to the neighbours too.
	for shift := range 3 {
		padded := slices.Concat(make([]byte, shift), []byte(text))
		first, last := (shift*8+5)/6, len(padded)*8/6
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			all[fmt.Sprintf("in %s at %d", name, shift)] = []byte(encoding.EncodeToString(padded))[first:last]
		}
	}
	return all
}

// A search that finds nothing must be one that would.
func TestSearchForLeaks(t *testing.T) {
	s := newStage(t)
	token := s.run(t, "token")
	issued := token.login(t, "device_ipad")
	access, refresh := issued.text(t, "access_token"), issued.text(t, "refresh_token")
	raw, err := base64.RawURLEncoding.DecodeString(access[len("fob_at_"):])
	must(t, err)

	needles, clean := s.needles(t), s.haystacks(t)
	if leaks := search(needles, clean); len(leaks) > 0 {
		t.Fatalf("leaks before anything was planted: %q", leaks)
	}
	for _, h := range clean {
		if len(h.text) == 0 && !strings.HasSuffix(h.where, "standard error") && h.where != "answers" {
			t.Errorf("nothing to search in: %s", h.where)
		}
	}

	binary := func(b []byte) []byte {
		var dump bytes.Buffer
		dumpAttribute(&dump, &types.AttributeValueMemberB{Value: b})
		return dump.Bytes()
	}
	basic := base64.StdEncoding.EncodeToString([]byte(demoClient + ":" + demoClientSecret))
	const user, log, calls, table = "username", "log of token 0", "calls to DynamoDB by token 0", "table tokens"
	for _, test := range []struct {
		name, where string
		plant       []byte
		want        string
	}{
		{"access token", log, []byte(access), "access token"},
		{"first half of a refresh token", log, []byte(refresh[:len(refresh)/2]), "refresh token"},
		{"refresh token in an error", "answers", []byte(`{"error":"x","error_description":"` + refresh + `"}`), "refresh token"},
		{"access token in a column", table, []byte(access), "access token"},
		{"secret of a bearer as bytes", table, binary(raw[51:83]), "the secret of the access token"},
		{"secret of a bearer in hex", log, fmt.Appendf(nil, "%x", raw[51:83]), "the secret of the access token"},
		{"secret of a bearer sent to the engine", calls, []byte(`{"B":"` + base64.StdEncoding.EncodeToString(raw[51:83]) + `"}`), "the secret of the access token"},
		{"password", log, []byte(`"password":"` + demoPassword + `"`), "password"},
		{"password in a form", log, []byte("username=x&password=" + url.QueryEscape(demoPassword)), "password"},
		{"body in base64", log, []byte(base64.StdEncoding.EncodeToString([]byte("grant_type=password&password=" + demoPassword + "&x=y"))), "password"},
		{"Basic header", log, []byte("Basic " + basic), "client secret"},
		{"client secret in a table", "table clients", []byte(demoAPISecret), "client secret"},
		{"mint key", log, []byte("ring: " + mintKey), "mint key"},
		{"check key as Go prints bytes", log, fmt.Appendf(nil, "%v", []byte(checkKey)), "check key"},
		{"username", log, []byte(`"user":"` + demoUser + `"`), user},
	} {
		t.Run(test.name, func(t *testing.T) {
			planted := slices.Clone(clean)
			at := slices.IndexFunc(planted, func(h haystack) bool { return h.where == test.where })
			if at < 0 {
				t.Fatalf("no %s among what is searched", test.where)
			}
			planted[at].text = slices.Concat(planted[at].text, []byte("\n"), test.plant, []byte("\n"))
			leaks := search(needles, planted)
			if !slices.ContainsFunc(leaks, func(leak string) bool { return strings.HasPrefix(leak, test.where+": "+test.want) }) {
				t.Errorf("planted and not found; found: %q", leaks)
			}
		})
	}
}
