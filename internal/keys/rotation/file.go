package rotation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
)

// fileVault keeps the ring in a key file.
type fileVault struct{ path string }

// NewFileVault opens the ring in a file as [keys.NewFile] makes it. It is for a
// laptop: Write refuses a file that changed since it was read, but two writes within
// the same millisecond are not kept apart, and the file becomes the writer's, with
// mode 0600.
func NewFileVault(path string) Vault { return fileVault{path} }

func (v fileVault) Read(context.Context) (Document, error) {
	text, err := os.ReadFile(v.path)
	if err != nil {
		return Document{}, fmt.Errorf("read key file: %w", err)
	}
	info, err := os.Stat(v.path)
	if err != nil {
		return Document{}, fmt.Errorf("read key file: %w", err)
	}
	f, err := keys.ParseFile(v.path, text)
	if err != nil {
		return Document{}, err
	}
	d, err := parseDocument(f.Mint, f.Check, info.ModTime())
	if err != nil {
		return Document{}, fmt.Errorf("key file %s: %w", v.path, err)
	}
	d.from = text
	return d, nil
}

func (v fileVault) Write(ctx context.Context, d Document) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	from, ok := d.from.([]byte)
	if !ok {
		return Document{}, errors.New("write a key ring that was not read")
	}
	mint, check, err := d.texts()
	if err != nil {
		return Document{}, err
	}
	f, err := keys.ParseFile(v.path, from) // whose other members stay
	if err != nil {
		return Document{}, err
	}
	f.Mint, f.Check = mint, check
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return Document{}, err
	}
	// Renaming would replace a link by a file.
	if info, err := os.Lstat(v.path); err != nil || !info.Mode().IsRegular() {
		return Document{}, errors.Join(fmt.Errorf("write key file: %s is not a regular file", v.path), err)
	}
	there, err := os.ReadFile(v.path)
	if err != nil {
		return Document{}, fmt.Errorf("write key file: %w", err)
	}
	if !bytes.Equal(there, from) {
		return Document{}, fmt.Errorf("write key file: %w", oauth.ErrConflict)
	}
	temp, err := os.CreateTemp(filepath.Dir(v.path), ".fob-keys-*") // mode 0600
	if err != nil {
		return Document{}, fmt.Errorf("write key file: %w", err)
	}
	defer os.Remove(temp.Name()) // it is not there any more once it was renamed
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return Document{}, fmt.Errorf("write key file: %w", err)
	}
	if err := os.Rename(temp.Name(), v.path); err != nil {
		return Document{}, fmt.Errorf("write key file: %w", err)
	}
	d.newMint, d.from = false, text
	return d, nil
}
