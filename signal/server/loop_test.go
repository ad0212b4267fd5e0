//go:build linux

package server

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// TestCrashLoopUnderLoad has an app crash at once, again and again, while others use every core: the
// pauses double all the same, and the breaker opens at its count, not later.
func TestCrashLoopUnderLoad(t *testing.T) {
	const least, starts = 200 * time.Millisecond, 5
	s := serve(t, nil)
	for range 2 * runtime.NumCPU() {
		launch(t, s, shell("while :; do :; done"))
	}
	file := filepath.Join(t.TempDir(), "starts")
	r := shell(`date +%s.%N >> "$0"; exit 3`, file)
	r.Policy = sig.Policy{
		Restart: sig.RestartAlways,
		Backoff: sig.Backoff{Min: sig.Duration(least), Max: sig.Duration(time.Minute)},
		Breaker: sig.Breaker{Starts: starts, Window: sig.Duration(time.Minute)},
	}
	v := launch(t, s, r)
	v = awaitState(t, s, v.ID, sig.Failed)
	if v.Restarts != starts-1 || !strings.Contains(v.Reason, "5 starts within 1m0s: it is not started again") {
		t.Errorf("%+v", v)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var last float64
	for i, word := range strings.Fields(string(text)) {
		at, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		// A pause is a fifth shorter at most; how long the start takes is up to the load.
		if pause := (least << max(0, i-1)).Seconds(); i > 0 && (at-last < 0.79*pause || at-last > 1.2*pause+slack.Seconds()) {
			t.Errorf("start %d came %.3f s after the one before, want %.1f s give or take a fifth", i+1, at-last, pause)
		} else if i > 0 {
			t.Logf("start %d came %.3f s after the one before; the pause is of %.1f s", i+1, at-last, pause)
		}
		last = at
	}
	if n := len(strings.Fields(string(text))); n != starts {
		t.Errorf("%d starts, want %d", n, starts)
	}
}
