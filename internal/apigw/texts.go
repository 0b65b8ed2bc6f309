package apigw

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// texts are the headers or the parameters of an event: an object of JSON whose values are
// strings. encoding/json would allocate three times for each member.
type texts map[string]string

// UnmarshalJSON implements [json.Unmarshaler]. It decodes as encoding/json would, and
// leaves to encoding/json all that is not plain. So it does if the event has the member a
// second time: then the map is there, and encoding/json adds to it.
func (t *texts) UnmarshalJSON(text []byte) error {
	if *t == nil {
		if plain, ok := cut(string(text)); ok {
			*t = plain
			return nil
		}
	}
	return json.Unmarshal(text, (*map[string]string)(t))
}

// cut cuts an object at its quotation marks, if all its values are strings and a string
// means what it says: without escapes, in UTF-8. The text must be valid JSON, as every
// text is that encoding/json gives to a [json.Unmarshaler].
func cut(object string) (texts, bool) {
	if !strings.HasPrefix(object, "{") || strings.Contains(object, `\`) || !utf8.ValidString(object) {
		return nil, false
	}
	parts := strings.Split(object, `"`) // {, name, colon, value, comma, name, colon, value, }
	all := make(texts, len(parts)/4)
	for i := 1; i < len(parts); i += 4 {
		if strings.TrimSpace(parts[i+1]) != ":" {
			return nil, false
		}
		all[parts[i]] = parts[i+2]
	}
	return all, true
}
