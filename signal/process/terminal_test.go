//go:build linux

package process

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// An app with a terminal outlives its keeper, and what it prints then is in its log.
func TestTerminalOutlivesKeeper(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		goFile := filepath.Join(t.TempDir(), "go")
		s := shell(t, `test -t 1 && echo terminal; while ! test -e "$0"; do sleep 0.05; done; echo after; sleep 60`)
		s.Args, s.Pty = append(s.Args, goFile), true
		p, err := Start(s)
		if err != nil {
			t.Fatal(err)
		}
		logged(t, s, "terminal\r")
		if adopted {
			p.Release()
			if p, err = Adopt(s.Run, s.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
		holds := func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.terminal != nil
		}
		for end := time.Now().Add(slack); !holds(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the terminal is not held")
			}
		}
		if err := syscall.Kill(p.Record().Keeper.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-p.KeeperLost()
		if err := os.WriteFile(goFile, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		logged(t, s, "after\r")
		if !running(p.Pid()) {
			t.Error("the app ended with its keeper")
		}
		if rep := stop(t, t.Context(), p, nil, Ladder{Kill: slack}); len(rep.Survivors) > 0 {
			t.Errorf("survivors %v", rep.Survivors)
		}
		p.Release()
	}
}

// Who only asks, of an app without terminal too, gets nothing and breaks nothing.
func TestNoTerminal(t *testing.T) {
	s := shell(t, "sleep 60")
	p := start(t, s)
	if f, err := askTerminal(t.Context(), p.at); err == nil {
		f.Close()
		t.Error("a terminal of an app that has none")
	}
}
