package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/text"
)

// readKeySet reads a JWK Set for the domain to judge. Without a file there is no set.
func (p *program) readKeySet(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("--keys-file: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, oauth.MaxInlineKeys+1)) // more is refused
	if err != nil {
		return "", fmt.Errorf("--keys-file: %w", err)
	}
	if content, err = text.UTF8(content); err != nil {
		return "", fmt.Errorf("--keys-file %s is %w", name, err)
	}
	set := strings.TrimSpace(string(content))
	if set == "" {
		return "", fmt.Errorf("--keys-file %s is empty", name)
	}
	return set, nil
}
