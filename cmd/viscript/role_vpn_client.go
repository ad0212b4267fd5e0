package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/apps/vpn"
	"github.com/skycoin/viscript/apps/vpn/hostnet"
	"github.com/skycoin/viscript/apps/vpn/tun"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// vpnClientFlags are the flags of a vpn-client.
type vpnClientFlags struct {
	server, location, dns, tun, passcode string
	full, kill, lan                      bool
	terms                                routeFlags
	routeTexts, exceptTexts              []string

	routes, except []netip.Prefix
	resolver       netip.Addr // of --dns ADDR
}

func vpnClientRole() role {
	var o vpnClientFlags
	return role{
		name: "vpn-client", links: []string{"meshnet-run-vpn-client"},
		args:  "NAME NODE_ADDR PORT",
		short: "a VPN over the mesh: this host's packets leave at a vpn-server",
		long: `NAME        unique name of this app
NODE_ADDR   APP_PORT of the node on this host, such as 127.0.0.1:15000
PORT        loopback port of a status page: /, /status, /stats, POST /reconnect; 0: none

With --full everything goes through the tunnel, with --route the networks named; without either what the exit says, or only the exit itself.
Among several exits the one that answers fastest is taken. It calls itself connected when traffic has come back through the tunnel.

It makes a TUN interface and sets routes and nftables, which takes root or the capabilities CAP_NET_ADMIN and CAP_NET_RAW:
setcap cap_net_admin,cap_net_raw+ep PROGRAM. What it changes on the host is undone when it stops; when it was killed, by its next
start or by: viscript vpn down.

With --hops, --min-hops, --max-hops, --via and --avoid the tunnel and all that belongs to it goes over routes that meet them, both ways, or there is none,
with the reason. Where the node itself was given such flags, both hold.`,
		count: [2]int{3, 3},
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.server, "server", "", "the exit: `NAME` of a vpn-server, or the KEY of its node (default: the one that answers fastest)")
			f.StringVar(&o.location, "location", "", "only exits that name this `LABEL`, such as nl")
			f.BoolVar(&o.full, "full", false, "everything goes through the tunnel")
			f.StringArrayVar(&o.routeTexts, "route", nil, "this network `CIDR` goes through the tunnel; may be given again")
			f.StringArrayVar(&o.exceptTexts, "except", nil, "this network `CIDR` does not; may be given again")
			f.StringVar(&o.dns, "dns", "auto", "auto: the exit's resolver with --full; off; or `ADDR`")
			f.BoolVar(&o.kill, "kill-switch", true, "with --full: what does not go through the tunnel is dropped, also after this process died")
			f.BoolVar(&o.lan, "lan", false, "the kill switch lets the local network pass")
			f.StringVar(&o.tun, "tun", "vpn%d", "`NAME` of the TUN interface; %d stands for a number")
			o.terms.add(f, "routes to the exit", "NODE")
			f.StringVar(&o.passcode, "passcode-file", "", "`FILE`, mode 0600, whose first line the exit asks for")
		},
		instance: firstOf,
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			return vpnClientService(ctx, e, args, o)
		},
	}
}

// vpnEntry joins a vpn.Client with the node and the host.
type vpnEntry struct {
	client   *app.Client
	device   *tun.Device
	host     *hostnet.Host
	vpn      *vpn.Client
	shown    *vpn.Page // nil: none
	page     string    // where the status page listens; "": nowhere
	name     string
	nodePort string // NODE_ADDR
	env      roleEnv
	flags    vpnClientFlags

	exitMu sync.Mutex // guards the following
	exit   vpn.Exit   // found last
	found  time.Time
}

func vpnClientService(ctx context.Context, e roleEnv, args []string, o vpnClientFlags) (*service, error) {
	client, err := app.Connect(args[1])
	if err != nil {
		return nil, err
	}
	if err := o.parse(); err != nil {
		return nil, err
	}
	client, terms, err := o.terms.over(ctx, client, e)
	if err != nil {
		return nil, err
	}
	x := &vpnEntry{client: client, name: args[0], nodePort: args[1], env: e, flags: o}
	cfg := vpn.ClientConfig{Self: x.self, Find: x.find, Dial: x.dial, Open: x.open, Apply: x.apply, Probe: vpn.Ping, Terms: terms, Log: e.log}
	if o.passcode != "" {
		if cfg.Passcode, err = vpn.LoadPasscode(o.passcode); err != nil {
			return nil, fmt.Errorf("--passcode-file: %w", err)
		}
	}
	if err := hostnet.Rights(); err != nil {
		return nil, err
	}
	if x.page, err = loopbackPage(args[2]); err != nil {
		return nil, err
	}
	if x.host, err = hostnet.Open(hostnet.Config{Dir: e.dir, Log: e.log.With("part", "hostnet")}); err != nil {
		return nil, err
	}
	if x.device, err = tun.Open(o.tun, true); err != nil {
		x.host.Leave()
		return nil, err
	}
	cfg.Offload, cfg.Limit = x.device.Offload, x.device.Limit
	x.vpn = vpn.NewClient(cfg)
	var page *vpn.Page
	if x.page != "" {
		page, err = vpn.NewPage(vpn.PageConfig{Listen: x.page, Name: args[0], Client: x.vpn, PeerUID: app.PeerUID, Log: e.log})
		if err != nil {
			x.device.Close()
			x.host.Leave()
			return nil, err
		}
	}
	x.shown = page
	return &service{
		run: x.run, ready: x.ready, status: "VPN up on " + x.device.Name, follow: x.follow,
		commands: []signal.Command{
			value("status", "the exit, our addresses, whether traffic comes back", x.vpn.Status),
			tell("stats", "packets and bytes, and rates since asked last", func(context.Context) (any, error) { return x.vpn.Stats() }),
		},
	}, nil
}

func (x *vpnEntry) self(ctx context.Context) (identity.PubKey, error) {
	n, err := x.client.Node(ctx)
	return n.Key, err
}

func (x *vpnEntry) dial(ctx context.Context, e vpn.Exit) (vpn.Stream, error) {
	conn, err := x.client.Dial(ctx, e.Key, app.Port(e.Port), app.DialOptions{Target: vpnTarget})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (x *vpnEntry) open(ctx context.Context) (vpn.Mover, error) {
	if x.flags.full && !nodeMarks(x.nodePort) {
		return nil, vpn.Fatal(errors.New("the node beside us may not mark its sockets, so a full tunnel would swallow the links that carry it: " +
			"start the node as root too, or with the capability CAP_NET_ADMIN"))
	}
	return vpn.OpenMover(ctx, x.client, x.device, 0)
}

// apply sets the host's network.
func (x *vpnEntry) apply(ctx context.Context, s vpn.Settings) error {
	c := hostnet.Client{
		Tun: x.device.Name, Addresses: s.Addrs, MTU: s.MTU, Full: x.flags.full, Routes: x.flags.routes, Except: x.flags.except,
		KillSwitch: x.flags.full && x.flags.kill, LAN: x.flags.lan, DNS: x.flags.resolvers(s),
	}
	if !c.Full && len(c.Routes) == 0 {
		c.Routes = s.Routes
	}
	if !c.Full { // probes reach the exit, whatever else is carried
		for _, g := range s.Gateways {
			c.Routes = append(c.Routes[:len(c.Routes):len(c.Routes)], netip.PrefixFrom(g, g.BitLen()))
		}
	}
	return x.host.Client(ctx, c)
}

// run keeps the tunnel. What it changed on the host is undone at the end; with the kill switch on a failure leaves it, so that nothing gets past it.
func (x *vpnEntry) run(ctx context.Context) error {
	defer x.device.Close()
	watchCtx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := x.host.Run(watchCtx, x.changed); err != nil {
			x.env.log.Error("watching the host's network", "err", err)
		}
	})
	if x.shown != nil {
		watching.Go(func() {
			if err := x.shown.Run(watchCtx); err != nil {
				x.env.log.Error("status page", "err", err)
			}
		})
	}
	err := x.vpn.Run(ctx)
	stop()
	watching.Wait()
	if err != nil && x.flags.full && x.flags.kill {
		x.host.Leave()
		return fmt.Errorf("%w; the kill switch stays, until: %s", err, hostnet.DownCommand)
	}
	undoHost(x.host, x.env.log)
	return err
}

// changed hears what happened to the host.
func (x *vpnEntry) changed(c hostnet.Change) {
	x.env.log.Info("the host", "what", c.String())
	x.vpn.Kick()
}

// loopbackPage reads PORT.
func loopbackPage(port string) (string, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("PORT %q: want a loopback port for the status page, or 0 for none", port)
	}
	if n == 0 {
		return "", nil
	}
	return net.JoinHostPort("127.0.0.1", port), nil
}

// resolvers are the name servers to set.
func (o *vpnClientFlags) resolvers(s vpn.Settings) []netip.Addr {
	switch {
	case o.resolver.IsValid():
		return []netip.Addr{o.resolver}
	case o.dns == "auto" && o.full:
		return s.DNS
	}
	return nil
}

// parse reads the flags that are not plain text.
func (o *vpnClientFlags) parse() (err error) {
	if o.routes, err = prefixFlags("--route", o.routeTexts); err != nil {
		return err
	}
	if o.except, err = prefixFlags("--except", o.exceptTexts); err != nil {
		return err
	}
	if o.full && len(o.routes) > 0 {
		return errors.New("--full and --route: everything goes through the tunnel, or the networks named; name what does not with --except")
	}
	if o.dns == "auto" || o.dns == "off" {
		return nil
	}
	if o.resolver, err = netip.ParseAddr(o.dns); err != nil {
		return fmt.Errorf("--dns %q: want auto, off or the address of a resolver", o.dns)
	}
	return nil
}

func prefixFlags(flag string, texts []string) (list []netip.Prefix, err error) {
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			a, bad := netip.ParseAddr(t)
			if bad != nil {
				return nil, fmt.Errorf("%s %q: want ADDRESS/BITS", flag, t)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// ready waits until traffic has come back through the tunnel.
func (x *vpnEntry) ready(ctx context.Context, say func(string)) error {
	for {
		s := x.vpn.Status()
		if s.State == vpn.StateConnected {
			return nil
		}
		say(vpnStatusText(s))
		if !sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// follow says how the tunnel stands.
func (x *vpnEntry) follow(ctx context.Context, say func(string)) {
	for sleep(ctx, time.Second) {
		say(vpnStatusText(x.vpn.Status()))
	}
}

func vpnStatusText(s vpn.Status) string {
	text := string(s.State)
	if s.Exit != "" || s.ExitKey != "" {
		text += ": exit " + s.Exit
	}
	if s.State == vpn.StateConnected {
		if s.Terms != "" {
			text += " over " + s.Terms
		}
		return text + fmt.Sprintf(", %v, round trip %v", s.Addrs, s.RTT.Round(10*time.Microsecond))
	}
	if s.Trouble != "" {
		text += "; " + s.Trouble
	}
	return text
}

// sleep waits for d; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
