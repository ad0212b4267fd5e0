package socks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/skycoin/viscript/node/identity"
)

// Limits of an access file, in bytes and entries.
const (
	maxAccessFile    = 1 << 20
	maxAccessEntries = 10_000
)

// minRate is the slowest rate that can be given, in bytes per second: below it programs time out.
const minRate = 8 << 10

// Allowance is what one user of a client, or one node at an exit, may use.
type Allowance struct {
	Rate  int64 // bytes per second, each way for itself; 0: the default of the client or server
	Conns int   // at a time; 0: the default
}

// or fills what is not given from def.
func (a Allowance) or(def Allowance) Allowance {
	if a.Rate == 0 {
		a.Rate = def.Rate
	}
	if a.Conns == 0 {
		a.Conns = def.Conns
	}
	return a
}

// ParseRate reads bytes per second: a number, with KB, MB, GB (powers of 1000) or KiB, MiB, GiB behind it, and "/s" if you like.
func ParseRate(s string) (int64, error) {
	text := strings.TrimSuffix(s, "/s")
	unit := int64(1)
	for _, u := range []struct {
		name string
		is   int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}} {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = rest, u.is
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n*unit < minRate {
		return 0, fmt.Errorf("socks: rate %.40q: want bytes per second such as 500KB or 2MiB, %d at least", s, minRate)
	}
	return n * unit, nil
}

// accessEntry is one entry of an access file.
type accessEntry struct {
	line int
	text string
	Allowance
}

// parseAccess reads the lines of an access file: entries at the beginning of a line, and indented below an entry what it may use:
//
//	anna:secret
//	  rate 2MiB
//	  connections 64
//
// Empty lines, and lines that begin with #, say nothing.
func parseAccess(text string) ([]accessEntry, error) {
	var all []accessEntry
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case strings.TrimSpace(line) == "", line[0] == '#':
		case line[0] != ' ' && line[0] != '\t':
			if len(all) == maxAccessEntries {
				return nil, fmt.Errorf("line %d: more than %d entries", i+1, maxAccessEntries)
			}
			all = append(all, accessEntry{line: i + 1, text: line})
		case len(all) == 0:
			return nil, fmt.Errorf("line %d: is indented, but there is no entry above it", i+1)
		default:
			if err := all[len(all)-1].option(strings.Fields(line)); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
	}
	return all, nil
}

// option reads an indented line.
func (e *accessEntry) option(words []string) (err error) {
	switch {
	case len(words) == 2 && words[0] == "rate":
		e.Rate, err = ParseRate(words[1])
	case len(words) == 2 && words[0] == "connections":
		if e.Conns, err = strconv.Atoi(words[1]); err != nil || e.Conns < 1 {
			err = errors.New("connections: want a number of at least 1")
		}
	default:
		err = errors.New(`want "rate BYTES_PER_SECOND" or "connections NUMBER"`)
	}
	return err
}

// readPrivate reads a file that must be a regular one of ours with mode 0600 or less.
func readPrivate(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("socks: reading the access list: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxAccessFile+1))
	if err != nil {
		return "", fmt.Errorf("socks: reading the access list: %w", err)
	}
	if len(text) > maxAccessFile {
		return "", fmt.Errorf("socks: %s has more than %d bytes", path, maxAccessFile)
	}
	return string(text), nil
}

func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("socks: reading the access list: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("socks: %s is not a regular file", f.Name())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("socks: %s has mode %04o, others may read it: chmod 600 it", f.Name(), info.Mode().Perm())
	}
	if uid, ok := identity.Owner(info); ok && uid != os.Geteuid() {
		return fmt.Errorf("socks: %s belongs to uid %d, we are uid %d", f.Name(), uid, os.Geteuid())
	}
	return nil
}

// LoadKeys reads an access file of an exit: an entry is the key of a node, in hex.
func LoadKeys(path string) (map[identity.PubKey]Allowance, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	entries, err := parseAccess(text)
	if err != nil {
		return nil, fmt.Errorf("socks: %s: %w", path, err)
	}
	keys := map[identity.PubKey]Allowance{}
	for _, e := range entries {
		key, err := identity.ParseHex(strings.TrimSpace(e.text))
		if err != nil {
			return nil, fmt.Errorf("socks: %s: line %d: want the key of a node, 66 hex digits: %w", path, e.line, err)
		}
		if _, twice := keys[key]; twice {
			return nil, fmt.Errorf("socks: %s: line %d: the key %s is there twice", path, e.line, key.Short())
		}
		keys[key] = e.Allowance
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("socks: %s names no key", path)
	}
	return keys, nil
}
