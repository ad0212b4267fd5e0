package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// The hosts of the demo's network, as namespaces PREFIX-NAME: each link is a pair of addresses of a /30. No host forwards, so only the
// mesh joins the outer two.
//
//	client 10.98.1.1 ── 10.98.1.2 relay 10.98.2.1 ── 10.98.2.2 exit
func demoHosts() []string { return []string{"client", "relay", "exit"} }

// demoNetRole makes three hosts on this machine, to try what needs hosts of its own.
func demoNetRole() role {
	return role{
		name: "demo-net", args: "PREFIX",
		short: "three hosts in network namespaces of this machine, to try the VPN on (root)",
		long: `PREFIX      begins the names of the network namespaces

PREFIX-client 10.98.1.1 ── 10.98.1.2 PREFIX-relay 10.98.2.1 ── 10.98.2.2 PREFIX-exit
They are gone when this ends. viscript demo-in NAMESPACE ROLE ARGS runs a role on one of them.`,
		count: [2]int{1, 1}, instance: firstOf,
		build: func(_ context.Context, _ roleEnv, args []string) (*service, error) {
			n := demoNet{prefix: args[0]}
			if os.Getuid() != 0 {
				return nil, errors.New("network namespaces need root")
			}
			if err := n.make(); err != nil {
				n.remove()
				return nil, err
			}
			return &service{
				status: fmt.Sprintf("try: sudo ip netns exec %s-client ping 10.96.0.1", args[0]),
				run: func(ctx context.Context) error {
					<-ctx.Done()
					n.remove()
					return nil
				},
			}, nil
		},
	}
}

// demoNet is the network of the demo.
type demoNet struct{ prefix string }

func (n demoNet) name(host string) string { return n.prefix + "-" + host }

// make makes the hosts and joins them. What an earlier one left is removed first.
func (n demoNet) make() error {
	n.remove()
	for _, h := range demoHosts() {
		if err := makeSpace(n.name(h)); err != nil {
			return fmt.Errorf("making the network namespace %s: %w", n.name(h), err)
		}
	}
	hosts := demoHosts()
	for i := range hosts[1:] {
		if err := n.join(hosts[i], hosts[i+1], i+1); err != nil {
			return fmt.Errorf("joining %s and %s: %w", hosts[i], hosts[i+1], err)
		}
	}
	return nil
}

func (n demoNet) remove() {
	for _, h := range demoHosts() {
		_ = netns.DeleteNamed(n.name(h)) // there is none
	}
}

// makeSpace makes a named network namespace, on a thread that ends with that.
func makeSpace(name string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		h, err := netns.NewNamed(name)
		if err == nil {
			h.Close()
		}
		done <- err
	}()
	return <-done
}

// join makes link i of the line, with 10.98.i.1 at a and 10.98.i.2 at b.
func (n demoNet) join(a, b string, i int) error {
	ends := [2]netns.NsHandle{}
	for k, h := range []string{a, b} {
		var err error
		if ends[k], err = netns.GetFromName(n.name(h)); err != nil {
			return err
		}
		defer ends[k].Close()
	}
	near, err := netlink.NewHandleAt(ends[0])
	if err != nil {
		return err
	}
	defer near.Close()
	far, err := netlink.NewHandleAt(ends[1])
	if err != nil {
		return err
	}
	defer far.Close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "to-" + b}, PeerName: "to-" + a, PeerNamespace: netlink.NsFd(int(ends[1]))}
	if err := near.LinkAdd(veth); err != nil {
		return err
	}
	return errors.Join(up(near, "to-"+b, fmt.Sprintf("10.98.%d.1/30", i)), up(far, "to-"+a, fmt.Sprintf("10.98.%d.2/30", i)), up(near, "lo", ""), up(far, "lo", ""))
}

func up(h *netlink.Handle, dev, addr string) error {
	l, err := h.LinkByName(dev)
	if err != nil {
		return err
	}
	if addr != "" {
		ip, n, err := net.ParseCIDR(addr)
		if err != nil {
			return err
		}
		if err := h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: n.Mask}}); err != nil {
			return err
		}
	}
	return h.LinkSetUp(l)
}

// demoInCommand runs this executable anew in a network namespace.
func demoInCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-in NAMESPACE ROLE ARGS", Short: "run a role in a network namespace, such as one of demo-net (root)",
		DisableFlagParsing: true, Args: cobra.MinimumNArgs(2), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			runtime.LockOSThread() // exec keeps the namespace of the thread that calls it
			h, err := netns.GetFromName(args[0])
			if err != nil {
				return fmt.Errorf("network namespace %s: %w", args[0], err)
			}
			if err := netns.Set(h); err != nil {
				return fmt.Errorf("entering the network namespace %s: %w", args[0], err)
			}
			h.Close()
			return syscall.Exec(self, append([]string{"viscript"}, args[1:]...), os.Environ())
		},
	}
}
