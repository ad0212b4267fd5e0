package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/secure"
)

func chatRole() role {
	var server string
	var beside besideFlags
	return role{
		name:  "chat",
		args:  "NAME --messenger [KEY@]HOST:PORT",
		short: "a person's messenger: conversations by public key, alone and in groups",
		long: `NAME   what this person is called on this machine; each name has a key and a history of its own

Messages are encrypted from device to device. They wait at the messenger (messenger --mailboxes) while the other side is away;
it sees whose mailboxes there are, sizes and times. History is on this disk only, encrypted with the key.`,
		count: [2]int{1, 1}, instance: func(args []string) string { return args[0] },
		flags: func(f *pflag.FlagSet) {
			beside.add(f)
			f.StringVar(&server, "messenger", "", "where our mailbox is, `[KEY@]HOST:PORT`: what a messenger was given as --mailboxes")
		},
		build: func(_ context.Context, e roleEnv, args []string) (*service, error) {
			if server == "" {
				return nil, errors.New("chat: --messenger [KEY@]HOST:PORT is needed")
			}
			at, err := secure.ParseAddr(server)
			if err != nil {
				return nil, fmt.Errorf("--messenger: %w", err)
			}
			post, err := mailbox.NewClient(mailbox.ClientConfig{Server: at, Key: e.key, Network: e.network, Pins: e.pins, Log: e.log})
			if err != nil {
				return nil, err
			}
			p := &chatRoom{post: post, added: make(chan struct{}, 1), about: "chat of " + args[0] + ": " + e.key.Public().String()}
			if p.beside, err = beside.open(e); err != nil {
				return nil, errors.Join(err, post.Close())
			}
			if p.e, err = chat.Open(chat.Config{Key: e.key, Dir: e.dir, Post: post, Log: e.log, Notify: p.notify}); err != nil {
				return nil, errors.Join(err, post.Close())
			}
			return &service{run: p.run, status: p.about, commands: p.commands(), private: true, follow: p.follow}, nil
		},
	}
}

// chatRoom is a person's messenger as the console sees it.
type chatRoom struct {
	e     *chat.Engine
	post  *mailbox.Client
	added chan struct{} // holds one: something came
	about string        // the status when all has been read
	beside
}

func (p *chatRoom) run(ctx context.Context) error {
	stop := p.begin(ctx)
	err := p.e.Run(ctx)
	stop()
	return errors.Join(err, p.post.Close(), p.e.Close())
}

func (p *chatRoom) notify(ev chat.Event) {
	p.tell.hear(ev, p.self)
	if ev.Kind != chat.MessageAdded && ev.Kind != chat.ContactChanged && ev.Kind != chat.RequestAdded {
		return
	}
	select {
	case p.added <- struct{}{}:
	default:
	}
}

// statusPause is how often the status changes at most.
const statusPause = 2 * time.Second

// follow shows how many messages have not been read.
func (p *chatRoom) follow(ctx context.Context, say func(string)) {
	for ctx.Err() == nil {
		say(p.about + p.unread())
		select {
		case <-p.added:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(statusPause):
		case <-ctx.Done():
		}
	}
}

// unread is what to say of messages that have not been read; "" if there are none.
func (p *chatRoom) unread() (text string) {
	list, err := p.e.Conversations(false)
	requests, err2 := p.e.Conversations(true)
	if err != nil || err2 != nil {
		return ""
	}
	n := 0
	for _, c := range list {
		n += c.Unread
	}
	if n > 0 {
		text = fmt.Sprintf(", %d unread", n)
	}
	if len(requests) > 0 {
		text += fmt.Sprintf(", %d requests", len(requests))
	}
	return text
}
