package userimport

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestReadLines(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	full := strings.Repeat("x", maxLine-1)
	for _, tt := range []struct {
		name, in string
		want     string // number:text, and ! for too long
		fails    string
	}{
		{name: "empty", in: ""},
		{name: "blank", in: "\n \r\n\t\n"},
		{name: "no end", in: "a\nb", want: "1:a 2:b"},
		{name: "Windows", in: "a\r\nb\r\n", want: "1:a 2:b"},
		{name: "blank ones between", in: "\na\n\n\nb\n\n", want: "2:a 5:b"},
		{name: "byte order mark", in: mark + "a\nb\n", want: "1:a 2:b"},
		{name: "byte order mark alone", in: mark},
		{name: "files joined", in: mark + "a\n" + mark + "b\n", want: "1:a 2:b"},
		{name: "UTF-16", in: "\xff\xfea\x00\n\x00", fails: "line 1 is UTF-16"},
		{name: "as long as can be", in: full + "\na\n", want: "1:" + full + " 2:a"},
		{name: "too long", in: full + "x\na\n", want: "1! 2:a"},
		{name: "far too long", in: strings.Repeat(full, 5) + "\na\n", want: "1! 2:a"},
		{name: "too long at the end", in: "a\n" + full + "xx", want: "1:a 2!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var failed error
			size := 0
			for l := range readLines(t.Context(), strings.NewReader(tt.in)) {
				size += l.size
				if l.err != nil {
					failed = l.err
					continue
				}
				if l.tooLong {
					got = append(got, fmt.Sprintf("%d!", l.number))
					continue
				}
				got = append(got, fmt.Sprintf("%d:%s", l.number, bytes.TrimSpace(l.text)))
			}
			if text := strings.Join(got, " "); text != tt.want && tt.fails == "" {
				t.Errorf("lines are %.100q, want %.100q", text, tt.want)
			}
			if (failed != nil) != (tt.fails != "") || failed != nil && !strings.Contains(failed.Error(), tt.fails) {
				t.Errorf("error %v, want %q", failed, tt.fails)
			}
			if size > len(tt.in) {
				t.Errorf("%d of %d bytes", size, len(tt.in))
			}
		})
	}
}
