package main

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// monitorSlack is by how much a sleep may be longer than it was asked for, in nanoseconds (PR_SET_TIMERSLACK; Linux gives 50 µs). The
// timers of Go programs are exact to a millisecond anyway.
const monitorSlack = 1_000_000

// calmMonitor has the Go runtime's monitor thread rest longer. In a process that wakes for short steps, hundreds of times a second,
// each system call after a moment of rest wakes that thread too, which then looks every 20 µs whether some call takes long: that
// was a third of all switches between threads, and a quarter of the processor time of a new stream. The slack of a thread is set by itself or
// inherited from the one that made it, and the monitor is made before any code of ours: so this process sets its own and becomes the
// same executable again, with its pid, arguments and descriptors. What is slower: a processor whose call blocks is given to
// others after one or two milliseconds, where it was a tenth of one. Where something fails, all stays as it was.
func calmMonitor() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack >= monitorSlack {
		return
	}
	exe, err := os.Executable()
	if err != nil || !isRunning(exe) || setSlack(monitorSlack) != nil {
		return
	}
	_ = syscall.Exec(exe, os.Args, os.Environ()) // does not come back
	_ = setSlack(slack)
}

// isRunning reports whether exe is what runs here, and was not replaced on the disk meanwhile.
func isRunning(exe string) bool {
	running, err := os.Stat("/proc/self/exe")
	if err != nil {
		return false
	}
	there, err := os.Stat(exe)
	return err == nil && os.SameFile(running, there)
}

func setSlack(ns int) error { return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ns), 0, 0, 0) }
