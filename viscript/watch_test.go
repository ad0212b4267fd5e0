//go:build linux

package viscript

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
)

// board collects what notices say.
type board struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *board) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// says waits until it has been told n times.
func (b *board) says(t *testing.T, what string, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.mu.Lock()
		text := b.text.String()
		b.mu.Unlock()
		if strings.Count(text, what) >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q is not told %d times: %s", what, n, text)
		}
	}
}

// emptyHost runs nothing.
type emptyHost struct{ quietHost }

func (emptyHost) List(context.Context) ([]signal.App, error) { return nil, nil }

func TestReloadWatch(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("none")
	load := func() (*Config, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if string(text) == "broken" {
			return nil, errors.New("config.yaml:1: broken")
		}
		cfg := &Config{File: file, Apps: map[string]App{}}
		if string(text) != "none" {
			cfg.Apps[string(text)] = App{Name: string(text), Path: "/bin/true"}
		}
		return cfg, nil
	}
	told := &board{}
	cfg, _ := load()
	audit, err := OpenAudit(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	c, err := New(Options{Host: emptyHost{quietHost{events: make(chan signal.Event)}}, Config: cfg, Load: load, Notices: NewNotices(told), Audit: audit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(ctx) }()
	run := func(line string, code int, want string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := c.Exec(t.Context(), signal.ExecRequest{Line: line}, &out, &errs); got != code {
			t.Errorf("%s: code %d: %s", line, got, &errs)
		}
		if text := out.String() + errs.String(); !strings.Contains(text, want) {
			t.Errorf("%s: %q", line, text)
		}
	}
	run("reload --watch maybe", command.Usage, "allowed: on, off")
	run("reload --watch", command.Usage, "needs a value")
	run("reload --watch on", command.OK, "is watched: a change of it is a reload, until the daemon ends; for good: watchConfig in settings")
	run("reload --watch=on", command.OK, "is watched") // twice does no harm
	write("node")
	told.says(t, "config.yaml has changed:", 1)
	told.says(t, "node", 1)
	if _, ok := c.Config().Apps["node"]; !ok {
		t.Error("the configuration was not reloaded")
	}
	write("broken")
	told.says(t, "nothing was changed: config.yaml:1: broken", 1)
	if _, ok := c.Config().Apps["node"]; !ok {
		t.Error("a broken file changed something")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	told.says(t, "no such file", 1)
	target := filepath.Join(t.TempDir(), "real.yaml")
	if err := os.WriteFile(target, []byte("linked"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Fatal(err)
	}
	told.says(t, "linked", 1)
	if err := os.WriteFile(target, []byte("behind"), 0o600); err != nil { // in the folder of the link's target
		t.Fatal(err)
	}
	told.says(t, "behind", 1)
	run("reload --watch off", command.OK, "is not watched")
	if c.watch.Watching() {
		t.Error("it says that it watches although it was switched off")
	}
	write("unseen")
	time.Sleep(3 * watchQuiet)
	if _, ok := c.Config().Apps["unseen"]; ok {
		t.Error("it watches although it was switched off")
	}
	run("reload --watch on", command.OK, "is watched")
	cancel() // while it watches
	<-ended
	n := 0
	for _, e := range entries(t, filepath.Join(dir, auditName)) {
		if e.Via != "watch" || e.Command != "reload" {
			t.Errorf("%+v", e)
		}
		n++
	}
	if n < 4 {
		t.Errorf("%d reloads are on record", n)
	}
	stopped, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.watch.Set(stopped, true); err == nil {
		t.Error("a watch that does not run was switched on")
	}
}
