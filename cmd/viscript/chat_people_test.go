//go:build linux

package main

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// thousands is how many messages two people send each other; CHAT_MESSAGES says otherwise.
func thousands(t *testing.T) int {
	n := 10_000
	if raceDetector {
		n = 300
	}
	return number(t, "CHAT_MESSAGES", n)
}

// TestChatThousands: two people, each a process, send each other thousands of messages, one after the other, while the messenger is killed twice
// and one of them is away for a while. None is lost, none comes twice, all come in order.
func TestChatThousands(t *testing.T) {
	c := startCrowd(t, "ann", "ben")
	n := thousands(t)
	began := time.Now()
	var work sync.WaitGroup
	away := make(chan struct{}) // closed when ben has gone
	write := func(who, to string, at func(i int)) {
		id := c.ready(who)
		for i := range n {
			if _, err := c.say(id, "msg", to, fmt.Sprint(who, " ", i)); err != nil {
				t.Errorf("%s writes number %d: %v", who, i, err)
				return
			}
			at(i)
		}
	}
	work.Go(func() {
		write("ann", "ben", func(i int) {
			switch i {
			case n / 4, 3 * n / 4:
				c.killPost()
			case n / 2:
				<-away
			}
		})
	})
	work.Go(func() {
		defer func() {
			select {
			case <-away:
			default:
				close(away)
			}
		}()
		write("ben", "ann", func(i int) {
			if i == n/2 {
				c.off("ben")
				close(away)
				time.Sleep(time.Second)
				c.on("ben")
			}
		})
	})
	work.Wait()
	written := time.Since(began)
	c.awaitUnread("ann", n, "ben")
	c.awaitUnread("ben", n, "ann")
	t.Logf("%d messages each way: written in %.1f s, all there after %.1f s", n, written.Seconds(), time.Since(began).Seconds())
	ann, ben := c.key("ann").Public(), c.key("ben").Public()
	c.off("ann")
	c.off("ben")
	ea, eb := c.reader("ann"), c.reader("ben")
	defer ea.Close()
	defer eb.Close()
	sameTexts(t, "ben's from ann", textsOf(t, eb, chat.To(ann), ann), numbered("ann ", n))
	sameTexts(t, "ann's from ben", textsOf(t, ea, chat.To(ben), ben), numbered("ben ", n))
}

// TestChatFive: five people, each a process, write to each other and in a group while the messenger is killed and one of them is away. Then one is
// removed from the group, and reads nothing that is newer.
func TestChatFive(t *testing.T) {
	names := []string{"ann", "ben", "cat", "dan", "eve"}
	c := startCrowd(t, names...)
	each := 40
	if raceDetector {
		each = 5
	}
	told[string](c, "ann", "group", "Walks")
	for _, n := range names[1:] {
		told[string](c, "ann", "invite", "Walks", n)
	}
	c.awaitMembers(5, names...)

	// Everybody writes to everybody, and to the group; dan is away in the middle, and the messenger dies.
	var work sync.WaitGroup
	half := make(chan struct{})
	atHalf := sync.OnceFunc(func() { close(half) })
	for _, n := range names {
		work.Go(func() {
			if n == "ann" {
				defer atHalf() // where it ends before
			}
			for i := range each {
				for _, to := range append(names, "Walks") {
					if to != n {
						told[string](c, n, "msg", to, fmt.Sprint(n, " to ", to, " ", i))
					}
				}
				switch {
				case n == "dan" && i == each/2:
					c.off("dan")
					<-half
					c.on("dan")
				case n == "ann" && i == each/2:
					c.killPost()
					atHalf()
				}
			}
		})
	}
	work.Wait()
	for _, n := range names {
		others := slices.DeleteFunc(slices.Clone(names), func(o string) bool { return o == n })
		c.awaitUnread(n, each, others...)
		c.awaitUnread(n, each*len(others), "Walks")
	}

	// eve is removed: what is written from then on is not for her.
	told[string](c, "ann", "remove", "Walks", "eve")
	c.awaitMembers(4, names[:4]...)
	for i := range each {
		for _, n := range names[:4] {
			told[string](c, n, "msg", "Walks", fmt.Sprint(n, " after ", i))
		}
	}
	for _, n := range names[:4] {
		c.awaitUnread(n, each*4+each*3, "Walks")
		told[string](c, n, "msg", "eve", "last") // behind the rest, in the queue of each
	}
	c.awaitUnread("eve", each+1, names[:4]...)
	if a, err := c.app("eve"); err != nil {
		t.Error(err)
	} else if _, err := c.say(a.ID, "msg", "Walks", "still here"); err == nil {
		t.Error("eve, who was removed, may write in the group")
	}
	c.checkFive(each)
}

// awaitMembers waits until people see the one group there is with so many members.
func (c *crowd) awaitMembers(n int, people ...string) {
	c.t.Helper()
	for _, p := range people {
		eventuallyTrue(c.t, fmt.Sprintf("%s sees %d members", p, n), func() error {
			if rows := told[[]groupRow](c, p, "groups"); len(rows) != 1 || len(rows[0].Members) != n {
				return fmt.Errorf("%+v", rows)
			}
			return nil
		})
	}
}

// checkFive reads everybody's store.
func (c *crowd) checkFive(each int) {
	t := c.t
	keys := map[string]identity.PubKey{}
	for _, n := range c.names {
		keys[n] = c.key(n).Public()
		c.off(n)
	}
	for _, n := range c.names {
		e := c.reader(n)
		groups, err := e.Groups()
		if err != nil || len(groups) != 1 {
			t.Fatalf("%s has %d groups, %v", n, len(groups), err)
		}
		for _, from := range c.names {
			if from == n {
				continue
			}
			direct, inGroup := numbered(from+" to "+n+" ", each), numbered(from+" to Walks ", each)
			if n == "eve" {
				direct = append(direct, "last")
			} else if from != "eve" {
				inGroup = append(inGroup, numbered(from+" after ", each)...)
			}
			sameTexts(t, n+"'s from "+from, textsOf(t, e, chat.To(keys[from]), keys[from]), direct)
			sameTexts(t, n+"'s in the group from "+from, textsOf(t, e, chat.In(groups[0].ID()), keys[from]), inGroup)
		}
		if found, err := e.Search(" after ", 10); n == "eve" && (len(found) > 0 || err != nil) {
			t.Errorf("eve has %+v, %v", found, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
