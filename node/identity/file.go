package identity

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// FileName is the name of the key file inside a role's state folder.
const FileName = "identity.key"

// maxKeyFile bounds what is read from a key file: 64 digits, a newline and what an editor may add.
const maxKeyFile = 1 << 10

// LoadOrCreate returns the key kept in file path, making the file (mode 0600) and its
// folders (0700) with a new key when it is not there. Two processes that create the
// same file at once end up with the same key.
func LoadOrCreate(path string) (*Key, error) {
	k, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("identity: making the folder of %s: %w", path, err)
	}
	k, err = Generate()
	if err != nil {
		return nil, err
	}
	err = k.Save(path)
	if errors.Is(err, fs.ErrExist) {
		return Load(path)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Save writes the key to a new file, mode 0600, complete or not at all. An existing
// file is never overwritten: the error then wraps fs.ErrExist.
func (k *Key) Save(path string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".identity-*")
	if err != nil {
		return fmt.Errorf("identity: writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	sec := k.sec.Serialize()
	_, err = fmt.Fprintf(tmp, "%s\n", hex.EncodeToString(sec))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("identity: writing %s: %w", path, err)
	}
	return nil
}

// Load reads a key file. A file that others may read or that another user owns is
// refused, and so is anything that is not a regular file.
func Load(path string) (*Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("identity: reading the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("identity: reading the key: %w", err)
	}
	if err := checkOwner(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("identity: reading %s: %w", path, err)
	}
	sec, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%w, in %s", ErrSecKey, path)
	}
	k, err := FromSecret(sec)
	if err != nil {
		return nil, fmt.Errorf("%w, in %s", err, path)
	}
	return k, nil
}

func checkOwner(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("identity: %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("identity: %s has mode %04o, others may read the key: chmod 600 it", path, info.Mode().Perm())
	}
	if uid, ok := Owner(info); ok && uid != os.Geteuid() {
		return fmt.Errorf("identity: %s belongs to uid %d, we are uid %d", path, uid, os.Geteuid())
	}
	return nil
}
