package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"

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

// exitFlags are the flags of a socks-server.
type exitFlags struct {
	private               bool
	targets, keys, denied []string
	keysFile, rate        string
	bindPorts, bindAddr   string
	conns                 int
}

func (f *exitFlags) define(s *pflag.FlagSet) {
	s.BoolVar(&f.private, "allow-private", false, "connect to RFC 1918, ULA and CGNAT addresses too")
	s.StringArrayVar(&f.targets, "allow-target", nil, "connect to `HOST:PORT` or HOST:* whatever it is; the only way to loopback; may be given again")
	s.StringArrayVar(&f.keys, "allow-key", nil, "serve the node with this `KEY` only; may be given again")
	s.StringArrayVar(&f.denied, "deny-key", nil, "do not serve the node with this `KEY`; may be given again")
	s.StringVar(&f.keysFile, "keys", "", "`FILE`, mode 0600, with the keys of the nodes to serve, and indented below a key `rate` and `connections`")
	s.StringVar(&f.rate, "rate", "", "bytes per second that each node may move, each way, such as 2MiB (default no limit)")
	s.IntVar(&f.conns, "max-connections", 0, "connections that each node may have (default 1024)")
	s.StringVar(&f.bindPorts, "bind-ports", "", "ports `FROM-TO` where BIND may listen (default none: BIND is denied)")
	s.StringVar(&f.bindAddr, "bind-address", "", "`IP` to tell of where BIND listens, behind a NAT that forwards those ports")
}

func socksServerRole() role {
	var flags exitFlags
	return role{
		name: "socks-server", links: []string{"meshnet-run-socks-server"},
		args:  "NAME NODE_ADDR [PORT]",
		short: "a SOCKS exit: connects to the targets that socks-clients on the mesh ask for",
		long: `NAME        unique name of this app in the tracker
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000
PORT        our port on the mesh; 0 or none: 1080

Without flags it connects, and sends datagrams, to public addresses only: loopback, private, link-local and the like are
denied after the name is resolved, and so is port 25. The ports of the node and the daemon are never open to the mesh.`,
		count:    [2]int{2, 3},
		flags:    flags.define,
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			x := &exit{name: args[0], port: socksPort, env: e}
			if err := x.parse(args); err != nil {
				return nil, err
			}
			if err := x.parseFlags(&flags); err != nil {
				return nil, err
			}
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

// parse reads arguments.
func (x *exit) parse(args []string) (err error) {
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
	return nil
}

// parseFlags reads flags.
func (x *exit) parseFlags(f *exitFlags) (err error) {
	x.cfg.Policy.AllowPrivate = f.private
	for _, t := range f.targets {
		rule, err := socks.ParseRule(t)
		if err != nil {
			return fmt.Errorf("--allow-target: %w", err)
		}
		x.cfg.Policy.Allow = append(x.cfg.Policy.Allow, rule)
	}
	if f.rate != "" {
		if x.cfg.Limits.Rate, err = socks.ParseRate(f.rate); err != nil {
			return fmt.Errorf("--rate: %w", err)
		}
	}
	if f.conns < 0 {
		return fmt.Errorf("--max-connections %d: want a number of at least 1", f.conns)
	}
	x.cfg.Limits.MaxStreamsPerKey = f.conns
	if err := x.parseKeys(f); err != nil {
		return err
	}
	return x.parseBind(f)
}

// parseKeys reads who may use the exit.
func (x *exit) parseKeys(f *exitFlags) (err error) {
	if f.keysFile != "" {
		if x.cfg.Keys, err = socks.LoadKeys(f.keysFile); err != nil {
			return err
		}
	}
	for _, k := range f.keys {
		key, err := identity.ParseHex(k)
		if err != nil {
			return fmt.Errorf("--allow-key %q: %w", k, err)
		}
		if x.cfg.Keys == nil {
			x.cfg.Keys = map[identity.PubKey]socks.Allowance{}
		}
		if _, known := x.cfg.Keys[key]; !known {
			x.cfg.Keys[key] = socks.Allowance{}
		}
	}
	for _, k := range f.denied {
		key, err := identity.ParseHex(k)
		if err != nil {
			return fmt.Errorf("--deny-key %q: %w", k, err)
		}
		x.cfg.DenyKeys = append(x.cfg.DenyKeys, key)
	}
	return nil
}

// parseBind reads where BIND may listen.
func (x *exit) parseBind(f *exitFlags) (err error) {
	if f.bindPorts != "" {
		from, to, _ := strings.Cut(f.bindPorts, "-")
		a, errA := strconv.ParseUint(from, 10, 16)
		b, errB := strconv.ParseUint(to, 10, 16)
		if errA != nil || errB != nil || a < 1024 || b < a {
			return fmt.Errorf("--bind-ports %q: want FROM-TO, ports from 1024 to 65535", f.bindPorts)
		}
		x.cfg.BindPorts = socks.PortRange{From: uint16(a), To: uint16(b)}
	}
	if f.bindAddr != "" {
		if x.cfg.BindAddr, err = netip.ParseAddr(f.bindAddr); err != nil || x.cfg.BindAddr.Zone() != "" {
			return fmt.Errorf("--bind-address %q: want an IP address", f.bindAddr)
		}
	}
	return nil
}

// service builds the exit.
func (x *exit) service() (*service, error) {
	if ap, err := netip.ParseAddrPort(x.env.signal); err == nil {
		x.cfg.Policy.Forbidden = append(x.cfg.Policy.Forbidden, ap)
	}
	ln := &meshListener{client: x.client, env: x.env, options: app.ListenOptions{Port: x.port, Name: x.name, Type: socksType, Carry: true}, up: make(chan struct{})}
	x.cfg.Accept, x.cfg.Policy.Closed, x.cfg.Log = ln.accept, ln.closed, x.env.log
	x.cfg.Packets = openPackets(x.client)
	s, err := socks.NewServer(x.cfg)
	if err != nil {
		return nil, err
	}
	return &service{
		run: onHalfTheCores(s.Run), ready: ln.ready, status: fmt.Sprintf("SOCKS exit %q on mesh port %d", x.name, x.port),
		commands: []signal.Command{
			value("status", "connections, datagrams and bytes, and what was refused", s.Stats),
			value("connections", "the connections that are open", s.Connections),
			value("keys", "what each node uses and may use", s.Keys),
		},
	}, nil
}

// entryFlags are the flags of a socks-client.
type entryFlags struct {
	servers    []string
	auth, rate string
	conns      int
	early      bool
	routes     routeFlags
}

func (f *entryFlags) define(s *pflag.FlagSet) {
	s.StringArrayVar(&f.servers, "server", nil, "the exit: `NAME` of a socks-server, or the KEY of its node, or any (default any that the tracker knows); given again, the next one when it fails")
	s.StringVar(&f.auth, "auth", "", "`FILE`, mode 0600, with lines USER:PASSWORD that programs must give, and indented below a user `rate` and `connections`")
	s.StringVar(&f.rate, "rate", "", "bytes per second, each way, that each user without a rate of his own may move, or all programs together without --auth (default no limit)")
	s.IntVar(&f.conns, "max-connections", 0, "connections that each user may have, or all programs together without --auth (default no limit of their own)")
	f.routes.add(s, "routes to the exit", "NODE")
	s.BoolVar(&f.early, "early-reply", false, "answer before the exit has connected: one round trip sooner, but a failure is only a reset")
}

func socksClientRole() role {
	var flags entryFlags
	return role{
		name: "socks-client", links: []string{"meshnet-run-socks-client"},
		args:  "NAME NODE_ADDR PORT",
		short: "a SOCKS and HTTP proxy on loopback whose connections leave the mesh at a socks-server",
		long: `NAME        unique name of this app
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000
PORT        the loopback port, or ADDRESS:PORT, to listen on, such as 8001

The same port speaks SOCKS5 with CONNECT, UDP ASSOCIATE and BIND, SOCKS4 and 4a, and HTTP: CONNECT and requests of whole URLs.
Names that end in .mesh lead to apps on the mesh instead of the exit: NODE.mesh and KEY.mesh to the port
that is asked for of that node, APP.app.mesh to where the tracker knows that app.

With --hops, --min-hops, --max-hops, --via and --avoid all that it opens on the mesh goes over routes that meet them, or is refused with the
reason. Where the node itself was given such flags, both hold.`,
		count:    [2]int{3, 3},
		flags:    flags.define,
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			client, err := app.Connect(args[1])
			if err != nil {
				return nil, err
			}
			cfg, err := flags.config()
			if err != nil {
				return nil, err
			}
			if cfg.Listen, err = loopbackListen(args[2]); err != nil {
				return nil, err
			}
			client, terms, err := flags.routes.over(ctx, client, e)
			if err != nil {
				return nil, err
			}
			entry := &entry{client: client, exits: newExits(client, flags.servers, e.pins), pins: e.pins, log: e.log, terms: terms}
			cfg.Dial, cfg.Log, cfg.Packets = entry, e.log, openPackets(client)
			return entry.service(cfg)
		},
	}
}

// config reads the flags.
func (f *entryFlags) config() (cfg socks.ClientConfig, err error) {
	cfg = socks.ClientConfig{PeerUID: app.PeerUID, PacketUID: app.PacketUID, EarlyReply: f.early}
	if f.auth != "" {
		if cfg.Users, err = socks.LoadUsers(f.auth); err != nil {
			return cfg, err
		}
	}
	if f.rate != "" {
		if cfg.Limits.Each.Rate, err = socks.ParseRate(f.rate); err != nil {
			return cfg, fmt.Errorf("--rate: %w", err)
		}
	}
	if f.conns < 0 {
		return cfg, fmt.Errorf("--max-connections %d: want a number of at least 1", f.conns)
	}
	cfg.Limits.Each.Conns = f.conns
	return cfg, nil
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

// entryStatus is what an entry says of itself.
type entryStatus struct {
	Terms string `json:"terms,omitempty"` // of its routes
	socks.Stats
}

// service builds the entry.
func (e *entry) service(cfg socks.ClientConfig) (*service, error) {
	c, err := socks.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	status := fmt.Sprintf("SOCKS and HTTP proxy at %s", c.Addr())
	if e.terms != "" {
		status += " over " + e.terms
	}
	return &service{
		run: onHalfTheCores(c.Run), ready: e.probe, status: status, follow: e.waits.follow(status),
		commands: []signal.Command{
			value("status", "what its routes meet, connections, datagrams and bytes, and what was refused", func() entryStatus { return entryStatus{e.terms, c.Stats()} }),
			value("connections", "the connections that are open", c.Connections),
			value("users", "what each user uses and may use", c.Users),
			tell("server", "the exit in use", func(ctx context.Context) (any, error) {
				x, err := e.exits.pick(ctx)
				if err != nil {
					return nil, err
				}
				return foundRows([]app.App{x.App})[0], nil
			}),
			value("servers", "the exits that are known, and whether they answer", e.exits.rows),
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
