package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetStartup unmaps the pages of our own executable, most of which are there because of what ran once (tables, the initialization
// of packages, flags); those in use come back from the page cache at the next touch. What could be written, or was, stays.
// Errors are of no consequence: more stays.
func forgetStartup() {
	exe, err := os.Executable()
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	var from, to uintptr
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			if from, to = 0, 0; len(fields) == 6 && fields[5] == exe && strings.HasPrefix(fields[1], "r-") {
				from, to = addresses(fields[0])
			}
		case len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" && from < to:
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}

// addresses parses FROM-TO of /proc/self/smaps; 0, 0 if it is something else.
func addresses(s string) (from, to uintptr) {
	a, b, _ := strings.Cut(s, "-")
	x, errX := strconv.ParseUint(a, 16, strconv.IntSize)
	y, errY := strconv.ParseUint(b, 16, strconv.IntSize)
	if errX != nil || errY != nil {
		return 0, 0
	}
	return uintptr(x), uintptr(y)
}
