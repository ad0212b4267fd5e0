//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHalted halts an app (SIGSTOP). `ping` gives up after two seconds; meanwhile, as before and after
// it, whatever else is asked is answered, and `sd` ends the app.
func TestHalted(t *testing.T) {
	s := newSite(t, map[string]any{"apps": map[string]any{
		"speaker": speaking("speaker"), "other": speaking("speaker"),
	}})
	s.launch()
	s.ok("start", "other")
	halted := s.start("speaker")
	s.answers("other") // it may have to register first
	if err := syscall.Kill(halted.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		text string
		code int
		took time.Duration
	}
	pinged := make(chan answer, 1)
	began := time.Now()
	go func() {
		_, errs, code := s.exec("ping", fmt.Sprint(halted.ID))
		pinged <- answer{errs, code, time.Since(began)}
	}()
	asked := 0
	var got answer
	for waiting := true; waiting; {
		s.ok("la")
		s.answers("other")
		s.ok("ru", fmt.Sprint(halted.ID)) // without the app's own numbers, two seconds later
		asked++
		select {
		case got = <-pinged:
			waiting = false
		default:
		}
	}
	t.Logf("ping took %v, %d rounds of other commands meanwhile", got.took, asked)
	if got.code != exitFailed || !strings.Contains(got.text, "did not answer ping within 2s") {
		t.Errorf("ping: %d, %s", got.code, got.text)
	}
	if got.took < 2*time.Second { // and no end of it would be the end of this test
		t.Errorf("ping took %v", got.took)
	}
	if out := s.ok("sd", fmt.Sprint(halted.ID)); !strings.Contains(out, "SIGTERM") && !strings.Contains(out, "term") {
		t.Errorf("sd: %s", out)
	}
	s.stopAll()
	s.quit()
}

// answers waits until an app answers a ping. Each may take two seconds, which a loaded machine may need for others.
func (s *site) answers(name string) {
	s.t.Helper()
	s.settle(name+" answers", func() error {
		if _, errs, code := s.exec("ping", name); code != exitOK {
			return errors.New(errs)
		}
		return nil
	})
}

// ok runs a console command that must work.
func (s *site) ok(args ...string) string {
	s.t.Helper()
	out, errs, code := s.exec(args...)
	if code != exitOK {
		s.t.Fatalf("%q: %d\n%s%s", args, code, out, errs)
	}
	return out
}
