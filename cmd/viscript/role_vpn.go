package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/apps/vpn"
	"github.com/skycoin/viscript/apps/vpn/hostnet"
	"github.com/skycoin/viscript/apps/vpn/nameserver"
	"github.com/skycoin/viscript/apps/vpn/speed"
	"github.com/skycoin/viscript/apps/vpn/tun"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
	"github.com/skycoin/viscript/signal"
)

// vpnPort is the mesh port of a vpn-server, for streams and for datagrams; vpnType its type in the tracker.
const (
	vpnPort   app.Port = 1194
	vpnType            = "vpn-server"
	vpnTarget          = "vpn/1"
)

// vpnMTU is that of the tunnel. Links have none of their own, but what is behind the exit mostly has this one.
const vpnMTU = 1500

// vpnServerFlags are the flags of a vpn-server.
type vpnServerFlags struct {
	subnet, subnet6, tun, passcode, rate, location string
	private, host, clients                         bool
	keys                                           []string
	mtu                                            uint16
}

func vpnServerRole() role {
	var o vpnServerFlags
	return role{
		name: "vpn-server", links: []string{"meshnet-run-vpn-server"},
		args:  "NAME NODE_ADDR",
		short: "a VPN exit: carries the packets of vpn-clients on the mesh to the internet",
		long: `NAME        unique name of this app in the tracker
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000

Each client gets addresses of the subnets, always the same ones for its node's key; what it sends from others is dropped.
Clients reach the internet by masquerading. They do not reach private networks, this host's own ports and each other unless a flag says so;
ping and DNS at the exit's address in the tunnel always work.

It makes a TUN interface and sets routes and nftables, which takes root or the capabilities CAP_NET_ADMIN and CAP_NET_RAW:
setcap cap_net_admin,cap_net_raw+ep PROGRAM. What it changes on the host is undone when it stops, or by: viscript vpn down`,
		count: [2]int{2, 2},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.subnet, "subnet", "10.96.0.0/16", "IPv4 network `CIDR4` of the clients; its first address is the exit's; \"none\": no IPv4")
			f.StringVar(&o.subnet6, "subnet6", "fd96:7669:7363:7270::/64", "IPv6 network `CIDR6` of the clients; \"none\": no IPv6")
			f.StringVar(&o.location, "location", "", "`LABEL` by which clients may choose, such as nl; the tracker knows us as NAME@LABEL")
			f.StringVar(&o.tun, "tun", "vpnexit%d", "`NAME` of the TUN interface; %d stands for a number")
			f.BoolVar(&o.private, "allow-private", false, "clients reach RFC 1918, ULA and CGNAT addresses too")
			f.BoolVar(&o.host, "allow-host", false, "clients reach all ports of this host")
			f.BoolVar(&o.clients, "allow-clients", false, "clients reach each other")
			f.StringArrayVar(&o.keys, "allow", nil, "serve the node with this `KEY` only; may be given again")
			f.StringVar(&o.passcode, "passcode-file", "", "`FILE`, mode 0600, whose first line clients must know")
			f.StringVar(&o.rate, "rate", "", "most `BYTES` a second of a client in each direction, such as 10M")
			f.Uint16Var(&o.mtu, "mtu", vpnMTU, "MTU of the tunnel")
		},
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			return vpnServerService(ctx, e, args, o)
		},
	}
}

// vpnServerService builds the exit.
func vpnServerService(ctx context.Context, e roleEnv, args []string, o vpnServerFlags) (*service, error) {
	client, err := app.Connect(args[1])
	if err != nil {
		return nil, err
	}
	cfg, err := o.config(filepath.Join(e.dir, "leases.json"))
	if err != nil {
		return nil, err
	}
	if err := hostnet.Rights(); err != nil {
		return nil, err
	}
	host, err := hostnet.Open(hostnet.Config{Dir: e.dir, Log: e.log.With("part", "hostnet")})
	if err != nil {
		return nil, err
	}
	dev, err := tun.Open(o.tun, true)
	if err != nil {
		host.Leave()
		return nil, err
	}
	x := &vpnExit{client: client, device: dev, host: host, env: e, flags: o}
	x.listener = &meshListener{client: client, env: e, options: app.ListenOptions{Port: vpnPort, Name: o.name(args[0]), Type: vpnType}, up: make(chan struct{})}
	cfg.Self, cfg.Accept, cfg.Open, cfg.Offload, cfg.Limit, cfg.Log = x.self, x.accept, x.open, dev.Offload, dev.Limit, e.log
	cfg.Admit, cfg.Dismiss, cfg.DNS = host.AddClient, x.dismiss, func() bool { return x.names != nil }
	if x.server, err = vpn.NewServer(cfg); err == nil {
		err = host.Server(ctx, hostnet.Server{
			Tun: dev.Name, Addresses: x.server.Gateways(), MTU: cfg.MTU, AllowPrivate: o.private, AllowHost: o.host, BetweenClients: o.clients,
			HostPorts: []uint16{speed.Port},
		})
	}
	if err != nil {
		x.undo()
		dev.Close()
		return nil, err
	}
	x.listenDNS(ctx)
	x.listenSpeed()
	status := fmt.Sprintf("VPN exit %q on %s, clients in %s", args[0], dev.Name, strings.Join(x.server.Status().Subnets, " and "))
	return &service{
		run: x.run, ready: x.listener.ready, status: status,
		commands: []signal.Command{
			value("status", "the exit and how many clients it has", x.server.Status),
			tell("clients", "the clients: addresses, packets, what was dropped and why", func(context.Context) (any, error) { return x.server.Clients() }),
			value("dns", "questions of clients, and what became of them", x.nameStats),
			tell("stats", "packets and bytes of all clients", func(context.Context) (any, error) { return x.server.Stats() }),
		},
	}, nil
}

// config reads the flags.
func (o vpnServerFlags) config(leases string) (cfg vpn.ServerConfig, err error) {
	cfg = vpn.ServerConfig{MTU: int(o.mtu), BetweenClients: o.clients, Leases: leases}
	if cfg.Subnet, err = subnetFlag("--subnet", o.subnet); err != nil {
		return cfg, err
	}
	if cfg.Subnet6, err = subnetFlag("--subnet6", o.subnet6); err != nil {
		return cfg, err
	}
	for _, k := range o.keys {
		key, err := identity.ParseHex(k)
		if err != nil {
			return cfg, fmt.Errorf("--allow %q: %w", k, err)
		}
		cfg.Allow = append(cfg.Allow, key)
	}
	if o.passcode != "" {
		if cfg.Passcode, err = vpn.LoadPasscode(o.passcode); err != nil {
			return cfg, fmt.Errorf("--passcode-file: %w", err)
		}
	}
	if o.rate != "" {
		if cfg.Rate, err = parseRate(o.rate); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// name is what the tracker knows us as.
func (o vpnServerFlags) name(name string) string {
	if o.location == "" {
		return name
	}
	return name + locationSign + o.location
}

// subnetFlag reads a network, or "none".
func subnetFlag(flag, text string) (p netip.Prefix, err error) {
	if text == "none" {
		return p, nil
	}
	p, err = netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%s %q: want ADDRESS/BITS or none", flag, text)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%s %q: want a network, such as %s", flag, text, p.Masked())
	}
	return p, nil
}

// parseRate reads bytes a second, with K, M or G for powers of 1000.
func parseRate(text string) (uint64, error) {
	unit := uint64(1)
	digits := text
	for suffix, n := range map[string]uint64{"K": 1e3, "M": 1e6, "G": 1e9} {
		if d, ok := strings.CutSuffix(strings.ToUpper(text), suffix); ok {
			digits, unit = d, n
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("--rate %q: want bytes a second, such as 500K, 10M or 1G", text)
	}
	return n * unit, nil
}

// vpnExit joins a vpn.Server with the node and the host.
type vpnExit struct {
	client   *app.Client
	device   *tun.Device
	host     *hostnet.Host
	listener *meshListener
	server   *vpn.Server
	names    *nameserver.Server // nil: its port is taken
	speeds   []net.Listener     // where clients measure
	env      roleEnv
	flags    vpnServerFlags
}

// self is our node's key; clients come through the node, so it is known by then.
func (x *vpnExit) self() identity.PubKey {
	if n := x.listener.node.Load(); n != nil {
		return n.Key
	}
	return identity.PubKey{}
}

func (x *vpnExit) accept(ctx context.Context) (vpn.Incoming, error) {
	conn, err := x.listener.accept(ctx)
	if err != nil {
		return nil, err
	}
	return conn.(*app.Conn), nil
}

// open gives the TUN to the node, waiting for one that is not there.
func (x *vpnExit) open(ctx context.Context) (vpn.Mover, error) {
	for {
		m, err := vpn.OpenMover(ctx, x.client, x.device, uint16(vpnPort))
		if err == nil {
			return m, nil
		}
		if refused := (*app.Refused)(nil); errors.As(err, &refused) && refused.Code != wire.CodeGone && refused.Code != wire.CodeBusy {
			return nil, err
		}
		x.env.log.Debug("giving the TUN to the node", "err", err)
		if !sleep(ctx, relisten) {
			return nil, ctx.Err()
		}
	}
}

func (x *vpnExit) run(ctx context.Context) error {
	defer x.device.Close()
	defer x.undo()
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() {
		if err := x.host.Run(ctx, nil); err != nil {
			x.env.log.Error("watching the host's network", "err", err)
		}
	})
	measured := new(speed.Server)
	for _, ln := range x.speeds {
		watching.Go(func() {
			if err := measured.Serve(ctx, ln); err != nil {
				x.env.log.Error("speed tests", "err", err)
			}
		})
	}
	if x.names != nil {
		watching.Go(func() {
			if err := x.names.Run(ctx); err != nil {
				x.env.log.Error("answering DNS", "err", err)
			}
		})
	}
	return x.server.Run(ctx)
}

func (x *vpnExit) nameStats() nameserver.Stats {
	if x.names == nil {
		return nameserver.Stats{}
	}
	return x.names.Stats()
}

// listenDNS answers the clients' DNS at our addresses in the tunnel. Where something else has the port, they are told of no resolver.
func (x *vpnExit) listenDNS(ctx context.Context) {
	cfg := nameserver.Config{Dev: x.device.Name, Log: x.env.log.With("part", "dns")}
	for _, g := range x.server.Gateways() {
		cfg.Addrs, cfg.From = append(cfg.Addrs, g.Addr()), append(cfg.From, g.Masked())
	}
	var err error
	if x.names, err = nameserver.Listen(ctx, cfg); err != nil {
		x.names = nil
		x.env.log.Warn("clients get no name server from us", "err", err)
	}
}

// listenSpeed lets clients measure the tunnel (viscript vpn test --speed).
func (x *vpnExit) listenSpeed() {
	for _, g := range x.server.Gateways() {
		ln, err := net.Listen("tcp", netip.AddrPortFrom(g.Addr(), speed.Port).String())
		if err != nil {
			x.env.log.Warn("clients cannot measure the tunnel", "err", err)
			continue
		}
		x.speeds = append(x.speeds, ln)
	}
}

func (x *vpnExit) dismiss(a netip.Addr) {
	if err := x.host.RemoveClient(a); err != nil {
		x.env.log.Warn("closing the firewall to a client", "err", err)
	}
}

// undo makes the host what it was.
func (x *vpnExit) undo() { undoHost(x.host, x.env.log) }

// undoHost makes the host what it was, and tells what was left.
func undoHost(host *hostnet.Host, log *slog.Logger) {
	r, err := host.Undo()
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		log.Error("undoing our changes of this host", "err", err)
	}
	for _, l := range r.Left {
		log.Warn("left as it is: somebody else has changed it", "what", l)
	}
}
