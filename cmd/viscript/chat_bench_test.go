//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// talker is a person in the process of a benchmark.
type talker struct {
	e   *chat.Engine
	key *identity.Key
	got chan chat.Message // that others wrote
}

// newTalker makes a person whose mailbox is at addr; it runs until the benchmark ends.
func newTalker(b *testing.B, addr string) *talker {
	b.Helper()
	p := &talker{got: make(chan chat.Message, 1<<16)}
	dir := b.TempDir()
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err == nil {
		p.key, err = identity.Generate()
	}
	if err != nil {
		b.Fatal(err)
	}
	post, err := mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: addr}, Key: p.key, Pins: pins})
	if err != nil {
		b.Fatal(err)
	}
	p.e, err = chat.Open(chat.Config{Key: p.key, Dir: dir, Post: post, Daily: 1 << 50, Notify: func(ev chat.Event) {
		if ev.Kind == chat.MessageAdded && ev.Message.From != p.key.Public() {
			p.got <- *ev.Message
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = p.e.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		work.Wait()
		p.e.Close()
		post.Close()
	})
	return p
}

// twoTalkers are two people who know each other and have met, and the messenger's process between them.
func twoTalkers(b *testing.B) (ann, ben *talker, post *meetingPoint) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	boxes := ln.Addr().String()
	ln.Close()
	post = startMessenger(b, "--mailboxes", boxes)
	ann, ben = newTalker(b, boxes), newTalker(b, boxes)
	for _, p := range [][2]*talker{{ann, ben}, {ben, ann}} {
		if err := p[0].e.AddContact(p[1].key.Public(), "other"); err != nil {
			b.Fatal(err)
		}
		p[0].says(b, p[1], "hello")
		<-p[1].got
	}
	return ann, ben, post
}

func (p *talker) says(b *testing.B, to *talker, texts ...string) {
	b.Helper()
	if _, err := p.e.SendAll(chat.To(to.key.Public()), texts, chat.MessageID{}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkChatDelivery: one message at a time, from the call that sends it until the other person's history has it, through a
// messenger: written to three disks.
func BenchmarkChatDelivery(b *testing.B) {
	ann, ben, _ := twoTalkers(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		ann.says(b, ben, "see you at eight")
		<-ben.got
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
}

// BenchmarkChatThroughput: messages that wait, from one person to the other, through a messenger.
func BenchmarkChatThroughput(b *testing.B) {
	ann, ben, post := twoTalkers(b)
	texts := numbered("see you at eight, number ", 100)
	n, used, began := 0, cpu(b, post.cmd.Process.Pid), time.Now()
	ends := ownCPU()
	for b.Loop() {
		ann.says(b, ben, texts...)
		for range texts {
			<-ben.got
		}
		n += len(texts)
	}
	ends = ownCPU() - ends
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "messages/s")
	b.ReportMetric(float64((cpu(b, post.cmd.Process.Pid)-used).Microseconds())/float64(n), "messenger-µs/message")
	b.ReportMetric(float64(ends.Microseconds())/float64(n), "both-ends-µs/message")
}

// ownCPU is the processor time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of ourselves it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// history is how many messages the store of BenchmarkChatHistory holds, in ten conversations.
const history = 100_000

// longHistory is the folder of a person with that many messages, of which "windmill" is in a hundred.
func longHistory(b *testing.B) string {
	b.Helper()
	key, err := identity.Generate()
	if err != nil {
		b.Fatal(err)
	}
	none := struct{ chat.Post }{}
	from, err := chat.Open(chat.Config{Key: key, Dir: b.TempDir(), Post: none})
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	for talk := range 10 {
		other, err := identity.Generate()
		if err != nil {
			b.Fatal(err)
		}
		for part := range history / 10 / 1000 {
			texts := numbered(fmt.Sprintf("we talked of this and that in conversation %d, part %d, line ", talk, part), 1000)
			texts[500] += " about the windmill"
			if _, err := from.SendAll(chat.To(other.Public()), texts, chat.MessageID{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	var file bytes.Buffer
	if err := from.Export(&file, "a long passphrase"); err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := key.Save(filepath.Join(dir, identity.FileName)); err != nil {
		b.Fatal(err)
	}
	to, err := chat.Open(chat.Config{Key: key, Dir: dir, Post: none})
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	if n, err := to.Import(&file, "a long passphrase"); err != nil || n != history {
		b.Fatalf("%d messages were imported, %v", n, err)
	}
	return dir
}

// BenchmarkChatHistory: a person with 100,000 messages: the process, and a search.
func BenchmarkChatHistory(b *testing.B) {
	dir := longHistory(b)
	key, err := identity.LoadOrCreate(filepath.Join(dir, identity.FileName))
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(b.TempDir(), "viscript")
	if err := os.Symlink(self, program); err != nil {
		b.Fatal(err)
	}
	b.Run("Process", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command(program, "chat", "ann", "--messenger", "127.0.0.1:1", "--state", dir)
			cmd.Env = cleanEnv()
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			b.ReportMetric(float64(memory(b, cmd.Process.Pid))/1024, "MiB")
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		info, err := os.Stat(filepath.Join(dir, chat.StoreFile))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "store-MiB")
	})
	e, err := chat.Open(chat.Config{Key: key, Dir: dir, Post: struct{ chat.Post }{}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for words, want := range map[string]int{"windmill": 100, "nowhere to be found": 0} {
		b.Run(words, func(b *testing.B) {
			n, used := 0, ownCPU()
			for ; b.Loop(); n++ {
				if list, err := e.Search(words, 1000); err != nil || len(list) != want {
					b.Fatalf("%d found, %v", len(list), err)
				}
			}
			b.ReportMetric(float64((ownCPU()-used).Microseconds())/1000/float64(n), "cpu-ms/op")
		})
	}
	list, err := e.Conversations(false)
	if err != nil || len(list) != 10 {
		b.Fatalf("%d conversations, %v", len(list), err)
	}
	b.Run("Page", func(b *testing.B) { // 50 messages from the middle
		for b.Loop() {
			if m, err := e.History(list[3].Talk, 5000, 50); err != nil || len(m) != 50 {
				b.Fatal(len(m), err)
			}
		}
	})
}
