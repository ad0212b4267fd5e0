//go:build linux || darwin

package command

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

const (
	// filesPerApp is what an app costs the daemon: a connection, its keeper's, a pidfd, a log that is read.
	filesPerApp = 8
	fewestFiles = 1024
	// fewestBytes and fewestShare are the free space below which output is soon lost.
	fewestBytes = 256 << 20
	fewestShare = 0.02
	fewestNodes = 1000
)

// owner is the user a file belongs to.
func owner(info fs.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// lockHeld says whether another process holds the lock of a keeper (flock(2)). It is held here
// for a moment, which a keeper that starts waits for.
func lockHeld(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK
}

// checkLimits compares the limits of this process with what its apps need.
func checkLimits(all []signal.App) []finding {
	running := 0
	for _, a := range all {
		if live(a) {
			running++
		}
	}
	limit := func(what int) uint64 {
		var l unix.Rlimit
		if unix.Getrlimit(what, &l) != nil {
			return math.MaxUint64
		}
		return l.Cur
	}
	return judgeLimits(running, limit(unix.RLIMIT_NOFILE), limit(unix.RLIMIT_NPROC))
}

// judgeLimits says whether so many files, and processes and threads, are enough for that many running apps.
func judgeLimits(running int, files, procs uint64) []finding {
	var found []finding
	if want := uint64(max(fewestFiles, running*filesPerApp*2)); files < want {
		found = append(found, bad(fmt.Sprintf("ulimit -n %d before the daemon starts, or LimitNOFILE=%d in its unit", want, want),
			"the daemon may open %d files; with %s it should be %d", files, Count(running, "app"), want))
	}
	if procs < uint64(running*4+200) {
		found = append(found, bad("ulimit -u, or LimitNPROC= and TasksMax= in its unit", "this user may have %d processes and threads, with %s running", procs, Count(running, "app")))
	}
	if len(found) == 0 {
		found = append(found, good("limits: %d open files", files))
	}
	return found
}

// checkDisk looks at the free space where logs and the store are.
func checkDisk(dir string) []finding {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return []finding{bad("see that the disk is there", "disk of %s: %v", dir, err)}
	}
	block := uint64(st.Bsize)
	free, all := uint64(st.Bavail)*block, uint64(st.Blocks)*block
	switch {
	case all > 0 && free < fewestBytes && float64(free) < float64(all)*fewestShare*10, all > 0 && float64(free) < float64(all)*fewestShare:
		return []finding{bad("make room, or move the state folder (--state): full disks lose the output of apps",
			"the disk of %s has %s free of %s", dir, size(free), size(all))}
	case st.Files > 0 && uint64(st.Ffree) < fewestNodes:
		return []finding{bad("remove files: full disks lose the output of apps", "the disk of %s has room for %d more files", dir, st.Ffree)}
	}
	return []finding{good("the disk has %s free", size(free))}
}
