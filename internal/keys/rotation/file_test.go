package rotation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
)

func keyFile(t *testing.T) (string, Vault) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := keys.NewFile(path); err != nil {
		t.Fatal(err)
	}
	return path, NewFileVault(path)
}

func TestFileVault(t *testing.T) {
	path, v := keyFile(t)
	written := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
	seed, err := keys.DemoSeed(path)
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, v)
	if since := d.Active().Since; !since.Equal(written) {
		t.Errorf("active since %v, want the file's time %v", since, written)
	}

	// A link is read, and not replaced by a file.
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	linked := NewFileVault(link)
	if _, err := linked.Write(t.Context(), raised(t, read(t, linked))); err == nil {
		t.Error("a link was written")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced, %v", err)
	}

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), raised(t, d)); err != nil {
		t.Fatal(err)
	}
	if after, err := keys.DemoSeed(path); err != nil || after.Len() == 0 || !after.Equal(seed) {
		t.Errorf("the seed of the demo is another, or gone, %v", err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := v.Write(t.Context(), raised(t, d)); !errors.Is(err, oauth.ErrConflict) {
		t.Errorf("the file changed since: %v, want ErrConflict", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".fob-keys-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := keys.MintFromFile(path)(t.Context()); err != nil {
		t.Errorf("instances: %v", err)
	}

	if _, err := NewFileVault(filepath.Join(t.TempDir(), "none")).Read(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
