package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/signal"
)

func nodeRole() role {
	var given nodeFlags
	var routes routeFlags
	var carriers carrierFlags
	return role{
		name: "node", links: []string{"meshnet-run-node"},
		args:  "HOST:PORT NM_ADDR CONNECT APP_PORT [HOSTNAME]",
		short: "a node of the mesh: links to its neighbours, forwards their traffic, serves the apps on this host",
		long: `HOST:PORT   where neighbours link to us, such as 0.0.0.0:5000
NM_ADDR     the node manager's CTRL_ADDR, as [KEY@]HOST:PORT, or wss://HOST:PORT/PATH of its --wss; without KEY the key seen first is kept
CONNECT     true: the manager names neighbours; false: only the links of --peer, ours or theirs
APP_PORT    the loopback port for the apps on this host
HOSTNAME    our name in the manager's domain`,
		count: [2]int{4, 5},
		flags: func(f *pflag.FlagSet) {
			given.add(f)
			routes.add(f, "routes that begin here", "KEY")
			carriers.add(f)
		},
		instance: func(args []string) string {
			if len(args) > 4 {
				return args[4]
			}
			return args[0]
		},
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			cfg, err := nodeConfig(e, args, given)
			if err == nil {
				cfg.Routes, err = routes.terms(byKey)
			}
			if err == nil {
				err = carriers.equip(&cfg, e.log)
			}
			if err != nil {
				return nil, err
			}
			n, err := node.New(ctx, cfg)
			if err != nil {
				return nil, err
			}
			w := &registration{n: n, status: fmt.Sprintf("node %s at %s, apps at %s", e.key.Public().Short(), n.Addr(), n.AppAddr())}
			return &service{run: lean(n.Run), commands: nodeCommands(n), status: w.status, ready: w.ready, follow: w.follow}, nil
		},
	}
}

// nodeFlags are what a node is told beside its arguments.
type nodeFlags struct {
	peers, public, messengers []string
	unlisted, lan             bool
}

func (n *nodeFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&n.peers, "peer", nil, "a neighbour to link to, `[KEY@]HOST:PORT`, quic:HOST:PORT or wss://HOST:PORT/PATH with KEY@ before, or KEY alone, which the messenger finds; may be given again")
	f.StringArrayVar(&n.public, "public", nil, "`HOST:PORT` (or quic:, wss://) under which others reach us, where that is not one of this host's own; may be given again")
	f.StringArrayVar(&n.messengers, "messenger", nil, "where others find and reach us by our key, `[KEY@]HOST:PORT` (or quic:, wss://); up to four times")
	f.BoolVar(&n.lan, "lan", true, "announce ourselves on the local network, and link to nodes of the same manager there; not with CONNECT false")
	f.BoolVar(&n.unlisted, "unlisted", false, "keep our addresses out of the record that the messengers show to everybody")
}

// config reads them.
func (n *nodeFlags) config(cfg *node.Config) error {
	for _, p := range n.peers {
		a, err := readPeer(p, len(n.messengers) > 0)
		if err != nil {
			return fmt.Errorf("--peer: %w", err)
		}
		cfg.Peers = append(cfg.Peers, a)
	}
	for _, m := range n.messengers {
		a, err := secure.ParsePeer(m)
		if err != nil {
			return fmt.Errorf("--messenger: %w", err)
		}
		cfg.Messengers = append(cfg.Messengers, a)
	}
	if len(cfg.Messengers) > relay.MaxMessengers {
		return fmt.Errorf("--messenger: %d of them; at most %d", len(cfg.Messengers), relay.MaxMessengers)
	}
	cfg.Public, cfg.Unlisted, cfg.LAN = n.public, n.unlisted, n.lan
	return nil
}

// readPeer reads [KEY@]HOST:PORT, or a key where a messenger can find it.
func readPeer(text string, found bool) (secure.Addr, error) {
	key, err := identity.ParseHex(text)
	if err != nil {
		return secure.ParsePeer(text)
	}
	if !found {
		return secure.Addr{}, errors.New("a key without an address needs a --messenger that knows it")
	}
	return secure.Addr{Key: key}, nil
}

// nodeConfig reads the arguments.
func nodeConfig(e roleEnv, args []string, given nodeFlags) (node.Config, error) {
	cfg := node.Config{Key: e.key, Network: e.network, Pins: e.pins, Log: e.log, Listen: args[0]}
	var err error
	if cfg.Manager, err = secure.ParsePeer(args[1]); err != nil {
		return cfg, fmt.Errorf("NM_ADDR: %w", err)
	}
	if cfg.Connect, err = strconv.ParseBool(args[2]); err != nil {
		return cfg, fmt.Errorf("CONNECT %q: want true or false", args[2])
	}
	port, err := strconv.ParseUint(args[3], 10, 16)
	if err != nil || port == 0 {
		return cfg, fmt.Errorf("APP_PORT %q: want a port, 1 to 65535", args[3])
	}
	cfg.AppPort = app.Port(port)
	if len(args) > 4 {
		cfg.Name = args[4]
		if err := control.CheckLabel(cfg.Name); err != nil {
			return cfg, fmt.Errorf("HOSTNAME %q: %w", cfg.Name, err)
		}
	}
	return cfg, given.config(&cfg)
}

// registration tells how a node stands with its manager.
type registration struct {
	n      *node.Node
	status string
}

// registrationEvery is how often that is looked at.
const registrationEvery = 200 * time.Millisecond

// trouble is what keeps the node from being registered, in words; empty when nothing does.
func (w *registration) trouble() string {
	m := w.n.Info().Manager
	switch {
	case m.Connected:
		return ""
	case m.LastError != "":
		return "not registered with the node manager: " + m.LastError
	}
	return "waiting for the node manager"
}

// ready waits for the first registration.
func (w *registration) ready(ctx context.Context, say func(string)) error {
	for i := 0; ; i++ {
		trouble := w.trouble()
		if trouble == "" {
			return nil
		}
		if i > 2 { // not for what takes a moment
			say(trouble)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(registrationEvery):
		}
	}
}

// follow says when the manager is lost, and when it is back, and what route is being found for long.
func (w *registration) follow(ctx context.Context, say func(string)) {
	tick := time.NewTicker(10 * registrationEvery)
	defer tick.Stop()
	client := signal.FromContext(ctx)
	moved := map[identity.PubKey]uint64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		status := w.status
		if trouble := w.trouble(); trouble != "" {
			status += "; " + trouble
		}
		if finding := findingText(w.n.Finding(), time.Now()); finding != "" {
			status += "; " + finding
		}
		say(status)
		for _, text := range movedTexts(w.n.Sessions(), moved) {
			client.Event("route", text, nil)
		}
	}
}

// movedTexts are the sessions that go another way than when moved was filled, for the last time by this.
func movedTexts(sessions []session.Info, moved map[identity.PubKey]uint64) []string {
	var texts []string
	there := map[identity.PubKey]bool{}
	for _, s := range sessions {
		there[s.Peer] = true
		if before := moved[s.Peer]; s.Switches > before {
			texts = append(texts, fmt.Sprintf("the session with %s goes another way: %s", s.Peer.Short(), s.WhyMoved))
		}
		moved[s.Peer] = s.Switches
	}
	maps.DeleteFunc(moved, func(k identity.PubKey, _ uint64) bool { return !there[k] })
	return texts
}

func nodeCommands(n *node.Node) []signal.Command {
	return []signal.Command{
		value("info", "key, addresses, the manager, and how much goes on", func() infoRow { return infoOf(n) }),
		tell("links", "the neighbours: carrier, address, figures, bytes each way; those without a link, and why", func(ctx context.Context) (any, error) { return linkRows(ctx, n), nil }),
		tell("routes", "routes from, to and through this node, with what they carried", func(ctx context.Context) (any, error) { return routeRows(ctx, n), nil }),
		tell("sessions", "encrypted sessions that end here: their paths, what is in flight, why they moved", func(ctx context.Context) (any, error) { return sessionRows(ctx, n), nil }),
		pingCommand(n), traceCommand(n), whyCommand(n),
		value("messengers", "the messengers: connected or why not, round trip, links relayed", func() []homeRow { return homeRows(n.Messengers()) }),
		{Name: "find", Args: "[NAME|KEY|SERVICE]", Help: "apps that the tracker knows, all or by name; what the messengers know of a key, and who offers a service", Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) > 1 {
				return nil, errors.New("find takes one name, key or service at most")
			}
			return find(ctx, n, firstOf(args))
		}},
		{Name: "resolve", Args: "NAME", Help: "the key of the node of that name", Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) != 1 {
				return nil, errors.New("resolve takes one name")
			}
			key, err := n.Resolve(ctx, args[0])
			return key.String(), err
		}},
	}
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
