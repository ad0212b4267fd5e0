//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// people is a daemon with a messenger and two people.
const people = `apps:
  messenger: { path: bin/viscript, default_args: [messenger, "127.0.0.1:PORT0", --mailboxes, "127.0.0.1:PORT1"] }
  chat: { path: bin/viscript, default_args: [chat, me, --messenger, "127.0.0.1:PORT1"] }
groups:
  people:
    - { app: messenger, name: post }
    - { app: chat, name: ann, args: [chat, ann, --messenger, "127.0.0.1:PORT1"] }
    - { app: chat, name: ben, args: [chat, ben, --messenger, "127.0.0.1:PORT1"] }
settings: { stopAllOnExit: true }
`

func startPeople(t *testing.T) *demo {
	t.Helper()
	d := &demo{dir: t.TempDir(), ended: make(chan error, 1)}
	d.state = filepath.Join(d.dir, "state")
	d.install(t)
	text := people
	for i, p := range freePorts(t, 2) {
		text = strings.ReplaceAll(text, fmt.Sprint("PORT", i), p)
	}
	path := filepath.Join(d.dir, "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.daemon = d.product(context.Background(), "--headless", "--state", d.state, "--config", path, "--signal", "none", "--up", "people")
	d.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := d.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.daemon.Wait() }()
	t.Cleanup(func() {
		d.daemon.Process.Signal(syscall.SIGTERM)
		<-d.ended
	})
	return d
}

// one is the id of the app whose command holds the words, once it is ready.
func (d *demo) one(t *testing.T, words string) (id string) {
	t.Helper()
	eventuallyTrue(t, words+" is ready", func() error {
		apps, err := d.apps()
		for _, a := range apps {
			if a.Ended == nil && strings.Contains(a.Command, words) && a.State == signal.Ready {
				id = fmt.Sprint(a.ID)
				return err
			}
		}
		return fmt.Errorf("%+v, %v", apps, err)
	})
	return id
}

// texts waits until a conversation of an app holds these texts and no others.
func (d *demo) texts(t *testing.T, id, with string, want ...string) {
	t.Helper()
	eventuallyTrue(t, fmt.Sprintf("%s has %q", id, want), func() error {
		var rows []messageRow
		d.json(t, &rows, "tell", id, "chat", with)
		var got []string
		for _, r := range rows {
			got = append(got, r.Text)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("it has %q", got)
		}
		return nil
	})
}

// TestChat: two people as processes talk through a messenger, which is killed in between, as one of them is.
func TestChat(t *testing.T) {
	d := startPeople(t)
	post, ann, ben := d.one(t, "viscript messenger"), d.one(t, "chat ann"), d.one(t, "chat ben")
	annKey, benKey := strings.TrimSpace(d.ok(t, "tell", ann, "key")), strings.TrimSpace(d.ok(t, "tell", ben, "key"))
	d.ok(t, "tell", ann, "add", benKey, "Ben")
	d.ok(t, "tell", ann, "msg", "Ben", "hello", "Ben")
	eventuallyTrue(t, "a request", func() error {
		var rows []inboxRow
		d.json(t, &rows, "tell", ben, "inbox")
		if len(rows) != 1 || !rows[0].Request || rows[0].Unread != 1 {
			return fmt.Errorf("%+v", rows)
		}
		return nil
	})
	d.ok(t, "tell", ben, "add", annKey, "Ann")
	d.texts(t, ben, "Ann", "hello Ben")
	if a, b := d.ok(t, "tell", ann, "safety", "Ben"), d.ok(t, "tell", ben, "safety", "Ann"); a != b || len(strings.Fields(a)) != 12 {
		t.Errorf("safety numbers %q and %q", a, b)
	}
	d.ok(t, "tell", ben, "msg", "Ann", "hello Ann")
	d.texts(t, ann, "Ben", "hello Ben", "hello Ann")

	picture, copied := filepath.Join(d.dir, "picture"), filepath.Join(d.dir, "copy")
	if err := os.WriteFile(picture, []byte(strings.Repeat("picture ", 20_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.ok(t, "tell", ann, "send", "Ben", picture)
	eventuallyTrue(t, "the file", func() error {
		out, errs, _ := d.exec("tell", ben, "fetch", "Ann", "3", copied)
		b, err := os.ReadFile(copied)
		if err == nil && len(b) != 160_000 {
			err = fmt.Errorf("%d bytes", len(b))
		}
		if err != nil {
			return fmt.Errorf("%s%s%w", out, errs, err)
		}
		return nil
	})

	d.ok(t, "kill", post)
	d.ok(t, "tell", ann, "msg", "Ben", "are you there?")
	d.ok(t, "sd", ben)
	eventuallyTrue(t, "both are started again", func() error { // the first start may still be waited for
		_, errs, code := d.exec("up", "people")
		if code != exitOK {
			return fmt.Errorf("%s", errs)
		}
		return nil
	})
	ben = d.one(t, "chat ben")
	d.texts(t, ben, "Ann", "hello Ben", "hello Ann", "[file picture, 160000 bytes]", "are you there?")

	d.ok(t, "tell", ann, "group", "Walks")
	d.ok(t, "tell", ann, "invite", "Walks", "Ben")
	d.ok(t, "tell", ann, "msg", "Walks", "on Sunday?")
	eventuallyTrue(t, "the group", func() error {
		var rows []groupRow
		d.json(t, &rows, "tell", ben, "groups")
		if len(rows) != 1 || len(rows[0].Members) != 2 || rows[0].State != "invited" || rows[0].From != "Ann" || rows[0].Key.String() != annKey {
			return fmt.Errorf("%+v", rows)
		}
		return nil
	})
	var line []messageRow
	var joined []groupRow
	defer func() {
		if d.json(t, &joined, "tell", ben, "groups"); joined[0].State != "member" {
			t.Errorf("a group that was looked at: %+v", joined)
		}
	}()
	d.json(t, &line, "tell", ben, "chat", "Walks")
	for _, r := range line {
		if r.About != nil && (r.From != "Ann" || r.Text != "* added you" || r.About.String() != benKey) {
			t.Errorf("an invitation is told as %+v", r)
		}
	}
	eventuallyTrue(t, "its message", func() error {
		if out := d.ok(t, "tell", ben, "search", "sunday"); !strings.Contains(out, "on Sunday?") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	if _, errs, code := d.exec("tell", ann, "msg", "Nobody", "x"); code == exitOK || !strings.Contains(errs, "no person or group") {
		t.Errorf("a message to nobody: %s", errs)
	}
}
