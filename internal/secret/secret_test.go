package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestTextIsNeverShown(t *testing.T) {
	const canary = "canary-7f3a"
	type holder struct {
		T Text
		P *Text
		t Text
	}
	text := New(canary)
	h := holder{text, &text, text}

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%p", "%t", "%e"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", text, &text)
		fmt.Fprintf(&out, verb+"\n", h)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", text))
	fmt.Fprintln(&out, []Text{text}, map[string]Text{"k": text}, text.String(), text.GoString())

	var logs bytes.Buffer
	for _, l := range []*slog.Logger{slog.New(slog.NewJSONHandler(&logs, nil)), slog.New(slog.NewTextHandler(&logs, nil))} {
		l.Info("event", "text", text, "pointer", &text, "holder", h, slog.Group("g", "t", text))
	}
	out.Write(logs.Bytes())

	for _, marshal := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
		b, err := marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}

	// %x prints [redacted] itself, never hex of the characters.
	for _, leak := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q leaked:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), Redacted) {
		t.Error("nothing was printed at all")
	}
}

// A text comes in by JSON, and an error about another value does not quote it.
func TestUnmarshalJSON(t *testing.T) {
	var answer struct{ Token, Absent, Null Text }
	if err := json.Unmarshal([]byte(`{"Token":"canary-7f3a","Null":null}`), &answer); err != nil || answer.Token.Reveal() != "canary-7f3a" {
		t.Errorf("%q, %v", answer.Token.Reveal(), err)
	}
	if answer.Absent.Len()+answer.Null.Len() > 0 {
		t.Error("there is a text where none came in")
	}
	for _, text := range []string{`{"Token":73773}`, `{"Token":["73773"]}`, `{"Token":{"x":"73773"}}`} {
		if err := json.Unmarshal([]byte(text), &answer); err == nil || strings.Contains(err.Error(), "73773") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEqual(t *testing.T) {
	if !New("a").Equal(New("a")) || New("a").Equal(New("b")) || New("a").Equal(New("aa")) || !New("").Equal(Text{}) {
		t.Error("Equal is wrong")
	}
}

// The form in which passwords are compared is that of RFC 8265's OpaqueString.
func TestPrepared(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"ASCII", "Correct horse~", "Correct horse~"},
		{"composed", "p\u00e4ss", "p\u00e4ss"},
		{"decomposed", "pa\u0308ss", "p\u00e4ss"},
		{"Hangul", "\u1112\u1161\u11ab", "\ud55c"},
		{"marks in another order", "a\u0323\u0307", "\u1ea1\u0307"},
		{"other spaces", "a\u00a0b\u3000c\u2009d", "a b c d"},
		{"case and width stay", "\uff21\u00c4", "\uff21\u00c4"},
		{"compatible letters stay", "\ufb01", "\ufb01"},
		{"what nobody sees stays", "a\u200bb\ufeff", "a\u200bb\ufeff"},
		{"not UTF-8", "pa\u0308\xe4\u00a0", "pa\u0308\xe4\u00a0"},
	} {
		got := New(tt.in).Prepared()
		if got.Reveal() != tt.want {
			t.Errorf("%s: %+q became %+q, want %+q", tt.name, tt.in, got.Reveal(), tt.want)
		}
		if again := got.Prepared(); !again.Equal(got) {
			t.Errorf("%s: once more it is %+q", tt.name, again.Reveal())
		}
	}
}
