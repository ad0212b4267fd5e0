package command

import (
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

func TestWhyTellsThePast(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	next := clock.Add(90 * time.Second)
	a := &b.host.apps[0]
	a.State, a.Pid, a.Restarts, a.NextStart, a.LogDropped = signal.Waiting, 0, 2, &next, 3<<20
	a.WaitsFor = "ready of app 3 (manager)"
	for i, kind := range []string{"started", "failed", "app", "started", "failed", "status", "started", "failed", "refused"} {
		b.host.events = append(b.host.events, signal.Event{Seq: uint64(i + 1), Time: clock, ID: 1, App: "echo", Kind: kind, Text: "said"})
	}
	b.host.events = append(b.host.events, signal.Event{Seq: 10, ID: 2, Kind: "failed"})
	out, _ := b.run("why 1", OK)
	has(t, out, "waits for    ready of app 3 (manager)", "next start   in 1m30s (", "output lost  3.0 MiB",
		"how often    started 3 times, failed 3 times, restarted by its policy 2 times, refused at registration once",
		"     9  ", "refused", "     4  ")
	if got := b.json("why 1"); !jsonHas(got, `"starts":3,"failures":3,"refusals":1,"last_events":[{"seq":4`, `"next_start":"2026`, `"waits_for":"ready`) {
		t.Error(got)
	}
}

func jsonHas(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 5, 2, 12, 30, 0, 0, time.UTC)
	for in, want := range map[string]since{
		"0":                         {},
		"17":                        {seq: 17},
		"10m":                       {at: now.Add(-10 * time.Minute)},
		"1h30m":                     {at: now.Add(-90 * time.Minute)},
		"12:15":                     {at: time.Date(2026, 5, 2, 12, 15, 0, 0, time.UTC)},
		"23:59:58":                  {at: time.Date(2026, 5, 1, 23, 59, 58, 0, time.UTC)}, // not later than now
		"2026-05-01":                {at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
		"2026-05-01T10:00":          {at: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)},
		"2026-05-01 10:00:01":       {at: time.Date(2026, 5, 1, 10, 0, 1, 0, time.UTC)},
		"2026-05-01T10:00:00+02:00": {at: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)},
	} {
		got, err := parseSince(in, now)
		if err != nil || got.seq != want.seq || !got.at.Equal(want.at) {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "-10m", "yesterday", "25:00", "99999999999999999999"} {
		if got, err := parseSince(in, now); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestEventsSinceTime(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.host.events = append(b.host.events, signal.Event{Seq: uint64(i + 1), Time: clock.Add(time.Duration(i-2) * time.Hour), Kind: "ready", Text: "said"})
	}
	if got := b.json("events --since 90m"); !jsonHas(got, `[{"seq":2`, `{"seq":3`) {
		t.Error(got)
	}
	if got := b.json("events --since 10s"); !jsonHas(got, `[{"seq":3`) {
		t.Error(got)
	}
}
