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

func TestEqual(t *testing.T) {
	if !New("a").Equal(New("a")) || New("a").Equal(New("b")) || New("a").Equal(New("aa")) || !New("").Equal(Text{}) {
		t.Error("Equal is wrong")
	}
}
