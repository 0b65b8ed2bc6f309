package apigw

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var eventsWithHeaders = []string{
	`{"headers":{"accept":"*/*","host":"a.example"}}`,
	`{"headers":{ "a" : "b",` + "\n\t" + `"c":"d" , "":"" }}`,
	`{"headers":{"a":":","b":"{}[]:,","c":","}}`,
	// Twice.
	`{"headers":{"a":"1","A":"2","a":"3"}}`,
	`{"headers":{"a":"1","b":"2"},"headers":{"b":"3"}}`,
	`{"headers":{"a":"1"},"headers":null}`,
	// Escapes, and bytes that are not UTF-8.
	`{"headers":{"a":"{\"b\":\"c\"}","\u0061":"d\\","e\"":","}}`,
	`{"headers":{"a":"b\\","c":":","d":","}}`,
	`{"headers":{"a":"\u00fc"}}`,
	`{"headers":{"ä":"ü` + "\xff" + `"}}`,
	// Other values than strings.
	`{"headers":{"a":1,"b":"c"}}`,
	`{"headers":{"a":null,"b":"c"}}`,
	`{"headers":{"a":["b"],"c":{"d":"e"}}}`,
	`{"headers":{"a":{"b":"c"}}}`,
	`{"headers":{"a":{}}}`,
	`{"headers":{}}`, `{"headers":null}`, `{"headers":""}`, `{"headers":["a","b"]}`, `{"headers":7}`,
	// Not JSON.
	`{"headers":{"a":"b"}`, `{"headers":{"a":"b",}}`, `{"headers":{"a":"` + "\n" + `"}}`,
}

func TestTexts(t *testing.T) {
	for _, event := range eventsWithHeaders {
		decodesAsMap(t, event)
	}
}

func FuzzTexts(f *testing.F) {
	for _, event := range eventsWithHeaders {
		f.Add(event)
	}
	f.Fuzz(decodesAsMap)
}

// decodesAsMap compares the headers of an event with what encoding/json makes of them.
func decodesAsMap(t *testing.T, event string) {
	var got struct{ Headers texts }
	var want struct{ Headers map[string]string }
	gotErr, wantErr := json.Unmarshal([]byte(event), &got), json.Unmarshal([]byte(event), &want)
	if (gotErr == nil) != (wantErr == nil) {
		t.Errorf("%q: error %v, want %v", event, gotErr, wantErr)
	}
	if diff := cmp.Diff(map[string]string(got.Headers), want.Headers); diff != "" && wantErr == nil {
		t.Errorf("%q: got -, want +:\n%s", event, diff)
	}
}
