package secure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Limits of the file of pins.
const (
	maxPinName = 300
	maxPins    = 10_000
	maxPinFile = maxPins * (maxPinName + 2*identity.PubKeyLen + 2)
)

const pinsHeader = `# Keys seen at first contact: ADDRESS or NAME, then its key.
# Delete a line to accept whatever key is offered next time.
`

// Pins remembers which key an address or a name had at first contact, in a text file
// (mode 0600) with one "NAME KEY" per line. A person may edit the file while we run: it is
// read again when it changed. One process writes to one file. Safe for concurrent use.
type Pins struct {
	path string

	mu   sync.Mutex // guards the following and the file, and is held while that small local file is read or written
	keys map[string]identity.PubKey
	seen fs.FileInfo // of the file that keys came from; nil: there was none, or its time may yet be that of another change
}

// settled is how long a file has to lie unchanged before its time tells it from its next state: clocks of file systems tick
// coarsely, those of FAT every two seconds.
const settled = 2 * time.Second

// PinChanged is the refusal of a key that is not the pinned one.
type PinChanged struct {
	Name            string // "HOST:PORT", or a name
	Pinned, Offered identity.PubKey
	File            string
}

// Error says what happened and how to accept the new key.
func (e *PinChanged) Error() string {
	text := fmt.Sprintf("%[1]s answers with key %[2]s, but %[3]s is pinned for it: either it was given a new key, or somebody else "+
		"answers in its place; to accept the new key delete the line of %[1]s in %[4]s", e.Name, e.Offered, e.Pinned, e.File)
	if _, err := ParsePeer(e.Name); err == nil {
		text += fmt.Sprintf(", or give %s@%s", e.Offered, e.Name)
	}
	return text
}

// OpenPins reads the pins in file path, which need not exist; it is written at the first pin.
func OpenPins(path string) (*Pins, error) {
	p := &Pins{path: path}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refreshLocked(); err != nil {
		return nil, err
	}
	return p, nil
}

// Lookup returns the key pinned for name. While the file is damaged, what it said before counts.
func (p *Pins) Lookup(name string) (identity.PubKey, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.refreshLocked() // Pin and DialService report it
	k, ok := p.keys[name]
	return k, ok
}

// lookup is Lookup for callers that would trust a stranger where there is no pin: a file
// that cannot be read is an error.
func (p *Pins) lookup(name string) (identity.PubKey, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refreshLocked(); err != nil {
		return identity.PubKey{}, false, err
	}
	k, ok := p.keys[name]
	return k, ok, nil
}

// Pin keeps k as the key of name: 1 to 300 bytes of printable ASCII without spaces, not
// beginning with '#'. Pinning the same key again does nothing; another key is refused with
// a *PinChanged. On return the pin is in the file.
func (p *Pins) Pin(name string, k identity.PubKey) error {
	if !isPinName(name) {
		return fmt.Errorf("secure: %.100q cannot be pinned: want up to %d printable characters without spaces", name, maxPinName)
	}
	if _, err := identity.ParsePubKey(k[:]); err != nil {
		return fmt.Errorf("pinning %s: %w", name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refreshLocked(); err != nil {
		return err
	}
	if old, ok := p.keys[name]; ok {
		if old == k {
			return nil
		}
		return &PinChanged{Name: name, Pinned: old, Offered: k, File: p.path}
	}
	if len(p.keys) >= maxPins {
		return fmt.Errorf("pinning %s: %s holds %d pins already", name, p.path, maxPins)
	}
	p.keys[name] = k
	if err := p.writeLocked(); err != nil {
		delete(p.keys, name)
		return fmt.Errorf("pinning %s: %w", name, err)
	}
	return nil
}

func isPinName(s string) bool {
	if s == "" || len(s) > maxPinName || s[0] == '#' {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// refreshLocked reads the file if it is not the one that was read or written last.
func (p *Pins) refreshLocked() error {
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		p.keys, p.seen = make(map[string]identity.PubKey), nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the pinned keys: %w", err)
	}
	if p.seen != nil && sameFile(p.seen, info) {
		return nil
	}
	keys, info, err := readPins(p.path)
	if err != nil {
		return fmt.Errorf("reading the pinned keys: %w", err)
	}
	p.keys, p.seen = keys, nil
	if time.Since(info.ModTime()) > settled {
		p.seen = info
	}
	return nil
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func readPins(path string) (map[string]identity.PubKey, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if err := checkPinsFile(path, info); err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPinFile+1))
	if err != nil {
		return nil, nil, err
	}
	keys, err := parsePins(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, info, nil
}

// checkPinsFile refuses a file that somebody else could have written.
func checkPinsFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s has mode %04o, others may write to it: chmod 600 it", path, info.Mode().Perm())
	}
	if uid, ok := identity.Owner(info); ok && uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d, we are uid %d", path, uid, os.Geteuid())
	}
	return nil
}

func parsePins(text []byte) (map[string]identity.PubKey, error) {
	if len(text) > maxPinFile {
		return nil, fmt.Errorf("larger than %d bytes", maxPinFile)
	}
	keys := make(map[string]identity.PubKey)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, digits, _ := strings.Cut(line, " ")
		key, err := identity.ParseHex(strings.TrimSpace(digits))
		if err != nil || !isPinName(name) {
			return nil, fmt.Errorf("line %d: want NAME KEY", n)
		}
		if _, twice := keys[name]; twice {
			return nil, fmt.Errorf("line %d: a second key for %s", n, name)
		}
		keys[name] = key
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return keys, nil
}

func appendPins(dst []byte, keys map[string]identity.PubKey) []byte {
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, pinsHeader...)
	for _, name := range names {
		dst = append(dst, name...)
		dst = append(dst, ' ')
		dst = append(dst, keys[name].String()...)
		dst = append(dst, '\n')
	}
	return dst
}

// writeLocked replaces the file, complete or not at all.
func (p *Pins) writeLocked() error {
	dir := filepath.Dir(p.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".pins-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(appendPins(nil, p.keys))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), p.path)
	}
	p.seen = nil
	return err
}
