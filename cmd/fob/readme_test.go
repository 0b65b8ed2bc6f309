package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeTranscript runs the commands at the top of README.md against fob serve
// and compares what they print with the lines below them. In those, numbers may
// differ, "..." stands for any text, and a token that is cut in one way must be one
// string wherever it is cut that way, and another where it is cut differently.
func TestReadmeTranscript(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```console\n$ LOGIN=")
	text, _, _ = strings.Cut(text, "```")
	server := serveProcess(t, nil)
	fill := strings.NewReplacer(
		"localhost:8080", strings.TrimPrefix(server.Issuer, "http://"),
		"API_SECRET", server.ResourceClientSecret, "SECRET", server.ClientSecret, "PASSWORD", server.Password,
		"$ curl ", "$ curl -sS ",
	)
	login, text, _ := strings.Cut(fill.Replace(text), "\n")

	cut := regexp.MustCompile(`fob_[ar]t_\w+\.\.\.[\w-]+`)
	tokens := map[string]string{} // as the page cuts them
	commands := 0
	for step := range strings.SplitSeq(text, "\n$ ") {
		command, want, _ := strings.Cut(step, "\n")
		if !strings.HasPrefix(command, "curl ") {
			continue // what precedes the first
		}
		commands++
		want = regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(want, "")
		command = cut.ReplaceAllStringFunc(command, func(short string) string { return tokens[short] })
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "LOGIN="+login+"\n"+command).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}

		var named []string
		pattern := regexp.QuoteMeta(strings.TrimSpace(cut.ReplaceAllStringFunc(want, func(short string) string {
			named = append(named, short)
			return "TOKEN"
		})))
		pattern = regexp.MustCompile(`: ?\d+`).ReplaceAllString(pattern, `:\d+`)
		pattern = regexp.MustCompile(` ?\\\.\\\.\\\. ?`).ReplaceAllString(pattern, `.*`)
		pattern = strings.ReplaceAll(pattern, "TOKEN", `(fob_[ar]t_[\w-]+)`)
		found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(strings.TrimSpace(string(got)))
		if found == nil {
			t.Fatalf("%s\nprinted %s\nREADME  %s", command, got, want)
		}
		for i, short := range named {
			for other, token := range tokens {
				if (other == short) != (token == found[i+1]) {
					t.Errorf("%s\n%s is %s, and %s is %s", command, other, token, short, found[i+1])
				}
			}
			tokens[short] = found[i+1]
		}
	}
	if commands != 7 {
		t.Errorf("README.md shows %d requests, want 7", commands)
	}
}
