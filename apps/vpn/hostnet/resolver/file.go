// Package resolver has the host ask other name servers: by resolv.conf(5), and by systemd-resolved where that answers
// for the host.
package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/skycoin/viscript/node/mark"
)

// DefaultPath is where programs look.
const DefaultPath = "/etc/resolv.conf"

// maxServers is how many of them are read.
const maxServers = 3

// maxBytes bounds a resolv.conf that we take over; real ones have hundreds of bytes.
const maxBytes = 64 << 10

// Heading begins a resolv.conf of ours.
const Heading = "# Written by viscript for its VPN; what was here before comes back when that stops, or by: viscript vpn down\n"

// Change is a resolv.conf of ours in place of another.
type Change struct {
	Path   string `json:"path"`
	Ours   []byte `json:"ours"`
	Before []byte `json:"before,omitempty"` // content of the file that was there
	Link   string `json:"link,omitempty"`   // it was a symbolic link to this
	Absent bool   `json:"absent,omitempty"` // there was none
}

// String is the change in words.
func (c Change) String() string { return "resolvers in " + c.Path }

// Content is a resolv.conf that names servers, with the search domains and options of before, and for the mesh the
// servers of before.
func Content(servers []netip.Addr, before []byte) []byte {
	var b strings.Builder
	b.WriteString(Heading)
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	for line := range strings.Lines(string(before)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		word, _, _ = strings.Cut(word, "\t")
		if word == "search" || word == "domain" || word == "options" {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	for _, s := range Servers(before) {
		b.WriteString(mark.BeforePrefix + s.String() + "\n")
	}
	return []byte(b.String())
}

// Servers are the name servers that a resolv.conf names, as many as resolv.conf(5) reads.
func Servers(content []byte) (list []netip.Addr) {
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(list) == maxServers {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// Plan reads what is at path and says how servers would be set in its place. Nothing changes.
func Plan(path string, servers []netip.Addr) (Change, error) {
	c := Change{Path: path}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Absent = true
	case err != nil:
		return c, err
	case info.Mode()&fs.ModeSymlink != 0:
		if c.Link, err = os.Readlink(path); err != nil {
			return c, err
		}
	case !info.Mode().IsRegular():
		return c, fmt.Errorf("%s is neither a file nor a link to one", path)
	}
	before, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if c.Link == "" {
		c.Before = before
	}
	c.Ours = Content(servers, before)
	return c, nil
}

// Do puts ours in place. A file is written where it lies, so that it keeps owner, labels and mounts; a link, or
// nothing, is replaced by a file at once.
func (c Change) Do() error {
	now, err := state(c.Path)
	if err != nil {
		return err
	}
	switch {
	case now == nil || !now.file:
		err = replace(c.Path, c.create)
	case !bytes.Equal(now.content, c.Ours):
		err = overwrite(c.Path, c.Ours)
	}
	return c.explain(err)
}

// Present tells whether ours is in place.
func (c Change) Present() (bool, error) {
	now, err := state(c.Path)
	return err == nil && now != nil && now.file && bytes.Equal(now.content, c.Ours), err
}

// Undo puts back what was there. Where somebody else wrote meanwhile nothing is done, and left says so.
func (c Change) Undo() (left string, err error) {
	now, err := state(c.Path)
	if err != nil {
		return "", err
	}
	if now == nil || c.untouched(now) {
		if now == nil && !c.Absent {
			return c.Path + " was removed by somebody else", nil
		}
		return "", nil
	}
	if !now.file || !c.torn(now.content) {
		return c.Path + " was changed by somebody else", nil
	}
	switch {
	case c.Absent:
		err = os.Remove(c.Path)
	case c.Link != "":
		err = replace(c.Path, func(next string) error { return os.Symlink(c.Link, next) })
	default:
		err = overwrite(c.Path, c.Before)
	}
	return "", c.explain(err)
}

// untouched tells whether what was there before is there.
func (c Change) untouched(now *found) bool {
	if c.Link != "" {
		return now.link == c.Link
	}
	return !c.Absent && now.file && bytes.Equal(now.content, c.Before)
}

// torn tells whether content is ours, or what a write that was cut short leaves: a beginning of ours or of what comes
// back, or one with the end of the other.
func (c Change) torn(content []byte) bool {
	over := func(first, then []byte) []byte {
		if len(then) > len(first) {
			return then
		}
		return append(bytes.Clone(then), first[len(then):]...)
	}
	return bytes.HasPrefix(c.Ours, content) || bytes.HasPrefix(c.Before, content) ||
		bytes.Equal(content, over(c.Before, c.Ours)) || bytes.Equal(content, over(c.Ours, c.Before))
}

// create makes our file, for everybody to read.
func (c Change) create(path string) error {
	if err := os.WriteFile(path, c.Ours, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644) // whatever the umask says
}

// explain adds what to do about a file that cannot be written.
func (c Change) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: run as root, make %s writable (lsattr shows an i for a locked file), or leave the resolvers as they are", err, c.Path)
	}
	return err
}

// found is what lies at a path.
type found struct {
	file    bool
	link    string
	content []byte
}

// state looks; nil for nothing.
func state(path string) (*found, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(path)
		return &found{link: link}, err
	case !info.Mode().IsRegular():
		return &found{}, nil
	}
	content, err := read(path)
	return &found{file: true, content: content}, err
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(b) > maxBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxBytes)
	}
	return b, err
}

// overwrite changes the content of a file that stays the same file. Readers may see a part of it for a moment, but
// never an empty one.
func overwrite(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Truncate(int64(len(content)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// replace makes something beside path and puts it in its place.
func replace(path string, create func(next string) error) error {
	next := filepath.Join(filepath.Dir(path), ".resolv.conf.viscript")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := create(next); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		_ = os.Remove(next)
		return err
	}
	return nil
}

// Renew is c for other servers, when now is what Plan finds: ours is still in place, so what comes back in the end is
// what was before c. If somebody else wrote meanwhile it answers false: then that comes back.
func (c Change) Renew(servers []netip.Addr, now Change) (Change, bool) {
	if now.Absent || now.Link != "" || !c.torn(now.Before) {
		return c, false
	}
	before := c.Before
	if c.Link != "" {
		before, _ = read(resolve(c.Path, c.Link)) // its search domains, if it is still there
	}
	c.Ours = Content(servers, before)
	return c, true
}

// resolve is where a link at path leads.
func resolve(path, link string) string {
	if filepath.IsAbs(link) {
		return link
	}
	return filepath.Join(filepath.Dir(path), link)
}
