package main

import (
	"context"
	"errors"
	"net"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/web"
	"github.com/skycoin/viscript/node/app"
)

// openWeb opens the page, if one is asked for.
func (p *chatRoom) openWeb(listen, name string, e roleEnv) (err error) {
	if listen == "" {
		return nil
	}
	p.web, err = web.New(web.Config{Listen: listen, Name: name, Engine: p.e, PeerUID: app.PeerUID, LinkUsed: p.kick, Log: e.log, Dir: e.dir, Export: p.exportTo})
	return err
}

// serve is the person's messenger, with its page.
func (p *chatRoom) serve(ctx context.Context) error {
	if p.web == nil {
		return p.e.Run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	page := make(chan error, 1)
	go func() {
		page <- p.web.Run(ctx)
		cancel()
	}()
	err := p.e.Run(ctx)
	return errors.Join(err, <-page)
}

func (p *chatRoom) kick() {
	select {
	case p.added <- struct{}{}:
	default:
	}
}

// page is what the status says of the page.
func (p *chatRoom) page() string {
	if p.web == nil {
		return ""
	}
	if link := p.web.Waiting(); link != "" {
		return ", page (opens once): " + link
	}
	_, port, _ := net.SplitHostPort(p.web.Addr().String()) // it is one
	return ", page on port " + port + ": tell ID web"
}

func (p *chatRoom) webLink([]string) (any, error) {
	if p.web == nil {
		return nil, errors.New("this chat has no page: start it with --web 127.0.0.1:PORT")
	}
	return p.web.Link(), nil
}

// tellWeb passes an event on to the page.
func (p *chatRoom) tellWeb(ev chat.Event) {
	if p.web != nil {
		p.web.Notify(ev)
	}
}
