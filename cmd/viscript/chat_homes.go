package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/mark"
	"github.com/skycoin/viscript/node/secure"
)

// chatPosts are the messengers that a person has given, and how those of others are reached.
type chatPosts struct {
	own   []*mailbox.Client
	visit func(mailbox.Home) (chat.Post, error)
}

func newChatPosts(servers []string, e roleEnv) (*chatPosts, error) {
	if len(servers) == 0 {
		return nil, errors.New("chat: --messenger [KEY@]HOST:PORT is needed")
	}
	if len(servers) > chat.MaxPosts {
		return nil, fmt.Errorf("--messenger: %d of them; %d are allowed", len(servers), chat.MaxPosts)
	}
	p := &chatPosts{}
	places := map[string]bool{}
	for _, s := range servers {
		at, err := secure.ParseAddr(s)
		if err == nil && places[at.HostPort] {
			err = fmt.Errorf("%s is given twice", at.HostPort)
		}
		var c *mailbox.Client
		if err == nil {
			places[at.HostPort] = true
			c, err = mailbox.NewClient(mailbox.ClientConfig{Server: at, Key: e.key, Network: e.network, Pins: e.pins, Log: e.log})
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--messenger: %w", err), p.close())
		}
		p.own = append(p.own, c)
	}
	there := &visits{own: p.hosts()}
	p.visit = func(h mailbox.Home) (chat.Post, error) {
		nobody, err := identity.Generate() // they need not know whose mailbox we have elsewhere
		if err != nil {
			return nil, err
		}
		return mailbox.NewClient(mailbox.ClientConfig{
			Server: secure.Addr{Key: h.Key, HostPort: h.HostPort}, Key: nobody, Network: e.network, Pins: e.pins, Net: there, Log: e.log,
		})
	}
	return p, nil
}

func (p *chatPosts) posts() (list []chat.Post) {
	for _, c := range p.own {
		list = append(list, c)
	}
	return list
}

func (p *chatPosts) hosts() (list []string) {
	for _, c := range p.own {
		host, _, err := net.SplitHostPort(c.Addr())
		if err == nil {
			list = append(list, host)
		}
	}
	return list
}

func (p *chatPosts) close() (err error) {
	for _, c := range p.own {
		err = errors.Join(err, c.Close())
	}
	return err
}

// visits connects to messengers that other people name: never to what is nearer than our own messengers are, so that nobody's card makes us knock
// at this machine's ports or at the local network's, unless a messenger of ours is there too.
type visits struct {
	own []string // hosts of our messengers

	once    sync.Once // guards the following
	nearest reach
}

// reach is how far away an address is.
type reach int

const (
	here reach = iota // this machine
	near              // networks that are not routed in the internet
	far
)

// resolveTime bounds the look at our own messengers' names.
const resolveTime = 3 * time.Second

func reachOf(a netip.Addr) reach {
	a = a.Unmap()
	switch {
	case a.IsLoopback(), a.IsUnspecified():
		return here
	case a.IsPrivate(), a.IsLinkLocalUnicast(), a.IsMulticast(), netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		return near
	}
	return far
}

// look finds out where our own messengers are.
func (v *visits) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	d := mark.Dialer()
	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	v.nearest = far
	for _, host := range v.own {
		list, err := r.LookupNetIP(ctx, "ip", host)
		if err != nil {
			continue // it is far, until the next start
		}
		for _, a := range list {
			v.nearest = min(v.nearest, reachOf(a))
		}
	}
}

// Dial implements control.Net.
func (v *visits) Dial(ctx context.Context, hostPort string) (net.Conn, error) {
	v.once.Do(func() { v.look(ctx) })
	d := mark.Dialer()
	marked := d.Control
	d.Control = func(network, address string, c syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || at.Addr().IsMulticast() || at.Addr().IsUnspecified() || reachOf(at.Addr()) < v.nearest {
			return errors.New("a messenger of somebody else that would be nearer than ours is not connected to")
		}
		return marked(network, address, c)
	}
	return d.DialContext(ctx, "tcp", hostPort)
}

// Listen implements control.Net; nobody is visited here.
func (v *visits) Listen(context.Context, string) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}
