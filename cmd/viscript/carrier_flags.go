package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/quic"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/websocket"
)

// carrierFlags say how links travel beside TCP.
type carrierFlags struct {
	quic, wss, cert, key, proxy string
}

func (c *carrierFlags) add(f *pflag.FlagSet) {
	f.StringVar(&c.quic, "quic", "", "`HOST:PORT` for QUIC (UDP), which NATs can be punched for; by default where links are taken, or any port if that is in use; `off`: none")
	f.StringVar(&c.proxy, "proxy", "", "`URL` of the HTTP proxy by which wss:// addresses are reached; by default HTTPS_PROXY of the environment")
	c.listener(f)
}

// listener adds the flags of those who only listen.
func (c *carrierFlags) listener(f *pflag.FlagSet) {
	f.StringVar(&c.wss, "wss", "", "also listen at `HOST:PORT[/PATH]` for WebSockets over TLS, for those who get out by nothing else")
	f.StringVar(&c.cert, "wss-cert", "", "certificate `FILE` (PEM) for --wss; by default one is made and thrown away, which is as safe")
	f.StringVar(&c.key, "wss-key", "", "private key `FILE` (PEM) of --wss-cert")
}

// carrier makes the carrier of a role whose TCP port is at listen; the socket is nil without QUIC.
func (c *carrierFlags) carrier(listen string, log *slog.Logger) (*link.Several, *quic.Socket, error) {
	if (c.cert == "") != (c.key == "") {
		return nil, nil, errors.New("--wss-cert and --wss-key go together")
	}
	cfg := websocket.Config{Cert: c.cert, Key: c.key}
	if c.proxy != "" {
		u, err := url.Parse(c.proxy)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
			return nil, nil, fmt.Errorf("--proxy %.100q: want http://HOST:PORT", c.proxy)
		}
		cfg.Proxy = u
	}
	s := &link.Several{First: link.TCP{}, Others: []link.Other{{Carrier: websocket.New(cfg), Scheme: websocket.Scheme, Listen: c.wss}}}
	if c.quic == "off" {
		return s, nil, nil
	}
	// quic-go would write a line of its own to stderr where the kernel grants less than 7 MiB of buffers.
	if err := os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true"); err != nil {
		return nil, nil, err
	}
	socket := quic.New(quic.Config{Log: log})
	o := link.Other{Carrier: socket, Scheme: quic.Scheme, Listen: c.quic}
	if c.quic == "" {
		o.Listen, o.Try = listen, true
	}
	s.Others = append(s.Others, o)
	return s, socket, nil
}

// equip gives a node its carriers.
func (c *carrierFlags) equip(cfg *node.Config, log *slog.Logger) error {
	s, socket, err := c.carrier(cfg.Listen, log)
	if err != nil {
		return err
	}
	cfg.Carrier = s
	if socket != nil {
		cfg.Punch = socket
	}
	if scheme, _, _ := secure.Scheme(cfg.Manager.HostPort); scheme != "" {
		cfg.Net = s
	}
	return nil
}
