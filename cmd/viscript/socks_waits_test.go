package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/apps/socks"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

func TestWaitsSayWhatTakesLong(t *testing.T) {
	var s waits
	t0 := time.Now()
	after := func(d time.Duration) string { return s.text(t0.Add(d)) }
	if got := after(0); got != "" {
		t.Errorf("nothing under way: %q", got)
	}
	w := s.begin("exit", t0)
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{0, ""}, {900 * time.Millisecond, ""}, {time.Second, "waiting for exit (1 s)"}, {3 * time.Second, "waiting for exit (2 s)"}, {9 * time.Second, "waiting for exit (8 s)"}} {
		if got := after(tt.after); got != tt.want {
			t.Errorf("after %s: %q, want %q", tt.after, got, tt.want)
		}
	}
	s.tried(w, fmt.Errorf("dialing: %w", &app.Refused{Code: wire.CodeNoRoute, Text: "nowhere"}))
	if got := after(2 * time.Second); got != "finding a route to exit (2 s): dialing: no route: nowhere" {
		t.Errorf("%q", got)
	}
	other := s.begin("exit", t0.Add(time.Second))
	s.tried(other, &app.Refused{Code: wire.CodeRefused}) // by the target: the exit is there
	if got := after(5 * time.Second); got != "" {
		t.Errorf("a slow target of an exit that answers: %q", got)
	}
	third := s.begin("node2.mesh", t0)
	s.tried(w, nil)
	if got := after(5 * time.Second); got != "waiting for node2.mesh (4 s)" {
		t.Errorf("another place: %q", got)
	}
	for _, w := range []*wait{w, other, third} {
		s.end(w)
	}
	if len(s.all) != 0 {
		t.Errorf("%d are left", len(s.all))
	}
}

func TestWaitsAreBounded(t *testing.T) {
	var s waits
	for range 2 * maxWaits {
		s.begin("exit", time.Now())
	}
	if len(s.all) != maxWaits {
		t.Errorf("%d are watched", len(s.all))
	}
}

func TestGivingUpIsLoggedWithItsCode(t *testing.T) {
	var s waits
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	w := s.begin("exit", time.Now())
	logged := func(ctx context.Context, err error) string {
		out.Reset()
		s.gaveUp(ctx, log, w, err)
		return out.String()
	}
	ctx, cancel := context.WithCancel(t.Context())
	for _, err := range []error{&app.Refused{Code: wire.CodeDenied}, &socks.Error{Reason: socks.NoSuchName}} {
		if got := logged(ctx, err); got != "" {
			t.Errorf("%v is logged: %s", err, got)
		}
	}
	noRoute := &app.Refused{Code: wire.CodeNoRoute, Text: "nowhere"}
	if got := logged(ctx, noRoute); !strings.Contains(got, `code="no route (7)"`) || !strings.Contains(got, "nowhere") {
		t.Errorf("it says %q", got)
	}
	if got := logged(ctx, noRoute); got != "" {
		t.Errorf("again: %s", got)
	}
	s.saidAt = s.saidAt.Add(-2 * anyAgain)
	if got := logged(ctx, noRoute); got != "" {
		t.Errorf("the same again: %s", got)
	}
	if got := logged(ctx, context.DeadlineExceeded); !strings.Contains(got, "timed out (4)") {
		t.Errorf("late: %q", got)
	}
	s.saidAt = time.Time{}
	if got := logged(ctx, errors.New("the node is away")); !strings.Contains(got, "internal error (10)") {
		t.Errorf("our node: %q", got)
	}
	cancel()
	if s.saidAt = (time.Time{}); logged(ctx, noRoute) != "" {
		t.Error("a program that left is no news")
	}
}
