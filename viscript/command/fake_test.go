package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
)

// fakeHost keeps a table of apps in memory; nothing runs.
type fakeHost struct {
	mu     sync.Mutex // guards the following
	apps   []signal.App
	starts []signal.StartRequest
	calls  []string
	events []signal.Event

	broken map[string]string // app name: why WaitReady fails
	tell   map[string]string // command: its answer
	log    string
}

var clock = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func (f *fakeHost) note(format string, a ...any) {
	f.calls = append(f.calls, fmt.Sprintf(format, a...))
}

func (f *fakeHost) find(id signal.ID) (*signal.App, error) {
	for i := range f.apps {
		if f.apps[i].ID == id {
			return &f.apps[i], nil
		}
	}
	return nil, signal.Errorf(signal.CodeNoApp, "no app has id %d", id)
}

func (f *fakeHost) Start(_ context.Context, r signal.StartRequest) (signal.App, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, r)
	f.note("start %s", Join(append([]string{r.App}, r.Args...)))
	a := signal.App{
		ID: signal.ID(len(f.apps) + 1), App: r.App, Pid: 100 + len(f.apps) + 1, State: signal.Ready,
		Command: Join(append([]string{r.Path}, r.Args...)), Started: clock.Add(-90 * time.Second), Log: "/state/log", Group: r.Group, Member: r.Member,
	}
	f.apps = append(f.apps, a)
	return a, nil
}

func (f *fakeHost) List(context.Context) ([]signal.App, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.apps), nil
}

func (f *fakeHost) Ping(_ context.Context, id signal.ID) (signal.PingReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(id)
	return signal.PingReport{ID: id, RTTms: 0.25}, err
}

func (f *fakeHost) Usage(_ context.Context, id signal.ID) (signal.Usage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.find(id)
	if err != nil {
		return signal.Usage{}, err
	}
	return signal.Usage{
		ID: id, Pid: a.Pid, Processes: 1, Threads: 7, RSSBytes: 12 << 20, PeakRSSBytes: 13 << 20, VirtualBytes: 1 << 30,
		CPUPercent: 1.5, CPUSeconds: 2.25, Goroutines: 9, HeapBytes: 1 << 20, UptimeSeconds: 90,
	}, nil
}

func (f *fakeHost) end(verb string, id signal.ID, rung signal.Rung, code int) (signal.StopReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("%s %d", verb, id)
	a, err := f.find(id)
	if err != nil {
		return signal.StopReport{}, err
	}
	pid := a.Pid
	at := clock
	a.State, a.Ended, a.ExitCode, a.Pid = signal.Exited, &at, &code, 0
	return signal.StopReport{ID: id, Pid: pid, Rung: rung, ExitCode: code}, nil
}

func (f *fakeHost) Stop(_ context.Context, id signal.ID) (signal.StopReport, error) {
	return f.end("stop", id, signal.RungShutdown, 0)
}

func (f *fakeHost) Kill(_ context.Context, id signal.ID) (signal.StopReport, error) {
	return f.end("kill", id, signal.RungKill, 137)
}

func (f *fakeHost) Restart(_ context.Context, id signal.ID) (signal.App, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.find(id)
	if err != nil {
		return signal.App{}, err
	}
	return *a, nil
}

func (f *fakeHost) Commands(_ context.Context, id signal.ID) ([]signal.Command, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(id)
	return []signal.Command{{Name: "links", Help: "neighbours"}, {Name: "log-level", Args: "LEVEL", Help: "set it"}}, err
}

func (f *fakeHost) Tell(_ context.Context, id signal.ID, args []string) (json.RawMessage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	answer, ok := f.tell[args[0]]
	if !ok {
		return nil, signal.Errorf(signal.CodeNoCommand, "no command %q", args[0])
	}
	return json.RawMessage(answer), nil
}

func (f *fakeHost) WaitReady(_ context.Context, id signal.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.find(id)
	if err != nil {
		return err
	}
	f.note("ready %s", a.App)
	if why := f.broken[a.App]; why != "" {
		return errors.New(why)
	}
	return nil
}

func (f *fakeHost) Logs(ctx context.Context, id signal.ID, r signal.LogsRequest, w io.Writer) error {
	f.mu.Lock()
	_, err := f.find(id)
	f.note("logs %d %d %v", id, r.Lines, r.Follow)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	io.WriteString(w, f.log)
	if r.Follow {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (f *fakeHost) Events(ctx context.Context, since uint64, follow bool, fn func(signal.Event) error) error {
	f.mu.Lock()
	events := slices.Clone(f.events)
	f.mu.Unlock()
	for _, e := range events {
		if e.Seq > since {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	if follow {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// bench is a command table with everything it works on.
type bench struct {
	*testing.T
	table *Table
	env   *Env
	host  *fakeHost
	cfg   *Config
	quit  bool
}

// newBench has the apps node (which depends on manager), manager and echo, whose program is
// /bin/sh, and gone, whose program is not there; the group demo of the first two.
func newBench(t *testing.T) *bench {
	cfg := &Config{
		File: "/etc/viscript/config.yaml",
		Apps: map[string]App{
			"node":    {Name: "node", Desc: "a node", Path: "/bin/sh", Policy: needing("manager").Policy, Help: "[1] address\n[2] name\n"},
			"manager": {Name: "manager", Desc: "knows all", Path: "/bin/sh", Daemon: true, DefaultArgs: []string{"-p", "1"}},
			"echo":    {Name: "echo", Path: "/bin/sh"},
			"gone":    {Name: "gone", Path: "bin/no-such-program"},
		},
		Groups: map[string]Group{
			"demo": {Name: "demo", Members: []Member{
				{App: "node", Name: "node0", Args: []string{"0"}}, {App: "manager", Name: "manager"}, {App: "node", Name: "node1", Args: []string{}},
			}},
		},
	}
	b := &bench{T: t, table: New(), host: &fakeHost{}, cfg: cfg}
	b.env = &Env{
		Host: b.host, Config: func() *Config { return b.cfg }, Members: &Members{}, Version: "1.2.3",
		Now: func() time.Time { return clock }, Quit: func() { b.quit = true },
		Hosts: []host.Named{{Name: "local", Address: "/state/signal.sock", Host: b.host}},
	}
	return b
}

// run runs a line and checks its exit code.
func (b *bench) run(line string, code int) (stdout, stderr string) {
	b.Helper()
	return b.runAs(b.Context(), line, code, false)
}

func (b *bench) json(line string) string {
	b.Helper()
	out, _ := b.runAs(b.Context(), line, OK, true)
	return strings.TrimSuffix(out, "\n")
}

func (b *bench) runAs(ctx context.Context, line string, code int, asJSON bool) (stdout, stderr string) {
	b.Helper()
	words, err := Split(line)
	if err != nil {
		b.Fatal(err)
	}
	var out, errs bytes.Buffer
	got := b.table.Run(ctx, b.env, words, Output{Out: &out, Err: &errs, JSON: asJSON})
	if got != code {
		b.Errorf("%s: exit code %d, want %d; %s%s", line, got, code, &out, &errs)
	}
	if (errs.Len() > 0) != (code != OK) {
		b.Errorf("%s: exit code %d with the error %q", line, got, &errs)
	}
	if asJSON && code == OK && !json.Valid(out.Bytes()) {
		b.Errorf("%s: not one JSON value: %s", line, &out)
	}
	return out.String(), errs.String()
}
