package text

import (
	"errors"
	"testing"
)

func TestLine(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		err            error
	}{
		{name: "nothing"},
		{name: "plain", in: "a b", want: "a b"},
		{name: "LF", in: "a\n", want: "a"},
		{name: "CRLF", in: "a\r\n", want: "a"},
		{name: "one line end alone", in: "a\n\r\n", want: "a\n"},
		{name: "CR alone is content", in: "a\r", want: "a\r"},
		{name: "byte order mark", in: "\xef\xbb\xbfa\r\n", want: "a"},
		{name: "byte order mark alone", in: "\xef\xbb\xbf"},
		{name: "byte order mark inside is content", in: "a\xef\xbb\xbf", want: "a\xef\xbb\xbf"},
		{name: "UTF-16, little endian", in: "\xff\xfea\x00", err: ErrUTF16},
		{name: "UTF-16, big endian", in: "\xfe\xff\x00a", err: ErrUTF16},
	} {
		got, err := Line([]byte(tt.in))
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: Line(%q) = %q, %v; want %q, %v", tt.name, tt.in, got, err, tt.want, tt.err)
		}
	}
}
