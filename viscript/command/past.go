package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
)

// maxPast is how many events of an app `why` shows.
const maxPast = 5

// past is what happened to an app before, by the events that are kept.
type past struct {
	Starts   int            `json:"starts"`             // that the events know of
	Failures int            `json:"failures"`           // ends with an exit code other than 0 that nobody asked for
	Refusals int            `json:"refusals,omitempty"` // of registrations
	Last     []signal.Event `json:"last_events"`        // at most maxPast, the oldest first
}

// ownKinds are the events that are words of the app itself.
var ownKinds = []string{"app", "status", "log"}

// pastOf reads the events of an app.
func (c *call) pastOf(ctx context.Context, id signal.ID) (past, error) {
	var p past
	err := c.Host.Events(ctx, 0, false, func(e signal.Event) error {
		if e.ID != id || slices.Contains(ownKinds, e.Kind) {
			return nil
		}
		switch e.Kind {
		case "started":
			p.Starts++
		case "failed":
			p.Failures++
		case "refused":
			p.Refusals++
		}
		p.Last = append(p.Last, e)
		p.Last = p.Last[max(0, len(p.Last)-maxPast):]
		return nil
	})
	p.Last = list(p.Last)
	return p, err
}

// often says how often an app was started and failed; "" when there is nothing to say.
func (p past) often(a signal.App) string {
	var parts []string
	if p.Starts > 1 {
		parts = append(parts, fmt.Sprintf("started %d times", p.Starts))
	}
	if p.Failures > 0 {
		parts = append(parts, times("failed", p.Failures))
	}
	if a.Restarts > 0 {
		parts = append(parts, times("restarted by its policy", a.Restarts))
	}
	if p.Refusals > 0 {
		parts = append(parts, times("refused at registration", p.Refusals))
	}
	return strings.Join(parts, ", ")
}

func times(what string, n int) string {
	if n == 1 {
		return what + " once"
	}
	return fmt.Sprintf("%s %d times", what, n)
}

// waits says what an app waits for and when it is started again.
func waits(a signal.App, now time.Time) (rows [][]string) {
	if a.WaitsFor != "" {
		rows = append(rows, []string{"waits for", a.WaitsFor})
	}
	if a.NextStart != nil {
		text := "now"
		if d := a.NextStart.Sub(now); d >= time.Second {
			text = "in " + span(d)
		}
		rows = append(rows, []string{"next start", text + " (" + a.NextStart.Local().Format(time.DateTime) + ")"})
	}
	if a.Limits != "" {
		rows = append(rows, []string{"limits", a.Limits})
	}
	if a.LogDropped > 0 {
		rows = append(rows, []string{"output lost", size(a.LogDropped) + ": the disk was full or slow"})
	}
	return rows
}

// since is where `events` begins: after a number, or at a time.
type since struct {
	seq uint64
	at  time.Time
}

// parseSince reads a number of an event, a duration back from now (10m), or a time: 15:04,
// 15:04:05 (the last such one), 2006-01-02, either with 15:04:05, or RFC 3339.
func parseSince(s string, now time.Time) (since, error) {
	if n, err := strconv.ParseUint(s, 10, 63); err == nil {
		return since{seq: n}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return since{at: now.Add(-d)}, nil
	}
	for _, form := range []string{"15:04", "15:04:05"} {
		t, err := time.ParseInLocation(form, s, now.Location())
		if err != nil {
			continue
		}
		year, month, day := now.Date()
		at := time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if at.After(now) {
			at = at.AddDate(0, 0, -1)
		}
		return since{at: at}, nil
	}
	for _, form := range []string{time.DateOnly, "2006-01-02T15:04", time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return since{at: at}, nil
		}
	}
	return since{}, fmt.Errorf("%q: allowed: the number of an event, a duration such as 10m, or a time such as 15:04 or 2006-01-02T15:04", s)
}

// admits says whether an event is late enough.
func (s since) admits(e signal.Event) bool { return e.Seq > s.seq && !e.Time.Before(s.at) }
