package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/web"
	"github.com/skycoin/viscript/viscript/command"
)

func chatRole() role {
	var page string
	var servers []string
	var daily uint32
	var beside besideFlags
	return role{
		name:  "chat",
		args:  "NAME --messenger [KEY@]HOST:PORT ... [--web 127.0.0.1:PORT]",
		short: "a person's messenger: conversations by public key, alone and in groups",
		long: `NAME   what this person is called on this machine; each name has a key and a history of its own

Messages are encrypted from device to device. They wait at the messenger (messenger --mailboxes) while the other side is away;
it sees whose mailboxes there are, sizes and times. History is on this disk only, encrypted with the key.

With several messengers our mailbox is at each of them; when one does not answer, others write to the next, and nothing is lost
when one never comes back. People whose mailboxes are at messengers that we do not use are added by their address (tell ID address).`,
		count: [2]int{1, 1}, instance: func(args []string) string { return args[0] }, more: chatTransfers,
		flags: func(f *pflag.FlagSet) {
			beside.add(f)
			f.StringArrayVar(&servers, "messenger", nil, "where our mailbox is, `[KEY@]HOST:PORT`: what a messenger was given as --mailboxes; may be given again: others try them in order")
			f.Uint32Var(&daily, "daily", chat.DefaultDaily>>20, "`MIB` that one contact may leave here in a day without our asking: messages, groups, pictures that the page fetches; more is not kept, and told")
			f.StringVar(&page, "web", "", "also serve a page for a browser of this user on this machine, at `127.0.0.1:PORT`; tell ID web says how to open it")
		},
		build: func(_ context.Context, e roleEnv, args []string) (*service, error) {
			if daily == 0 {
				return nil, errors.New("--daily 0: want at least 1 MiB")
			}
			posts, err := newChatPosts(servers, e)
			if err != nil {
				return nil, err
			}
			p := &chatRoom{posts: posts, dir: e.dir, added: make(chan struct{}, 1), about: "chat of " + args[0] + ": " + e.key.Public().String()}
			if p.beside, err = beside.open(e); err != nil {
				return nil, errors.Join(err, posts.close())
			}
			if p.e, err = chat.Open(chat.Config{Key: e.key, Dir: e.dir, Posts: posts.posts(), Dial: posts.visit, Daily: uint64(daily) << 20, Log: e.log, Notify: p.notify}); err != nil {
				return nil, errors.Join(err, posts.close())
			}
			if err := p.openWeb(page, args[0], e); err != nil {
				return nil, errors.Join(err, posts.close(), p.e.Close())
			}
			return &service{run: p.run, status: p.about + p.page(), commands: p.commands(), private: true, follow: p.follow}, nil
		},
	}
}

// chatRoom is a person's messenger as the console sees it.
type chatRoom struct {
	web   *web.Server // nil: no page
	e     *chat.Engine
	posts *chatPosts
	dir   string        // the state folder, with the key
	added chan struct{} // holds one: something came
	about string        // the status when all has been read
	beside
}

func (p *chatRoom) run(ctx context.Context) error {
	stop := p.begin(ctx)
	err := p.serve(ctx)
	stop()
	return errors.Join(err, p.posts.close(), p.e.Close())
}

func (p *chatRoom) notify(ev chat.Event) {
	p.tell.hear(ev, p.self)
	p.tellWeb(ev)
	if ev.Kind != chat.MessageAdded && ev.Kind != chat.ContactChanged && ev.Kind != chat.RequestAdded {
		return
	}
	p.kick()
}

// statusPause is how often the status changes at most.
const statusPause = 2 * time.Second

// follow shows how many messages have not been read.
func (p *chatRoom) follow(ctx context.Context, say func(string)) {
	for ctx.Err() == nil {
		say(p.about + p.unread() + p.page())
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
		text += ", " + command.Count(len(requests), "request")
	}
	return text
}
