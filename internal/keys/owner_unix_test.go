//go:build unix

package keys

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// Whoever serves with a key file can read it still when it was turned, and a file
// that is read-only is not replaced.
func TestFileVaultKeepsTheOwner(t *testing.T) {
	path, v := keyFile(t)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65533
	} else {
		t.Log("LEFT OUT: only root can give a file to somebody else")
	}
	if err := errors.Join(os.Chown(path, uid, gid), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), raised(t, read(t, v))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm() != 0o640 || int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("it is %v of %d:%d, want 0640 of %d:%d", info.Mode(), owner.Uid, owner.Gid, uid, gid)
	}

	d := read(t, v)
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), raised(t, d)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a read-only file: %v", err)
	}
	if after := read(t, v); after.IssuerEpoch() != d.IssuerEpoch() {
		t.Error("a read-only file was replaced")
	}
}
