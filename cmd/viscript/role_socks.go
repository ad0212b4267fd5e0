package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/apps/socks"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// socksPort is the mesh port of a socks-server that names none, socksType its type in the tracker.
const (
	socksPort app.Port = 1080
	socksType          = "socks-server"
)

func socksServerRole() role {
	var private bool
	var targets, keys []string
	return role{
		name: "socks-server", links: []string{"meshnet-run-socks-server"},
		args:  "NAME NODE_ADDR [PORT]",
		short: "a SOCKS exit: connects to the targets that socks-clients on the mesh ask for",
		long: `NAME        unique name of this app in the tracker
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000
PORT        our port on the mesh; 0 or none: 1080

Without flags it connects to public addresses only: loopback, private, link-local and the like are denied
after the name is resolved, and so is port 25. The ports of the node and the daemon are never open to the mesh.`,
		count: [2]int{2, 3},
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&private, "allow-private", false, "connect to RFC 1918, ULA and CGNAT addresses too")
			f.StringArrayVar(&targets, "allow-target", nil, "connect to `HOST:PORT` or HOST:* whatever it is; the only way to loopback; may be given again")
			f.StringArrayVar(&keys, "allow-key", nil, "serve the node with this `KEY` only; may be given again")
		},
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			x := &exit{name: args[0], port: socksPort, env: e}
			if err := x.parse(args, targets, keys); err != nil {
				return nil, err
			}
			x.cfg.Policy.AllowPrivate = private
			return x.service()
		},
	}
}

// exit is a socks-server on its way to a service.
type exit struct {
	name   string
	port   app.Port
	env    roleEnv
	client *app.Client
	cfg    socks.ServerConfig
}

// parse reads arguments and flags.
func (x *exit) parse(args, targets, keys []string) (err error) {
	if x.client, err = app.Connect(args[1]); err != nil {
		return err
	}
	if len(args) > 2 {
		port, err := strconv.ParseUint(args[2], 10, 16)
		if err != nil {
			return fmt.Errorf("PORT %q: want a port on the mesh, 0 to 65535", args[2])
		}
		if port != 0 {
			x.port = app.Port(port)
		}
	}
	for _, t := range targets {
		rule, err := socks.ParseRule(t)
		if err != nil {
			return fmt.Errorf("--allow-target: %w", err)
		}
		x.cfg.Policy.Allow = append(x.cfg.Policy.Allow, rule)
	}
	for _, k := range keys {
		key, err := identity.ParseHex(k)
		if err != nil {
			return fmt.Errorf("--allow-key %q: %w", k, err)
		}
		x.cfg.AllowKeys = append(x.cfg.AllowKeys, key)
	}
	return nil
}

// service builds the exit.
func (x *exit) service() (*service, error) {
	if ap, err := netip.ParseAddrPort(x.env.signal); err == nil {
		x.cfg.Policy.Forbidden = append(x.cfg.Policy.Forbidden, ap)
	}
	ln := &meshListener{client: x.client, env: x.env, options: app.ListenOptions{Port: x.port, Name: x.name, Type: socksType}, up: make(chan struct{})}
	x.cfg.Accept, x.cfg.Policy.Closed, x.cfg.Log = ln.accept, ln.closed, x.env.log
	s, err := socks.NewServer(x.cfg)
	if err != nil {
		return nil, err
	}
	return &service{
		run: onHalfTheCores(s.Run), ready: ln.ready, status: fmt.Sprintf("SOCKS exit %q on mesh port %d", x.name, x.port),
		commands: []signal.Command{
			value("status", "connections and bytes, and what was refused", s.Stats),
			value("connections", "the connections that are open", s.Connections),
		},
	}, nil
}

func socksClientRole() role {
	var server, auth string
	return role{
		name: "socks-client", links: []string{"meshnet-run-socks-client"},
		args:  "NAME NODE_ADDR PORT",
		short: "a SOCKS5 proxy on loopback whose connections leave the mesh at a socks-server",
		long: `NAME        unique name of this app
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000
PORT        the loopback port, or ADDRESS:PORT, to listen on for SOCKS5, such as 8001

Names that end in .mesh lead to apps on the mesh instead of the exit: NODE.mesh and KEY.mesh to the port
that is asked for of that node, APP.app.mesh to where the tracker knows that app.`,
		count: [2]int{3, 3},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&server, "server", "", "the exit: `NAME` of a socks-server, or the KEY of its node (default: any that the tracker knows)")
			f.StringVar(&auth, "auth", "", "`FILE`, mode 0600, with USER:PASSWORD that programs must give")
		},
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			client, err := app.Connect(args[1])
			if err != nil {
				return nil, err
			}
			listen, err := loopbackListen(args[2])
			if err != nil {
				return nil, err
			}
			entry := &entry{client: client, server: server, pins: e.pins, log: e.log}
			cfg := socks.ClientConfig{Listen: listen, Dial: entry, PeerUID: app.PeerUID, Log: e.log}
			if auth != "" {
				if cfg.Auth, err = socks.LoadCredentials(auth); err != nil {
					return nil, err
				}
			}
			return entry.service(cfg)
		},
	}
}

// loopbackListen reads PORT or ADDRESS:PORT.
func loopbackListen(s string) (string, error) {
	if port, err := strconv.ParseUint(s, 10, 16); err == nil && port != 0 {
		return net.JoinHostPort("127.0.0.1", s), nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil && ap.Port() != 0 {
		return s, nil
	}
	return "", fmt.Errorf("PORT %q: want a port from 1 to 65535, or ADDRESS:PORT", s)
}

// service builds the entry.
func (e *entry) service(cfg socks.ClientConfig) (*service, error) {
	c, err := socks.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	status := fmt.Sprintf("SOCKS5 proxy at %s", c.Addr())
	return &service{
		run: onHalfTheCores(c.Run), ready: e.probe, status: status, follow: e.waits.follow(status),
		commands: []signal.Command{
			value("status", "connections and bytes, and what was refused", c.Stats),
			value("connections", "the connections that are open", c.Connections),
			tell("server", "the exit in use", func(ctx context.Context) (any, error) {
				a, err := e.find(ctx)
				if err != nil {
					return nil, err
				}
				return foundRows([]app.App{a})[0], nil
			}),
		},
	}, nil
}

// onHalfTheCores runs a role on half the cores, one at least, unless the variable GOMAXPROCS says how many. The bytes are moved
// by the node; what is left to the role are short steps, for which waking a second core costs more than it gives.
func onHalfTheCores(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
		}
		return run(ctx)
	}
}
