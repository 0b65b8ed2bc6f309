package jsonobject

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type targets struct {
	Text   string
	Number int
	Truth  bool
	List   []string
	Raw    json.RawMessage
}

func (t *targets) members() map[string]any {
	return map[string]any{"text": &t.Text, "number": &t.Number, "truth": &t.Truth, "list": &t.List, "raw": &t.Raw}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       targets
		has        string
	}{
		{"empty", ` {} `, targets{}, ""},
		{"all", `{"text":"a","number":7,"truth":true,"list":["b"],"raw":{"c":1}}`, targets{"a", 7, true, []string{"b"}, json.RawMessage(`{"c":1}`)}, "list number raw text truth"},
		{"null", `{"text":null,"number":null,"truth":null,"list":null,"raw":null}`, targets{Raw: json.RawMessage("null")}, ""},
		{"zero values", `{"text":"","list":[],"truth":false}`, targets{List: []string{}}, "list text truth"},
		{"escapes", `{"te\u0078t":"\ud83d\ude00"}`, targets{Text: "\U0001f600"}, "text"},
	} {
		var got targets
		read, err := Read("the body", []byte(c.text), got.members())
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, d)
		}
		var has []string
		for _, name := range []string{"list", "number", "raw", "text", "truth"} {
			if read.Has(name) {
				has = append(has, name)
			}
		}
		if d := cmp.Diff(c.has, strings.Join(has, " ")); d != "" {
			t.Errorf("%s: members (-want +got):\n%s", c.name, d)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "the body is not a JSON object",
		`7`:                               "the body is not a JSON object",
		`[]`:                              ErrList.Error(),
		`{"text":"a"`:                     "the body is not a JSON object: it breaks near byte 12",
		`{"text"}`:                        "the body is not a JSON object: it breaks near byte 8",
		`{"text":canary}`:                 "the body is not a JSON object: it breaks near byte 9",
		`{} {}`:                           "there is more in the body than one JSON object",
		`{"text":"` + "\xff" + `"}`:       "the body is not UTF-8",
		`{"text":"a","text":"a"}`:         "text is there twice",
		`{"text":"a","te\u0078t":"b"}`:    "text is there twice",
		`{"text":null,"text":"b"}`:        "text is there twice",
		`{"Text":"a"}`:                    `the member "Text" is not known`,
		`{"$2b$canary":"a"}`:              "a member whose name is not known",
		`{"text":["canary"]}`:             "text wants a text",
		`{"text":"\ud83dcanary"}`:         "a character of the text is lost: it was written in another charset",
		`{"number":1.5,"truth":"a"}`:      "number wants a whole number\ntruth wants true or false",
		`{"number":99999999999999999999}`: "number wants a whole number",
		`{"list":"canary"}`:               "list wants a list of names",
		`{"list":[1]}`:                    "list wants a list of names",
		`{"list":["canary",null]}`:        "list wants a list of names",
		`{"list":["\ud83dcanary"]}`:       "a character of the list is lost: it was written in another charset",
		`{"raw":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`: "the body is not a JSON object: it breaks near byte 8",
	} {
		_, err := Read("the body", []byte(text), new(targets).members())
		if err == nil || err.Error() != want {
			t.Errorf("%.40s: %v; want %q", text, err, want)
		}
	}
}

// A reader that keeps the first of two members reads the same as one
// that keeps the last.
func FuzzRead(f *testing.F) {
	for _, text := range []string{`{"text":"a","list":["b"],"number":1}`, `{"text":null}`, `{"text":"a","text":"b"}`, `{"raw":{"text":1}}`, `{`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got, plain targets
		if _, err := Read("the body", []byte(text), got.members()); err != nil {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatalf("%q was read, and package json says %v", text, err)
		}
		for name, value := range all {
			if err := json.Unmarshal(value, plain.members()[name]); err != nil {
				t.Fatalf("%q: %s: %v", text, name, err)
			}
		}
		if d := cmp.Diff(plain, got); d != "" {
			t.Errorf("%q (-json +read):\n%s", text, d)
		}
	})
}
