//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// crowd is a daemon with a messenger that comes back when it is killed, and people who are processes with states of their own.
type crowd struct {
	*demo
	t     *testing.T
	op    *signal.Operator
	names []string
	boxes string // address of the mailboxes
}

// startCrowd starts people who all know each other.
func startCrowd(t *testing.T, names ...string) *crowd {
	t.Helper()
	return startCrowdWith(t, "", names...)
}

// startCrowdWith gives the chats further arguments, as a part of a YAML list.
func startCrowdWith(t *testing.T, more string, names ...string) *crowd {
	t.Helper()
	c := &crowd{demo: &demo{dir: t.TempDir(), ended: make(chan error, 1)}, t: t, names: names}
	c.state = filepath.Join(c.dir, "state")
	c.install(t)
	ports := freePorts(t, 2)
	c.boxes = "127.0.0.1:" + ports[1]
	text := fmt.Sprintf(`apps:
  messenger: { path: bin/viscript, restart: always, backoff: { min: 100ms, max: 200ms }, breaker: { starts: 0 } }
  chat: { path: bin/viscript, depends_on: [messenger] }
groups:
  people:
    - { app: messenger, name: post, args: [messenger, "127.0.0.1:%s", --mailboxes, "%s"] }
`, ports[0], c.boxes)
	for _, n := range names {
		text += fmt.Sprintf("    - { app: chat, name: %s, args: [chat, %s, --messenger, %q", n, n, c.boxes)
		for _, other := range names {
			if other != n {
				text += ", --know, " + other
			}
		}
		text += more + "] }\n"
	}
	path := filepath.Join(c.dir, "config.yaml")
	if err := os.WriteFile(path, []byte(text+"settings: { stopAllOnExit: true }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(c.dir, "daemon.out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.daemon = c.product(context.Background(), "--headless", "--state", c.state, "--config", path, "--signal", "none", "--up", "people")
	c.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	c.daemon.Stdout, c.daemon.Stderr = out, out
	if err := c.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.daemon.Wait() }()
	t.Cleanup(func() {
		_ = c.daemon.Process.Signal(syscall.SIGTERM)
		<-c.ended
		if text, err := os.ReadFile(out.Name()); t.Failed() && err == nil {
			t.Logf("the daemon said:\n%s", text[max(0, len(text)-8<<10):])
		}
	})
	eventuallyTrue(t, "the daemon serves", func() (err error) {
		c.op, err = signal.DialOperator(t.Context(), socketPath(c.state))
		return err
	})
	for _, n := range names {
		c.ready(n)
		eventuallyTrue(t, n+" knows all", func() error {
			if rows := told[[]contactRow](c, n, "contacts"); len(rows) != len(names)-1 {
				return fmt.Errorf("%+v", rows)
			}
			return nil
		})
	}
	return c
}

// app is a member as it runs, or as it ran last.
func (c *crowd) app(name string) (found signal.App, err error) {
	apps, err := c.op.List(c.t.Context())
	for _, a := range apps {
		if a.Member == name {
			found = a
		}
	}
	if err == nil && found.ID == 0 {
		err = fmt.Errorf("there is no %s", name)
	}
	return found, err
}

func (c *crowd) ready(name string) signal.ID {
	c.t.Helper()
	var a signal.App
	eventuallyTrue(c.t, name+" is ready", func() (err error) {
		if a, err = c.app(name); err == nil && a.State != signal.Ready {
			err = fmt.Errorf("it is %s: %s", a.State, a.Reason)
		}
		return err
	})
	return a.ID
}

// say gives somebody's chat a command.
func (c *crowd) say(id signal.ID, args ...string) (json.RawMessage, error) {
	return c.op.Tell(c.t.Context(), id, args)
}

// told is the answer to a command.
func told[T any](c *crowd, who string, args ...string) (v T) {
	c.t.Helper()
	a, err := c.app(who)
	var answer json.RawMessage
	if err == nil {
		answer, err = c.say(a.ID, args...)
	}
	if err == nil {
		err = json.Unmarshal(answer, &v)
	}
	if err != nil {
		c.t.Errorf("%s %.100q: %v", who, args, err)
	}
	return v
}

// off and on stop and start somebody.
func (c *crowd) off(who string) {
	c.t.Helper()
	a, err := c.app(who)
	if err == nil {
		_, err = c.op.Stop(c.t.Context(), a.ID)
	}
	if err != nil {
		c.t.Errorf("stopping %s: %v", who, err)
	}
}

func (c *crowd) on(who string) signal.ID {
	c.t.Helper()
	a, err := c.app(who)
	if err == nil {
		_, err = c.op.Restart(c.t.Context(), a.ID)
	}
	if err != nil {
		c.t.Errorf("starting %s: %v", who, err)
	}
	return c.ready(who)
}

// killPost kills the messenger, without a word, and returns when another one serves.
func (c *crowd) killPost() {
	c.t.Helper()
	c.ready("post") // or there may be no process of it at the moment
	a, err := c.app("post")
	if err == nil && a.Pid <= 0 {
		err = fmt.Errorf("it is %s", a.State)
	}
	if err == nil {
		err = syscall.Kill(a.Pid, syscall.SIGKILL)
	}
	if err != nil {
		c.t.Errorf("killing the messenger: %v", err)
		return
	}
	eventuallyTrue(c.t, "another messenger serves", func() error {
		b, err := c.app("post")
		if err == nil && (b.Pid == a.Pid || b.State != signal.Ready) {
			err = fmt.Errorf("%s, pid %d", b.State, b.Pid)
		}
		return err
	})
}

// folder is somebody's state.
func (c *crowd) folder(who string) string { return filepath.Join(c.state, "chat", who) }

func (c *crowd) key(who string) *identity.Key {
	c.t.Helper()
	k, err := identity.LoadOrCreate(filepath.Join(c.folder(who), identity.FileName))
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

// reader opens the store of somebody who has been stopped.
func (c *crowd) reader(who string) *chat.Engine {
	c.t.Helper()
	e, err := chat.Open(chat.Config{Key: c.key(who), Dir: c.folder(who), Post: struct{ chat.Post }{}})
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

// textsOf are the texts that one has from another in a conversation, in the order of the history; it fails on a gap.
func textsOf(t *testing.T, e *chat.Engine, in chat.Talk, from identity.PubKey) (texts []string) {
	t.Helper()
	list, err := e.History(in, 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.From != from || m.Note {
			continue
		}
		texts = append(texts, m.Text)
		if m.Gap {
			t.Errorf("before %q something seems to be missing", m.Text)
		}
	}
	return texts
}

// numbered are the texts that somebody writes: 0 to n-1.
func numbered(prefix string, n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(prefix, i))
	}
	return texts
}

// sameTexts says where two lists differ first.
func sameTexts(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: number %d of %d is %q, want %q", what, i, len(got), got[i], want[i])
			return
		}
	}
	t.Errorf("%s: %d texts, want %d", what, len(got), len(want))
}

// unread is how many messages somebody has not read, by conversation.
func (c *crowd) unread(who string) map[string]int {
	c.t.Helper()
	n := map[string]int{}
	for _, r := range told[[]inboxRow](c, who, "inbox") {
		n[r.With] = r.Unread
	}
	return n
}

// awaitUnread waits until somebody has so many unread messages of each of these conversations.
func (c *crowd) awaitUnread(who string, n int, talks ...string) {
	c.t.Helper()
	last, moved := "", time.Now()
	for {
		got := c.unread(who)
		short := ""
		for _, t := range talks {
			if got[t] < n {
				short += fmt.Sprintf(" %s %d", t, got[t])
			}
		}
		switch {
		case short == "":
			return
		case short != last:
			last, moved = short, time.Now()
		case time.Since(moved) > 2*patience:
			c.t.Fatalf("%s has only%s of %d, and no more comes", who, strings.ReplaceAll(short, "  ", " "), n)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
