//go:build linux

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Account is the user a program is started as.
type Account struct {
	Credential *syscall.Credential // for SysProcAttr; nil: our own user, nothing to change
	Name, Home string              // for USER, LOGNAME and HOME; empty: the user has no entry
}

// LookupAccount finds NAME, UID, NAME:GROUP or UID:GID; "" is our own user. Only root may
// start programs as another. A number without an entry of its own needs a group.
func LookupAccount(text string) (Account, error) {
	if text == "" {
		return Account{}, nil
	}
	name, group, hasGroup := strings.Cut(text, ":")
	a, uid, gid, groups, err := findUser(name, hasGroup)
	if err == nil && hasGroup {
		gid, err = findGroup(group)
	}
	if err != nil {
		return Account{}, fmt.Errorf("process: user %q: %w", text, err)
	}
	if own := os.Geteuid(); own != 0 {
		if int(uid) == own && int(gid) == os.Getegid() {
			return a, nil
		}
		return Account{}, fmt.Errorf("process: user %q: only a daemon that runs as root may start programs as another user", text)
	}
	a.Credential = &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}
	return a, nil
}

func findUser(name string, hasGroup bool) (a Account, uid, gid uint32, groups []uint32, err error) {
	u, err := user.Lookup(name)
	if n, bad := parseID(name); bad == nil {
		if u, err = user.LookupId(name); err != nil {
			if !hasGroup {
				return a, 0, 0, nil, errors.New("a number without an entry needs a group, UID:GID")
			}
			return a, n, 0, []uint32{}, nil
		}
	}
	if err != nil {
		return a, 0, 0, nil, errors.New("there is no such user")
	}
	if uid, err = parseID(u.Uid); err == nil {
		gid, err = parseID(u.Gid)
	}
	ids, bad := u.GroupIds()
	for _, id := range ids {
		if n, err := parseID(id); err == nil {
			groups = append(groups, n)
		}
	}
	return Account{Name: u.Username, Home: u.HomeDir}, uid, gid, groups, errors.Join(err, bad)
}

func findGroup(name string) (uint32, error) {
	if n, err := parseID(name); err == nil {
		return n, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, errors.New("there is no such group")
	}
	return parseID(g.Gid)
}

// parseID reads a user or group number; the highest one means "unchanged" to the kernel.
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is no number of a user or group", s)
	}
	return uint32(n), nil
}

// ParseSignal reads the name of a signal, TERM or SIGTERM. "" is SIGTERM.
func ParseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	long := name
	if !strings.HasPrefix(name, "SIG") {
		long = "SIG" + name
	}
	if n := unix.SignalNum(long); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("process: %.40q is no signal; allowed: TERM, INT, HUP, QUIT, USR1, USR2, KILL and the others of kill -l", name)
}

// readAtMost reads limit bytes at most.
func readAtMost(r io.Reader, limit int64) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit))
	return string(text), err
}
