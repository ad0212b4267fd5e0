package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// maxPuts is how many large requests are on their way at once; a server takes no more.
const maxPuts = 3

// ClientConfig says whose client it is and where the server.
type ClientConfig struct {
	Server  secure.Addr
	Key     *identity.Key // the owner of our mailbox
	Network string
	Pins    *secure.Pins
	Net     control.Net // nil: TCP
	Log     *slog.Logger
}

// Client is a person's connections to a server. They are made when they are needed. Safe for concurrent use; Close ends it.
type Client struct {
	own, other *line
	puts       chan struct{} // one taken for each large request
}

// NewClient prepares a client; it connects to nothing.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Key == nil || cfg.Pins == nil || cfg.Server.HostPort == "" {
		return nil, errors.New("mailbox: Server, Key and Pins are needed")
	}
	nobody, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	line := func(key *identity.Key) *line {
		c := secure.Config{Local: key, Kind: secure.KindMailbox, Network: cfg.Network}
		if cfg.Net != nil {
			c.Dial = cfg.Net.Dial
		}
		return &line{addr: cfg.Server, cfg: c, pins: cfg.Pins, log: cfg.Log}
	}
	return &Client{own: line(cfg.Key), other: line(nobody), puts: make(chan struct{}, maxPuts)}, nil
}

// Close ends the connections and waits for them.
func (c *Client) Close() error {
	c.own.close()
	c.other.close()
	return nil
}

// Addr is where the server listens, as it was given.
func (c *Client) Addr() string { return c.own.addr.HostPort }

// Home is the server: where it listens, and its key once that is known.
func (c *Client) Home() (Home, bool) {
	a := c.own.addr
	if a.Key.IsZero() {
		var ok bool
		if a.Key, ok = c.own.pins.Lookup(a.HostPort); !ok {
			return Home{}, false
		}
	}
	return Home{a.Key, a.HostPort}, true
}

// Connected reports whether the last request reached the server.
func (c *Client) Connected() bool { return c.own.up() }

// large makes a request of many bytes when it is its turn.
func (c *Client) large(ctx context.Context, l *line, t control.Type, body []byte) ([]byte, error) {
	select {
	case c.puts <- struct{}{}:
		defer func() { <-c.puts }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.call(ctx, t, body)
}

// Put implements chat.Post.
func (c *Client) Put(ctx context.Context, to Address, envelopes [][]byte) error {
	_, err := c.large(ctx, c.other, typePut, putRequest{to, envelopes}.append(nil))
	return err
}

// Fetch implements chat.Post.
func (c *Client) Fetch(ctx context.Context, device uint32) ([]Letter, error) {
	b, err := c.own.call(ctx, typeFetch, binary.BigEndian.AppendUint32(nil, device))
	if err != nil {
		return nil, err
	}
	list, err := parseList(b, fetchCount, maxEnvelope)
	letters := make([]Letter, len(list))
	for i, e := range list {
		letters[i] = Letter{IDOf(e), e}
	}
	return letters, err
}

// Ack implements chat.Post.
func (c *Client) Ack(ctx context.Context, device uint32, ids []ID) error {
	for len(ids) > 0 {
		n := min(len(ids), maxAcks)
		if _, err := c.own.call(ctx, typeAck, ackRequest{device, ids[:n]}.append(nil)); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// Publish implements chat.Post.
func (c *Client) Publish(ctx context.Context, b Bundle) (left int, err error) {
	answer, err := c.large(ctx, c.own, typePublish, b.append(nil))
	if err != nil {
		return 0, err
	}
	r := wire.NewReader(answer)
	left = int(r.U16())
	return left, r.Done()
}

// Cards implements chat.Post.
func (c *Client) Cards(ctx context.Context, owner identity.PubKey) ([][]byte, error) {
	b, err := c.other.call(ctx, typeCards, owner[:])
	if err != nil {
		return nil, err
	}
	return parseList(b, MaxDevices, MaxCard)
}

// TakePrekey implements chat.Post.
func (c *Client) TakePrekey(ctx context.Context, of Address) ([]byte, error) {
	b, err := c.other.call(ctx, typeTake, of.append(nil))
	if err == nil && len(b) != prekey.Len {
		err = wire.ErrMalformed
	}
	return b, err
}

// line is one connection, made again when it has ended.
type line struct {
	addr secure.Addr
	cfg  secure.Config
	pins *secure.Pins
	log  *slog.Logger

	dialing sync.Mutex // one at a time

	mu     sync.Mutex // guards the following
	peer   *control.Peer
	ended  chan struct{} // of peer's Run
	closed bool
}

// call makes a request; over a new connection if the one there ended before the answer. Errors: ErrNobody, ErrFull.
func (l *line) call(ctx context.Context, t control.Type, body []byte) ([]byte, error) {
	for again := false; ; again = true {
		p, err := l.connection(ctx)
		if err != nil {
			return nil, err
		}
		b, err := p.Call(ctx, t, body)
		switch {
		case errors.Is(err, control.ErrClosed) && !again:
			continue
		case errors.Is(err, context.DeadlineExceeded):
			p.Close() // perhaps nobody is there any more
		}
		return b, explain(err)
	}
}

// explain turns refusals into errors that callers tell apart.
func explain(err error) error {
	switch control.CodeOf(err) {
	case control.CodeUnknownKey:
		return ErrNobody
	case control.CodeQuota:
		return ErrFull
	case control.CodeStale:
		return ErrGone
	}
	return err
}

func (l *line) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live() != nil
}

// live is the connection, if it has not ended. The caller holds mu.
func (l *line) live() *control.Peer {
	if l.peer == nil {
		return nil
	}
	select {
	case <-l.peer.Done():
		return nil
	default:
		return l.peer
	}
}

func (l *line) connection(ctx context.Context) (*control.Peer, error) {
	l.dialing.Lock()
	defer l.dialing.Unlock()
	l.mu.Lock()
	p, closed, ended := l.live(), l.closed, l.ended
	l.mu.Unlock()
	switch {
	case closed:
		return nil, control.ErrClosed
	case p != nil:
		return p, nil
	case ended != nil:
		<-ended
	}
	c, err := l.pins.DialService(ctx, l.addr, l.cfg)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	p = control.NewPeer(control.PeerConfig{Conn: c, Log: l.log, Serve: func(_ context.Context, t control.Type, _ []byte) ([]byte, error) {
		return nil, control.Errorf(control.CodeBadRequest, "request %d", t)
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
		return nil, control.ErrClosed
	}
	ended = make(chan struct{})
	l.peer, l.ended = p, ended
	run := context.WithoutCancel(ctx) // the connection outlives the request
	go func() { p.Run(run); close(ended) }()
	return p, nil
}

func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	p, ended := l.peer, l.ended
	l.mu.Unlock()
	if p != nil {
		p.Close()
		<-ended
	}
}
