package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skycoin/viscript/apps/socks"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

const (
	waitShown  = time.Second      // a dial that takes longer is worth a word
	waitsEvery = time.Second / 2  // how often that is looked at
	sameAgain  = time.Minute      // until the same failure is logged again
	anyAgain   = 10 * time.Second // and another one
	maxWaits   = 4096             // dials that are watched; more are not
)

// waits are the dials of an entry under way, for people who wonder what it waits for.
type waits struct {
	mu     sync.Mutex // guards the following
	all    map[*wait]struct{}
	said   string // the failure last logged
	saidAt time.Time
}

// wait is one dial.
type wait struct {
	to    string // the exit, or the name on the mesh
	began time.Time
	why   error // why the last try failed; nil: it is under way
	heard bool  // somebody got through to the same place meanwhile: it is not the way that takes long
}

func (s *waits) begin(to string, now time.Time) *wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &wait{to: to, began: now}
	if s.all == nil {
		s.all = map[*wait]struct{}{}
	}
	if len(s.all) < maxWaits {
		s.all[w] = struct{}{}
	}
	return w
}

// tried notes how a try of w ended.
func (s *waits) tried(w *wait, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.why = err
	if !answered(err) {
		return
	}
	for other := range s.all {
		other.heard = other.heard || other.to == w.to
	}
}

func (s *waits) end(w *wait) {
	s.mu.Lock()
	delete(s.all, w)
	s.mu.Unlock()
}

// answered reports whether an outcome shows that there is a way to the far end.
func answered(err error) bool {
	var refused *app.Refused
	if err == nil || !errors.As(err, &refused) {
		return err == nil
	}
	switch refused.Code {
	case wire.CodeRefused, wire.CodeHostUnreachable, wire.CodeNetUnreachable, wire.CodeDenied, wire.CodeNoListener, wire.CodeBadRequest, wire.CodeCancelled:
		return true
	}
	return false
}

// text says what takes long, such as "finding a route to node2.mesh (2 s): no route"; "" when nothing does. The seconds
// double, so that it does not change all the time.
func (s *waits) text(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w *wait
	for other := range s.all {
		if !other.heard && now.Sub(other.began) >= waitShown && (w == nil || other.began.Before(w.began)) {
			w = other
		}
	}
	if w == nil {
		return ""
	}
	what := "waiting for"
	if errors.Is(w.why, &app.Refused{Code: wire.CodeNoRoute}) {
		what = "finding a route to"
	}
	text := fmt.Sprintf("%s %s (%s)", what, w.to, doubling(now.Sub(w.began)))
	if w.why != nil {
		text += ": " + w.why.Error()
	}
	return text
}

// worthLogging reports whether a failure is news, and remembers it: any program can cause as many as it likes.
func (s *waits) worthLogging(text string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := anyAgain
	if text == s.said {
		again = sameAgain
	}
	if !s.saidAt.IsZero() && now.Sub(s.saidAt) < again {
		return false
	}
	s.said, s.saidAt = text, now
	return true
}

// gaveUp logs that there was no way, with the reason's code.
func (s *waits) gaveUp(ctx context.Context, log *slog.Logger, w *wait, err error) {
	now := time.Now()
	if answered(err) || errors.As(err, new(*socks.Error)) || errors.Is(ctx.Err(), context.Canceled) || !s.worthLogging(w.to+err.Error(), now) {
		return
	}
	code := wire.CodeTimeout
	if refused := (*app.Refused)(nil); errors.As(err, &refused) {
		code = refused.Code
	} else if !errors.Is(err, context.DeadlineExceeded) {
		code = wire.CodeInternal
	}
	log.Warn("no way", "app", w.to, "code", fmt.Sprintf("%s (%d)", code, uint16(code)), "took", now.Sub(w.began).Round(time.Millisecond), "err", err)
}

// follow shows beside the status what takes long.
func (s *waits) follow(status string) func(ctx context.Context, say func(string)) {
	return func(ctx context.Context, say func(string)) {
		tick := time.NewTicker(waitsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if text := s.text(now); text != "" {
					say(status + "; " + text)
				} else {
					say(status)
				}
			}
		}
	}
}
