//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// What TestKilledAtRandom does; KILLS=N and SEED=N change it.
const (
	modelApps  = 50
	modelKills = 100
	modelHands = 3 // who start, stop and restart at a time
)

// The apps of the model: most sleep, the others are trouble.
var troubles = map[string]map[string]any{
	"deaf":   script("deaf", `trap "" TERM; while :; do sleep 1000; done`, map[string]any{"stop_timeout": "300ms"}),
	"forks":  script("forks", `setsid sh -c 'trap "" TERM; setsid sleep 1000 & sleep 1000' & sleep 1000 & while :; do sleep 1000; done`, map[string]any{"stop_timeout": "300ms"}),
	"floods": script("floods", `while :; do seq 20000; sleep 0.5; done`, map[string]any{"log": map[string]any{"size": "64KiB", "count": 2}}),
	"still":  script("still", `kill -STOP $$; while :; do sleep 1000; done`, nil),
	"loops": script("loops", `echo >> "$STARTS"; sleep 0.2; exit 3`, map[string]any{
		"restart": "always", "backoff": map[string]any{"min": "100ms", "max": "500ms"}, "breaker": map[string]any{"starts": 0},
	}),
}

// subject is an app of the model: what must be true of it.
type subject struct {
	name string
	id   signal.ID
	pid  int  // 0: it must not run; -1: not known
	free bool // it ends and starts by itself: nothing is known of its pid
}

// guest is the name of apps that are in no configuration.
const guest = "guest"

func (s *subject) guest() bool { return s.name == guest }

// TestKilledAtRandom kills the daemon again and again while apps are started, stopped and
// restarted. Each time another takes its place, and then the table of apps, what was asked for and
// the processes of the kernel must agree: nothing runs twice, nothing is forgotten, every id is
// that of before, and what nobody touched has the pid of before.
func TestKilledAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a daemon with 50 apps a hundred times")
	}
	kills, seed := number(t, "KILLS", modelKills), number(t, "SEED", int(time.Now().UnixNano()&0xffffff))
	t.Logf("SEED=%d KILLS=%d", seed, kills)
	m := newModel(t, uint64(seed))
	m.launch()
	m.begin()
	began := time.Now()
	for i := range kills {
		m.round()
		if t.Failed() {
			t.Fatalf("in round %d of SEED=%d", i+1, seed)
		}
	}
	t.Logf("%d kills in %.0f s; %d requests were answered, %d were cut off; the crash loop started %d times",
		kills, time.Since(began).Seconds(), m.answered, m.cutOff, m.starts())
	m.end()
}

func number(t *testing.T, name string, usual int) int {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}

type model struct {
	*site
	random   *rand.Rand
	subjects []*subject // each belongs to one hand during a round
	highest  signal.ID  // of the ids that were ever given

	mu       sync.Mutex // guards the following
	started  []*subject // in this round, beside those of the configuration
	answered int
	cutOff   int
}

func newModel(t *testing.T, seed uint64) *model {
	apps := make(map[string]any)
	for name, app := range troubles {
		apps[name] = app
	}
	for i := 0; len(apps) < modelApps; i++ {
		name := fmt.Sprintf("sleeps%d", i)
		apps[name] = script(name, "while :; do sleep 1000; done", nil)
	}
	m := &model{random: rand.New(rand.NewPCG(seed, 0))}
	for name, app := range apps {
		app := app.(map[string]any)
		app["autostart"] = true
		m.subjects = append(m.subjects, &subject{name: name, free: name == "loops"})
	}
	slices.SortFunc(m.subjects, func(a, b *subject) int { return strings.Compare(a.name, b.name) })
	m.site = newSite(t, map[string]any{"apps": apps})
	t.Setenv("STARTS", m.path("starts"))
	return m
}

// starts is how often the app that crashes was started.
func (m *model) starts() int64 {
	info, err := os.Stat(m.path("starts"))
	if errors.Is(err, fs.ErrNotExist) { // it is up, and has not come so far
		return 0
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return info.Size()
}

// begin waits until all apps are there, started by the configuration.
func (m *model) begin() {
	m.settle("all are up", func() error {
		rows, err := m.agree()
		if err != nil {
			return err
		}
		for _, s := range m.subjects {
			s.id = 0
			for _, a := range rows {
				if a.App == s.name {
					s.id, s.pid = a.ID, a.Pid
				}
			}
			if s.free {
				s.pid = -1
			}
			if s.id == 0 || s.pid == 0 {
				return fmt.Errorf("%s does not run", s.name)
			}
		}
		if len(rows) != modelApps {
			return fmt.Errorf("%d rows", len(rows))
		}
		return nil
	})
	m.highest = modelApps
	m.settle("the crash loop has begun", func() error { _, err := os.Stat(m.path("starts")); return err })
}

// round has hands ask for this and that, kills the daemon meanwhile, starts another, and compares.
func (m *model) round() {
	ctx, cancel := context.WithCancel(m.t.Context())
	var hands sync.WaitGroup
	for h := range modelHands {
		random := rand.New(rand.NewPCG(m.random.Uint64(), 0))
		hands.Go(func() { m.hand(ctx, h, random) })
	}
	time.Sleep(time.Duration(m.random.IntN(250)) * time.Millisecond)
	before := m.starts()
	m.crash()
	cancel()
	hands.Wait()
	m.launch()
	m.subjects = append(m.subjects, m.started...)
	m.started = nil
	m.settle("after the return", m.compare)
	if loop := m.subjects[slices.IndexFunc(m.subjects, func(s *subject) bool { return s.free })]; loop.pid != 0 {
		m.settle("the crash loop goes on", func() error {
			if m.starts() == before {
				return errors.New("no further start")
			}
			return nil
		})
	}
}

// hand asks for something of an app of its own, again and again, until the daemon is gone.
func (m *model) hand(ctx context.Context, h int, random *rand.Rand) {
	for ctx.Err() == nil {
		if random.IntN(5) == 0 {
			if !m.startOne(ctx) {
				return
			}
			continue
		}
		i := random.IntN(len(m.subjects))/modelHands*modelHands + h
		if i < len(m.subjects) && !m.ask(ctx, m.subjects[i], random.IntN(2) == 0) {
			return
		}
	}
}

// startOne starts a guest: an app that is in no configuration.
func (m *model) startOne(ctx context.Context) bool {
	v, err := m.Start(ctx, signal.StartRequest{
		App: guest, Path: "/bin/sh", Args: []string{"-c", "while :; do sleep 1000; done", mainWord + guest}, Daemon: true,
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		if v.ID <= m.highest {
			m.t.Errorf("id %d was given again", v.ID)
		}
		m.started = append(m.started, &subject{name: guest, id: v.ID, pid: v.Pid})
	}
	return m.countLocked(err)
}

// ask stops what runs, or restarts it; what is stopped it starts again.
func (m *model) ask(ctx context.Context, s *subject, restart bool) bool {
	var err error
	if restart || s.pid == 0 {
		var v signal.App
		if v, err = m.Restart(ctx, s.id); err == nil {
			if v.ID != s.id || v.Pid == 0 || v.Pid == s.pid {
				m.t.Errorf("restarted %+v: %+v", *s, v)
			}
			s.pid = v.Pid
		}
	} else {
		var rep signal.StopReport
		if rep, err = m.Stop(ctx, s.id); err == nil {
			if len(rep.Survivors) > 0 {
				m.t.Errorf("stopped %+v: %+v", *s, rep)
			}
			s.pid = 0
		}
	}
	if err != nil {
		s.pid = -1 // it may have come to pass
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.countLocked(err)
}

// countLocked is false for an error, which the death of the daemon only may bring.
func (m *model) countLocked(err error) bool {
	if err == nil {
		m.answered++
		return true
	}
	m.cutOff++
	if answer := (*signal.Error)(nil); errors.As(err, &answer) {
		m.t.Errorf("refused: %v", err)
	}
	return false
}

// compare wants that the table and the kernel agree, and that all is as it was asked for.
func (m *model) compare() error {
	rows, err := m.agree()
	if err != nil {
		return err
	}
	known := make(map[signal.ID]bool)
	for _, s := range m.subjects {
		known[s.id] = true
		a, ok := rows[s.id]
		switch {
		case !ok && s.guest() && s.pid <= 0: // the table forgets the oldest
		case !ok || a.App != s.name:
			return fmt.Errorf("%+v became %+v", *s, a)
		case s.pid == 0 && (a.Pid != 0 || !a.Down):
			return fmt.Errorf("%+v was stopped: %+v", *s, a)
		case s.pid > 0 && !s.free && a.Pid != s.pid:
			return fmt.Errorf("%+v was left alone: %+v", *s, a)
		case s.pid < 0 && a.Pid == 0 && !a.Down && !s.free:
			return fmt.Errorf("%+v is neither up nor stopped by request: %+v", *s, a)
		case s.pid > 0 && a.Down:
			return fmt.Errorf("%+v was not stopped: %+v", *s, a)
		}
	}
	var guests []*subject
	for id, a := range rows {
		switch {
		case known[id] || a.Pid == 0 && a.App == guest:
		case id <= m.highest || a.App != guest:
			return fmt.Errorf("nobody asked for %+v", a)
		default: // a start without an answer
			guests = append(guests, &subject{name: guest, id: id})
		}
	}
	m.subjects = append(m.subjects, guests...)
	for _, s := range m.subjects {
		if a := rows[s.id]; s.free && !a.Down {
			s.pid = -1
		} else {
			s.pid = a.Pid
		}
		m.highest = max(m.highest, s.id)
	}
	m.subjects = slices.DeleteFunc(m.subjects, func(s *subject) bool { return s.guest() && s.pid == 0 })
	return nil
}

// isDeaf is nil once a process of the app ignores SIGTERM.
func (m *model) isDeaf(id signal.ID) error {
	for pid, p := range m.processes() {
		if p.id != id || p.keeper {
			continue
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			set, ok := strings.CutPrefix(line, "SigIgn:")
			if mask, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64); ok && err == nil && mask>>(syscall.SIGTERM-1)&1 == 1 {
				return nil
			}
		}
	}
	return fmt.Errorf("no process of app %d ignores SIGTERM", id)
}

// end stops all, one by one as a person would, and looks for what is left.
func (m *model) end() {
	for _, s := range m.subjects {
		if s.pid == 0 {
			ctx, cancel := within(m.t.Context()) // each: there may be hundreds
			if _, err := m.Restart(ctx, s.id); err != nil {
				m.t.Errorf("restarting %+v: %v", *s, err)
			}
			cancel()
		}
	}
	m.settle("all run again", func() error { _, err := m.agree(); return err })
	for _, s := range m.subjects {
		want := signal.RungTerm
		if s.name == "deaf" || s.name == "forks" {
			want = signal.RungKill
			m.settle(s.name+" has set its trap", func() error { return m.isDeaf(s.id) })
		}
		ctx, cancel := within(m.t.Context())
		rep, err := m.Stop(ctx, s.id)
		cancel()
		if err != nil || len(rep.Survivors) > 0 || rep.Rung != want && !s.free {
			m.t.Errorf("stopping %+v: %+v, %v", *s, rep, err)
		}
	}
	m.settle("nothing is left", func() error {
		if left := m.processes(); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
	m.quit()
	files, err := filepath.Glob(filepath.Join(m.state, "run", "*"))
	for _, f := range files {
		switch filepath.Ext(f) {
		case ".json", ".log", ".exit":
		default:
			m.t.Errorf("left in the state folder: %s, %v", f, err)
		}
	}
}
