package socks

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/skycoin/viscript/node/identity"
)

// maxCredentialsFile bounds what is read of a credentials file: two fields of 255 bytes,
// a colon and a line end, with room to spare.
const maxCredentialsFile = 1 << 10

// Credentials is the one user and password that a client accepts (RFC 1929). Each has 1 to
// 255 bytes.
type Credentials struct {
	User     string
	Password string
}

// LoadCredentials reads a file that holds USER:PASSWORD in one line; the password may hold
// colons. The file must be a regular one of ours with mode 0600 or less.
func LoadCredentials(path string) (*Credentials, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socks: reading the credentials: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCredentialsFile))
	if err != nil {
		return nil, fmt.Errorf("socks: reading the credentials: %w", err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	user, password, _ := strings.Cut(line, ":")
	c := &Credentials{User: user, Password: password}
	if err := c.check(); err != nil || strings.ContainsAny(line, "\r\n") {
		return nil, fmt.Errorf("socks: %s must hold one line USER:PASSWORD, each of 1 to 255 bytes", path)
	}
	return c, nil
}

func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("socks: reading the credentials: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("socks: %s is not a regular file", f.Name())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("socks: %s has mode %04o, others may read the password: chmod 600 it", f.Name(), info.Mode().Perm())
	}
	if uid, ok := identity.Owner(info); ok && uid != os.Geteuid() {
		return fmt.Errorf("socks: %s belongs to uid %d, we are uid %d", f.Name(), uid, os.Geteuid())
	}
	return nil
}

// check tells whether RFC 1929 can carry the credentials.
func (c *Credentials) check() error {
	if len(c.User) < 1 || len(c.User) > 255 || len(c.Password) < 1 || len(c.Password) > 255 {
		return errors.New("socks: user and password must have 1 to 255 bytes each")
	}
	return nil
}

// match compares in a time that does not depend on where the bytes differ.
func (c *Credentials) match(user, password []byte) bool {
	wantUser, gotUser := sha256.Sum256([]byte(c.User)), sha256.Sum256(user)
	wantPassword, gotPassword := sha256.Sum256([]byte(c.Password)), sha256.Sum256(password)
	same := subtle.ConstantTimeCompare(wantUser[:], gotUser[:])
	return same&subtle.ConstantTimeCompare(wantPassword[:], gotPassword[:]) == 1
}
