package socks

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// User is one user that a client accepts (RFC 1929, or Basic of RFC 7617). Name and password have 1 to 255 bytes; a name
// without a colon.
type User struct {
	Name     string
	Password string
	Allowance
}

// LoadUsers reads an access file of a client: an entry is NAME:PASSWORD; the password may hold colons. The file must be a regular
// one of ours with mode 0600 or less.
func LoadUsers(path string) ([]User, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	entries, err := parseAccess(text)
	if err != nil {
		return nil, fmt.Errorf("socks: %s: %w", path, err)
	}
	var all []User
	for _, e := range entries {
		name, password, _ := strings.Cut(e.text, ":")
		u := User{name, password, e.Allowance}
		if u.check() != nil {
			return nil, fmt.Errorf("socks: %s: line %d: want USER:PASSWORD, each of 1 to 255 bytes", path, e.line)
		}
		all = append(all, u)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("socks: %s must hold lines USER:PASSWORD, each of 1 to 255 bytes", path)
	}
	if _, err := newUsers(all); err != nil {
		return nil, fmt.Errorf("socks: %s: %w", path, err)
	}
	return all, nil
}

// check tells whether RFC 1929 and RFC 7617 can carry the credentials.
func (u *User) check() error {
	if len(u.Name) < 1 || len(u.Name) > 255 || len(u.Password) < 1 || len(u.Password) > 255 || strings.Contains(u.Name, ":") {
		return errors.New("socks: user and password must have 1 to 255 bytes each")
	}
	return nil
}

// users are the users of a client by the hash of their names, so that finding one tells nothing of the others by its time.
type users map[[sha256.Size]byte]*User

func newUsers(list []User) (users, error) {
	all := users{}
	for i := range list {
		u := &list[i]
		if err := u.check(); err != nil {
			return nil, err
		}
		h := sha256.Sum256([]byte(u.Name))
		if all[h] != nil {
			return nil, fmt.Errorf("socks: the user %q is there twice", u.Name)
		}
		all[h] = u
	}
	return all, nil
}

// find returns the user with that name and password, nil if there is none, in a time that does not depend on where the
// bytes differ.
func (all users) find(name, password []byte) *User {
	u := all[sha256.Sum256(name)]
	want := [sha256.Size]byte{}
	if u != nil {
		want = sha256.Sum256([]byte(u.Password))
	}
	got := sha256.Sum256(password)
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return nil
	}
	return u
}
