package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		s        string
		from, to uintptr
	}{{"00400000-009dd000", 0x400000, 0x9dd000}, {"4000-", 0, 0}, {"x-4000", 0, 0}, {"", 0, 0}} {
		if from, to := addresses(c.s); from != c.from || to != c.to {
			t.Errorf("%q: %x-%x", c.s, from, to)
		}
	}
}

// A program goes on after it has forgotten its startup, also twice, and while others run.
func TestForgetStartup(t *testing.T) {
	before := residentFile(t)
	for range 2 {
		forgetStartup()
	}
	if after := residentFile(t); after > before {
		t.Fatalf("%d KiB of files are resident, %d before", after, before)
	}
}

func residentFile(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "RssFile: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Skip("this kernel does not tell")
	return 0
}
