//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/signal"
)

// TestChatAbuse: two people who know each other, and others who do them harm. What gets through is bounded, and the two go on talking.
func TestChatAbuse(t *testing.T) {
	if raceDetector {
		t.Skip("a thousand attackers take minutes with the race detector; make plain runs this")
	}
	c := startCrowdWith(t, ", --daily, "+fmt.Sprint(hoardDaily), "ann", "ben")
	t.Run("Requests", func(t *testing.T) { c.floodRequests(t) })
	t.Run("Mailbox", func(t *testing.T) { c.floodMailbox(t) })
	t.Run("Files", func(t *testing.T) { c.hostileFiles(t) })
	t.Run("Group", func(t *testing.T) { c.hugeGroup(t) })
	t.Run("Hoard", func(t *testing.T) { c.hoard(t) })
}

// hoardDaily is what one contact may leave here in a day, in MiB.
const hoardDaily = 4

// attacker is a person of a test's own process, who has no mailbox.
type attacker struct {
	*mailbox.Client
	e    *chat.Engine
	done func() bool // it has done what it wanted; nil: when all is sent
}

// Publish says that all has been published, Fetch that nothing has come.
func (a *attacker) Publish(context.Context, mailbox.Bundle) (int, error) {
	return mailbox.MaxStock, nil
}

func (a *attacker) Fetch(ctx context.Context, _ uint32) ([]mailbox.Letter, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// attack lets somebody with a new key do something, and returns when all that it made has been sent, or patience ends.
func (c *crowd) attack(dir string, do func(a *attacker) error) error {
	key, err := identity.Generate()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err != nil {
		return err
	}
	a := &attacker{}
	if a.Client, err = mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: c.boxes}, Key: key, Pins: pins}); err != nil {
		return err
	}
	defer a.Client.Close()
	if a.e, err = chat.Open(chat.Config{Key: key, Dir: dir, Post: a}); err != nil {
		return err
	}
	defer a.e.Close()
	if err := do(a); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.e.Run(ctx) }()
	for n := 1; n > 0 && err == nil && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if n, err = a.e.Waiting(); a.done != nil && a.done() {
			break
		}
	}
	cancel()
	return errors.Join(err, <-done)
}

// memory is what a member's processes have in memory, in megabytes.
func (c *crowd) memory(who string) float64 {
	c.t.Helper()
	a, err := c.app(who)
	var u signal.Usage
	if err == nil {
		u, err = c.op.Usage(c.t.Context(), a.ID)
	}
	if err != nil {
		c.t.Error(err)
	}
	return float64(u.RSSBytes) / 1e6
}

// talks sends a message from one to the other and says how long it took.
func (c *crowd) talks(t *testing.T, from, to, text string) time.Duration {
	t.Helper()
	before := c.unread(to)[from]
	began := time.Now()
	told[string](c, from, "msg", to, text)
	c.awaitUnread(to, before+1, from)
	return time.Since(began)
}

// floodRequests: a thousand unknown people write to ann.
func (c *crowd) floodRequests(t *testing.T) {
	const crowd = 1000
	ann, before, dir := c.key("ann").Public(), c.memory("ann"), t.TempDir()
	began := time.Now()
	slots := make(chan struct{}, 8)
	var work sync.WaitGroup
	for i := range crowd {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			at := filepath.Join(dir, fmt.Sprint(i))
			err := c.attack(at, func(a *attacker) error {
				texts := []string{"buy", "buy now", "last chance"}
				if i == 0 {
					texts = numbered("more and more ", 2*chat.MaxRequestTexts)
				}
				_, err := a.e.SendAll(chat.To(ann), texts, chat.MessageID{})
				return err
			})
			if err = errors.Join(err, os.RemoveAll(at)); err != nil {
				t.Errorf("attacker %d: %v", i, err)
			}
		})
	}
	work.Wait()
	took := time.Since(began)
	delivery := c.talks(t, "ben", "ann", "are you there?") // behind the flood in the same mailbox
	requests, most := 0, 0
	for _, r := range told[[]inboxRow](c, "ann", "inbox") {
		if r.Request {
			requests++
			most = max(most, r.Unread)
		}
	}
	info, err := os.Stat(filepath.Join(c.folder("ann"), chat.StoreFile))
	if err != nil {
		t.Fatal(err)
	}
	if requests != chat.MaxRequests || most > chat.MaxRequestTexts {
		t.Errorf("%d people are in the request box, with %d texts at most", requests, most)
	}
	t.Logf("%d unknown people wrote %d messages in %.1f s: %d are held, with %d texts at most, the rest is dropped; ann's memory %.0f MB, then %.0f; store %.1f MB; a friend's message behind it took %.2f s",
		crowd, 3*crowd+2*chat.MaxRequestTexts-3, took.Seconds(), requests, most, before, c.memory("ann"), float64(info.Size())/1e6, delivery.Seconds())
}

// floodMailbox: somebody fills ann's mailbox with garbage while she is away.
func (c *crowd) floodMailbox(t *testing.T) {
	unread := c.unread("ann")["ben"]
	c.off("ann")
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	post, err := mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: c.boxes}, Key: key, Pins: pins})
	if err != nil {
		t.Fatal(err)
	}
	defer post.Close()
	owner := c.key("ann").Public()
	cards, err := post.Cards(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	card, err := mailbox.ParseCard(cards[0])
	if err != nil {
		t.Fatal(err)
	}
	before, began, held := c.memory("post"), time.Now(), 0
	for err == nil && held < 2*mailbox.MaxLetters {
		batch := make([][]byte, mailbox.MaxPutCount)
		for i := range batch {
			batch[i] = make([]byte, 2<<10)
			rand.Read(batch[i])
			batch[i][0] = 1
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err = post.Put(ctx, mailbox.Address{Owner: owner, Device: card.Device}, batch); err == nil {
			held += len(batch)
		}
		cancel()
	}
	if !errors.Is(err, mailbox.ErrFull) || held > mailbox.MaxLetters {
		t.Fatalf("%d letters were put, then %v", held, err)
	}
	took, full := time.Since(began), c.memory("post")
	told[string](c, "ben", "msg", "ann", "through all of it") // it waits at ben's while the mailbox is full
	began = time.Now()
	c.on("ann")
	c.awaitUnread("ann", unread+1, "ben")
	t.Logf("%d letters of garbage, %d MB, are held for one mailbox, put in %.1f s, then none; the messenger's memory %.0f MB, then %.0f; ann read through them, and a friend's message came, %.1f s after her start; her memory %.0f MB",
		held, held*2/1000, took.Seconds(), before, full, time.Since(began).Seconds(), c.memory("ann"))
}

// hostileFiles: somebody whom ann knows offers files with names that are meant to do harm.
func (c *crowd) hostileFiles(t *testing.T) {
	ann := c.key("ann").Public()
	name := "..\u202egnp.\x1b[2J\x1b]0;owned\x07exe"
	var mallory identity.PubKey
	err := c.attack(t.TempDir(), func(a *attacker) error {
		mallory = a.e.Self().Owner
		told[string](c, "ann", "add", mallory.String(), "Mallory")
		for _, n := range []string{"../../../../tmp/evil", `..\..\evil`, "/etc/passwd", name} {
			if _, err := a.e.SendFile(chat.To(ann), n, strings.NewReader(strings.Repeat("evil ", 1000))); err != nil {
				return err
			}
		}
		_, err := a.e.SendFile(chat.To(ann), "", strings.NewReader("x"))
		if err == nil {
			return errors.New("a file without a name was sent")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.awaitUnread("ann", 4, "Mallory")
	shown := c.ok(t, "tell", "ann", "chat", "Mallory")
	if strings.ContainsAny(shown, "\x1b\x07\u202e") || strings.Contains(shown, "/") || strings.Contains(shown, `\`) {
		t.Errorf("shown as they are: %q", shown)
	}
	path := filepath.Join(t.TempDir(), "here")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	told[string](c, "ann", "fetch", "Mallory", "1", path) // nobody answers: Mallory is gone
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("a file of ann's holds %q, %v", b, err)
	}
	t.Logf("four names shown as %q", shown)
}

// hugeGroup: somebody whom ann knows puts her into a group of strangers.
func (c *crowd) hugeGroup(t *testing.T) {
	const members = 300
	ann, before := c.key("ann").Public(), c.memory("ann")
	began := time.Now()
	err := c.attack(t.TempDir(), func(a *attacker) error {
		told[string](c, "ann", "add", a.e.Self().Owner.String(), "Trudy")
		id, err := a.e.CreateGroup("Crowd")
		if err != nil {
			return err
		}
		change := func(k identity.PubKey) error { return a.e.Change(id, group.Change{Kind: group.Add, Subject: k}) }
		for range members - 2 {
			k, err := identity.Generate()
			if err == nil {
				err = change(k.Public())
			}
			if err == nil {
				err = a.e.Remove(k.Public()) // what waits for them has nowhere to go
			}
			if err != nil {
				return err
			}
		}
		a.done = func() bool { return len(told[[]groupRow](c, "ann", "groups")) > 0 }
		return change(ann)
	})
	if err != nil {
		t.Fatal(err)
	}
	c.awaitMembers(members, "ann")
	built := time.Since(began)
	began = time.Now()
	told[string](c, "ann", "msg", "Crowd", "who are you all?")
	wrote := time.Since(began)
	if contacts := told[[]contactRow](c, "ann", "contacts"); len(contacts) < members {
		t.Errorf("ann has %d contacts", len(contacts))
	}
	delivery := c.talks(t, "ben", "ann", "still there?")
	t.Logf("a group of %d, all but two of them nobody, there after %.1f s; ann wrote to it in %.2f s; her memory %.0f MB, then %.0f; a friend's message took %.2f s",
		members, built.Seconds(), wrote.Seconds(), before, c.memory("ann"), delivery.Seconds())
}

// hoard: somebody whom ann knows brings her into groups without end, and writes until her disk were full.
func (c *crowd) hoard(t *testing.T) {
	const groups, texts = 100, 600 // 9.6 MB
	ann := c.key("ann").Public()
	store := func() float64 {
		info, err := os.Stat(filepath.Join(c.folder("ann"), chat.StoreFile))
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size()) / 1e6
	}
	before, began, known := store(), time.Now(), len(told[[]groupRow](c, "ann", "groups"))
	err := c.attack(t.TempDir(), func(a *attacker) error {
		told[string](c, "ann", "add", a.e.Self().Owner.String(), "Hoarder")
		for i := range groups {
			id, err := a.e.CreateGroup(fmt.Sprint("Club ", i))
			if err == nil {
				err = a.e.Change(id, group.Change{Kind: group.Add, Subject: ann})
			}
			if err != nil {
				return err
			}
		}
		_, err := a.e.SendAll(chat.To(ann), slices.Repeat([]string{strings.Repeat("x", chat.MaxText)}, texts), chat.MessageID{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	eventuallyTrue(t, "ann is told", func() error {
		notes = nil
		for _, words := range []string{fmt.Sprint("invited ", chat.MaxInvitationsOf), fmt.Sprint("full ", hoardDaily<<20)} {
			for _, r := range told[[]messageRow](c, "ann", "search", words) {
				notes = append(notes, r.From+" "+r.Text[2:])
			}
		}
		if len(notes) != 2 {
			return fmt.Errorf("%q", notes)
		}
		return nil
	})
	invited := 0
	for _, g := range told[[]groupRow](c, "ann", "groups") {
		if g.State == "invited" && g.From == "Hoarder" {
			invited++
		}
	}
	if rows := told[[]messageRow](c, "ann", "chat", "Hoarder", "1000"); len(rows) < 50 { // as many as an answer holds
		t.Errorf("%d rows", len(rows))
	}
	after := store()
	if invited != chat.MaxInvitationsOf || after-before > 5*hoardDaily {
		t.Errorf("%d groups of %d, the store has grown from %.1f to %.1f MB", invited, groups, before, after)
	}
	delivery := c.talks(t, "ben", "ann", "is there room?")
	t.Logf("%d groups and %.1f MB of texts in %.1f s: %d groups are held beside %d, the store grew from %.1f to %.1f MB; ann is told %q; a friend's message took %.2f s",
		groups, texts*chat.MaxText/1e6, time.Since(began).Seconds(), invited, known, before, after, notes, delivery.Seconds())
}
