package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// pieceSize bounds, in bytes, what one fault maps of our executable. Kernels before 6.18 bound it to as much by themselves; newer ones
// map the whole folio of the page cache, up to 2 MiB, though most of that nobody looks at. Half as much saves 1 MB more and takes
// twice as many mappings, of 200 bytes each.
const pieceSize = 64 << 10

// span is memory from an address to another.
type span struct{ from, to uintptr }

// cutExecutable has this process hold only those parts of its executable that it uses: its read-only mappings become mappings of pieceSize,
// because every other piece is marked as not for huge pages (none is large enough for one), and what the initialization of packages
// touched is unmapped. What is touched again comes back from the page cache. It is for processes that stay; exec(2) ends it.
//
// forget unmaps again, when more has run that runs only once. Errors are of no consequence: more stays.
func cutExecutable() (forget func()) {
	spans := executable()
	for _, s := range spans {
		for at := s.from; at < s.to; at += 2 * pieceSize {
			advise(span{at, min(at+pieceSize, s.to)}, syscall.MADV_NOHUGEPAGE)
		}
	}
	forget = func() {
		for _, s := range spans {
			advise(s, syscall.MADV_DONTNEED)
		}
	}
	forget()
	return forget
}

func advise(s span, advice uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, s.from, s.to-s.from, advice)
}

// executable finds the mappings of our executable that nobody can have written to: read-only ones without a page of our own, which
// a debugger's breakpoints or relocations would be.
func executable() (spans []span) {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer f.Close()
	var s span
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Bytes()
		switch {
		case len(line) > 0 && (line[0] < 'A' || line[0] > 'Z'): // facts of a mapping begin with a capital letter
			s = span{}
			if fields := strings.Fields(string(line)); len(fields) == 6 && fields[5] == exe && strings.HasPrefix(fields[1], "r-") {
				s = addresses(fields[0])
			}
		case s.from < s.to && bytes.HasPrefix(line, []byte("Anonymous:")): // KiB
			if fields := bytes.Fields(line); len(fields) > 1 && string(fields[1]) == "0" {
				spans = add(spans, s)
			}
		}
	}
	return spans
}

// add appends s, or makes the last one longer, so that an executable that was cut is one span again.
func add(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].to == s.from {
		spans[n-1].to = s.to
		return spans
	}
	return append(spans, s)
}

// addresses parses FROM-TO of /proc/self/smaps; empty if it is something else.
func addresses(s string) span {
	a, b, _ := strings.Cut(s, "-")
	from, errA := strconv.ParseUint(a, 16, strconv.IntSize)
	to, errB := strconv.ParseUint(b, 16, strconv.IntSize)
	if errA != nil || errB != nil {
		return span{}
	}
	return span{uintptr(from), uintptr(to)}
}
