//go:build linux

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names in the state folder.
const (
	lockName   = "daemon.lock"
	socketName = "signal.sock"
	idsName    = "ids"
	runName    = "run"
	logsName   = "logs"
	eventsName = "events.jsonl"
	oldEvents  = "events.old.jsonl"
)

// ErrLocked is in the chain of New's error when another daemon uses the state folder.
var ErrLocked = errors.New("state folder in use")

// openFolder makes the state folder and takes its lock, or takes over the one inherited. The
// lock goes with the process: one that was killed leaves none behind.
func openFolder(dir string, inherited *os.File) (lock *os.File, err error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("state folder %s: %w (choose another with --state)", dir, err)
	}
	return takeLock(dir, inherited)
}

func makeFolder(dir string) error {
	if !filepath.IsAbs(dir) {
		return errors.New("the path must be absolute")
	}
	for _, d := range []string{dir, filepath.Join(dir, runName), filepath.Join(dir, logsName)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return plain(err)
		}
		if err := checkFolder(d); err != nil {
			return err
		}
	}
	return nil
}

// checkFolder refuses a folder in which others could put files of theirs. That others may
// look into an older one does no harm: what is secret in it has mode 0600.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return plain(err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(dir); err != nil {
			return plain(err)
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to user %d", filepath.Base(dir), st.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s may be written by other users (mode %04o): chmod 700", filepath.Base(dir), info.Mode().Perm())
	}
	return nil
}

func takeLock(dir string, inherited *os.File) (f *os.File, err error) {
	path := filepath.Join(dir, lockName)
	if inherited != nil && isFile(inherited, path) {
		f, err = duplicate(inherited)
	} else {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("state folder %s: %w (choose another with --state)", dir, plain(err))
	}
	if holder, err := flock(f); err != nil {
		f.Close()
		if err == syscall.EWOULDBLOCK {
			return nil, fmt.Errorf("%w: another daemon (pid %s) uses %s: choose another folder with --state", ErrLocked, holder, dir)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return f, nil
}

// parting is how long the lock of a daemon that is gone may still be held: one that was killed while
// it started a process has left a copy of the lock to that, which closes it when its program begins.
const parting = 5 * time.Second

// flock takes the lock at once; where its holder is gone, within parting. With
// EWOULDBLOCK it returns the holder's pid, as written in the file.
func flock(f *os.File) (holder string, err error) {
	const looks = 500 // counted, not timed: a machine that stood still has not looked
	for look := 0; ; time.Sleep(parting / looks) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == syscall.EINTR {
			continue
		}
		if err != syscall.EWOULDBLOCK {
			return "", err
		}
		text := make([]byte, 32)
		n, _ := f.ReadAt(text, 0)
		holder = strings.TrimSpace(string(text[:n]))
		pid, bad := strconv.Atoi(holder)
		if look++; bad != nil || pid <= 0 || syscall.Kill(pid, 0) != syscall.ESRCH || look > looks {
			return holder, err
		}
	}
}

// clearRun removes what a daemon that was killed left in run: its half-made socket, and tokens
// that no process has a use for.
func clearRun(dir string, alive func(id uint64) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, isToken := strings.CutSuffix(e.Name(), ".token")
		id, bad := strconv.ParseUint(number, 10, 64)
		if isToken && (bad != nil || !alive(id)) || e.Name() == socketName {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// listenUnix opens the socket under a name in the run folder, gives it its mode and moves
// it into place, over what a killed daemon left there: at no moment can another user
// connect. The caller holds the lock. Paths longer than a socket address go by way of
// the open folder.
func listenUnix(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, socketName)
	run, err := os.Open(filepath.Join(dir, runName))
	if err != nil {
		return nil, fmt.Errorf("opening socket %s: %w", path, err)
	}
	defer run.Close()
	short := fmt.Sprintf("/proc/self/fd/%d/%s", run.Fd(), socketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(short, 0o600)
	if err == nil {
		err = os.Rename(short, path)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("opening socket %s: %w", path, err)
	}
	return l, nil
}

// listenTCP opens addr, which must be a loopback address.
func listenTCP(addr string) (*net.TCPListener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("signal address %q: want HOST:PORT on a loopback address (--signal)", addr)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("signal address %s: only a loopback address such as 127.0.0.1:7999 is allowed (--signal)", addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("signal address %s: port must be 0 to 65535 (--signal)", addr)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: int(n)})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("signal address %s: %w, perhaps by another daemon: choose another with --signal", addr, syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, fmt.Errorf("signal address %s: %w (--signal)", addr, err)
	}
	return l, nil
}

// plain leaves the system's word of an error whose file the caller names.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
