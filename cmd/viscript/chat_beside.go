package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// besideFlags say what a chat does beside carrying messages: whom it knows from the start, and what it tells.
type besideFlags struct {
	notices string
	known   []string
}

func (b *besideFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&b.known, "know", nil, "somebody of this machine, `NAME` of their chat beside this one, is a contact from the start; may be given again")
	f.StringVar(&b.notices, "notices", noticesNames, "what prompt and window tell of new messages, `WHAT`: names of who wrote, text too, or off")
}

// open checks the flags, and shows our public key to those of this machine who are to know us.
func (b *besideFlags) open(e roleEnv) (beside, error) {
	tell, err := newTeller(b.notices)
	if err == nil {
		err = showKey(e.dir, e.key.Public())
	}
	return beside{self: e.key.Public(), folder: e.dir, known: b.known, tell: tell, log: e.log}, err
}

// beside is that part of a chatRoom.
type beside struct {
	self   identity.PubKey
	folder string // the person's state
	known  []string
	tell   *teller
	log    *slog.Logger
}

// begin starts what goes on beside the engine; stop ends it and waits for it.
func (p *chatRoom) begin(ctx context.Context) (stop func()) {
	client := signal.FromContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { p.tellNotices(ctx, client) })
	work.Go(func() { p.know(ctx, p.folder, p.known) })
	return func() {
		cancel()
		work.Wait()
	}
}
