package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// SocketName is the abstract Unix socket of a node's app port; each network namespace has its own.
func SocketName(port Port) string { return "@viscript/app/" + strconv.Itoa(int(port)) }

// connectTimeout bounds reaching the node, which is on this host.
const connectTimeout = 5 * time.Second

// ParseAddr checks NODE_ADDR, the HOST:PORT of the app port of a node on this host, and returns its port.
func ParseAddr(addr string) (Port, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("node address %q: want HOST:PORT, the app port of the node on this host", addr)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("node address %q: port %q: want 1 to 65535", addr, portText)
	}
	if !onThisHost(host) {
		return 0, fmt.Errorf("node address %q is not on this host: an app talks to the node beside it, which talks to the others; "+
			"start a node here and give its app port, such as 127.0.0.1:%d", addr, port)
	}
	return Port(port), nil
}

func onThisHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || host == ""
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
			return true
		}
	}
	return false
}

// connect reaches the node by its abstract Unix socket, or by loopback TCP where there is none,
// and makes sure that the same user answers.
func connect(ctx context.Context, port Port) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	nc, err := d.DialContext(ctx, "unix", SocketName(port))
	if err != nil {
		nc, err = d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the node at app port %d: %w", port, err)
	}
	uid, err := PeerUID(nc)
	if err == nil && uid != os.Getuid() {
		err = fmt.Errorf("uid %d listens there, we are uid %d", uid, os.Getuid())
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("reaching the node at app port %d: %w", port, err)
	}
	return nc, nil
}

var errNoPeer = errors.New("app: the kernel does not know the other end of the connection")

// PeerUID returns the user that holds the other end of a Unix or loopback TCP connection, by
// the kernel's word (SO_PEERCRED, sock_diag).
func PeerUID(nc net.Conn) (int, error) {
	switch c := nc.(type) {
	case *net.UnixConn:
		return unixPeer(c)
	case *net.TCPConn:
		local, remote := c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
		if !remote.Addr().Unmap().IsLoopback() {
			return 0, errNoPeer
		}
		uid, ok := socketUID(remote, local) // the other end's socket: its local address is our remote one
		if !ok {
			return 0, errNoPeer
		}
		return uid, nil
	}
	return 0, errNoPeer
}

// OwnPort reports whether a TCP port of this host is the app port of some node here, by knocking at
// the Unix socket that goes with it. Whoever connects to addresses on behalf of strangers keeps away from those: an
// app port serves every process of the user.
func OwnPort(port uint16) bool {
	nc, err := net.Dial("unix", SocketName(Port(port)))
	if err == nil {
		nc.Close()
		return true
	}
	return !errors.Is(err, syscall.ECONNREFUSED) // not knowing, better refuse
}
