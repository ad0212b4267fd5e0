//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal/process"
)

// keepName is what the daemon calls this executable with to be the keeper of one app. It is
// looked at before anything else, because a keeper starts with every app and has to be light:
// no flags are parsed and no command line is assembled for it. It is in no help.
const keepName = "keep"

// isKeeper tells whether argv is a keeper's.
func isKeeper(argv []string) bool { return len(argv) > 1 && argv[1] == keepName }

func keep() int { return process.Keep() }

const (
	slimName = "viscript-keep" // cmd/viscript-keep
	slimFD   = 64              // above the descriptors that a keeper is started with
	// idNote is type and name of the ELF note that holds the id which the go command gives a
	// program by its contents and sources; the linker puts it near the beginning. `make build`
	// gives the slim keeper that of the executable it was built with.
	idNote  = "\x04\x00\x00\x00Go\x00\x00"
	idReach = 64 << 10 // bytes
	maxID   = 1 << 10  // bytes
)

// keeperCommand is the command of keepers: the slim one beside this executable when it was built
// with it, as long as this process lives the very file that was checked; otherwise nil, which is
// this executable itself.
func keeperCommand() []string {
	own, err := os.Executable()
	if err != nil {
		return nil
	}
	fd, err := openSlim(filepath.Join(filepath.Dir(own), slimName), "/proc/self/exe")
	if err != nil {
		return nil
	}
	return []string{fmt.Sprintf("/proc/self/fd/%d", fd), keepName}
}

// openSlim opens a slim keeper that only its owner, root or we, can have written, and that
// carries the build id of the executable own. The descriptor is for the life of the process.
func openSlim(path, own string) (int, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return -1, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if mode := info.Mode(); !ok || !mode.IsRegular() || mode.Perm()&0o022 != 0 || mode&(os.ModeSetuid|os.ModeSetgid) != 0 ||
		st.Uid != 0 && int(st.Uid) != os.Geteuid() || unix.Access(path, unix.X_OK) != nil {
		return -1, fmt.Errorf("%s: mode %v, user %d", path, mode, st.Uid)
	}
	theirs, err := buildID(f)
	if err != nil {
		return -1, err
	}
	exe, err := os.Open(own)
	if err != nil {
		return -1, err
	}
	defer exe.Close()
	if ours, err := buildID(exe); err != nil || ours != theirs {
		return -1, fmt.Errorf("%s: of another build", path)
	}
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, slimFD)
}

// buildID is the length of the id, four bytes before its note's type, and the id after its name.
func buildID(f io.Reader) (string, error) {
	head, err := io.ReadAll(io.LimitReader(f, idReach))
	if err != nil {
		return "", err
	}
	at := bytes.Index(head, []byte(idNote))
	if at >= 4 && bytes.HasPrefix(head, []byte("\x7fELF")) {
		n := binary.LittleEndian.Uint32(head[at-4:])
		if id := head[at+len(idNote):]; n > 0 && n <= maxID && int(n) <= len(id) {
			return string(id[:n]), nil
		}
	}
	return "", errors.New("no build id")
}
