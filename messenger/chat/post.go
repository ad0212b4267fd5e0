package chat

import (
	"context"
	"errors"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// Post carries envelopes to mailboxes: a messenger, or something in memory. One that has Home() (mailbox.Home, bool) says what others call
// it, so that our cards can name it; one that has Close is closed if Config.Dial made it. Its methods are safe for concurrent use. A request that
// ends with an error may have been done all the same; each may be repeated.
type Post interface {
	// Put leaves envelopes in a mailbox, in order. They together are at most MaxPut bytes, or one. What the mailbox has already
	// is left out. All are there when it returns nil. Errors: ErrNobody, ErrFull.
	Put(ctx context.Context, to mailbox.Address, envelopes [][]byte) error
	// Fetch returns the oldest envelopes of our device, and waits a while for the first.
	Fetch(ctx context.Context, device uint32) ([]mailbox.Letter, error)
	// Ack deletes what has been read.
	Ack(ctx context.Context, device uint32, ids []mailbox.ID) error
	// Publish leaves a device's card and prekeys; it returns how many prekeys with a number are there then.
	Publish(ctx context.Context, b mailbox.Bundle) (left int, err error)
	// Cards returns the cards of somebody's devices. Errors: ErrNobody.
	Cards(ctx context.Context, owner identity.PubKey) ([][]byte, error)
	// TakePrekey returns a prekey of a device, another one each time while there are some. Errors: ErrNobody.
	TakePrekey(ctx context.Context, of mailbox.Address) ([]byte, error)
}

// MaxPut bounds the envelopes of one Put, in bytes and in number.
const (
	MaxPut      = mailbox.MaxPut
	MaxPutCount = mailbox.MaxPutCount
)

// Errors of a Post that the engine tells apart.
var (
	ErrNobody = mailbox.ErrNobody
	ErrFull   = mailbox.ErrFull
	ErrGone   = mailbox.ErrGone // our own device, or a card of it, was removed
)

// Offline is a Post that reaches nobody: for an engine that is not run.
type Offline struct{}

// ErrOffline is what Offline says.
var ErrOffline = errors.New("chat: no messenger is reached from here")

// Put implements Post, as the others.
func (Offline) Put(context.Context, mailbox.Address, [][]byte) error { return ErrOffline }

// Fetch implements Post.
func (Offline) Fetch(context.Context, uint32) ([]mailbox.Letter, error) { return nil, ErrOffline }

// Ack implements Post.
func (Offline) Ack(context.Context, uint32, []mailbox.ID) error { return ErrOffline }

// Publish implements Post.
func (Offline) Publish(context.Context, mailbox.Bundle) (int, error) { return 0, ErrOffline }

// Cards implements Post.
func (Offline) Cards(context.Context, identity.PubKey) ([][]byte, error) { return nil, ErrOffline }

// TakePrekey implements Post.
func (Offline) TakePrekey(context.Context, mailbox.Address) ([]byte, error) { return nil, ErrOffline }
