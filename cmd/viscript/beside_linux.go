package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/viscript/gl"
)

const (
	// idNote is type and name of the ELF note that holds the id which the go command gives a
	// program by its contents and sources; the linker puts it near the beginning. `make build`
	// gives programs that belong to the executable, and lie beside it, the executable's.
	idNote  = "\x04\x00\x00\x00Go\x00\x00"
	idReach = 64 << 10 // bytes
	maxID   = 1 << 10  // bytes

	besideFD = 64 // above the descriptors that a keeper is started with

	// windowName is this program built with the window (package gl), where this executable is not.
	windowName = "viscript-window"
)

// windowProgram is the path of the program with the window, beside this executable and of the same build.
func windowProgram() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(own), windowName)
	if path == own {
		return "", fmt.Errorf("%s: built without the window too", path)
	}
	fd, err := openBeside(path, "/proc/self/exe")
	if err != nil {
		return "", err
	}
	return path, syscall.Close(fd)
}

// hasWindow tells whether there is a program to open a window with; it may turn out not to be one for this executable.
func hasWindow() bool {
	if gl.Built {
		return true
	}
	_, err := windowProgram()
	return !errors.Is(err, fs.ErrNotExist)
}

// becomeWindow replaces this process, which is to be a window, by the program that can be one. It returns only what is in the way.
func becomeWindow() error {
	path, err := windowProgram()
	if err != nil {
		return noWindow(err)
	}
	return fmt.Errorf("gui: starting %s: %w", path, syscall.Exec(path, append([]string{"viscript"}, os.Args[1:]...), os.Environ()))
}

// openBeside opens a program that only its owner, root or we, can have written, and that
// carries the build id of the executable own. The descriptor is closed on exec(2).
func openBeside(path, own string) (int, error) {
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
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, besideFD)
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
