package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// JSON is shown at terminals as well, where some characters would move the cursor or
// turn the text round.
func TestJSONIsVisible(t *testing.T) {
	for name, want := range map[string]string{
		"Zoë 東京 אבג 🔑":   `"Zoë 東京 אבג 🔑"`,
		"a\u009b31m":     `"a\u009b31m"`,
		"\u202enna":      `"\u202enna"`,
		"a\u007fb\u001b": `"a\u007fb\u001b"`,
		"tag\U000e0041":  `"tag\udb40\udc41"`,
		"a\u00a0b\ufeff": `"a\u00a0b\ufeff"`,
		"<&>":            `"<&>"`,
	} {
		var out bytes.Buffer
		p := program{json: true, stdout: &out}
		if err := p.print(name, ""); err != nil || out.String() != want+"\n" {
			t.Errorf("%+q is shown as %s, %v; want %s", name, &out, err, want)
		}
		var again string
		if err := json.Unmarshal(out.Bytes(), &again); err != nil || again != name {
			t.Errorf("%+q reads as %+q, %v", name, again, err)
		}
	}
}
