package bearer

import "strings"

// Look returns the [Name] that an opaque token gives itself. Nobody verified it: everybody
// can write such a text. It reports false for any other text, a JWT too.
func Look(b Bearer) (Name, bool) {
	t, _, ok := parse(b.Reveal())
	return t.Name, ok
}

// HasPrefix reports a text that holds an opaque token, or the beginning of one.
func HasPrefix(text string) bool {
	return strings.Contains(text, Access.prefix()) || strings.Contains(text, Refresh.prefix())
}
