package link

import (
	"context"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// rtGroups are the kernel's announcements that we want (rtnetlink(7)).
const rtGroups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
	unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE

// hostDetail tells the flags of the IPv6 addresses: a new one is of no use until nobody else claims it (RFC 4862
// section 5.4), which takes a second or two.
func hostDetail() string {
	b, _ := os.ReadFile("/proc/thread-self/net/if_inet6")
	return string(b)
}

// watchSystem listens to the kernel's announcements.
func watchSystem() system {
	f, err := openRoute()
	if err != nil {
		return poll // a sandbox
	}
	return func(ctx context.Context, signs chan sign) error { return announced(ctx, f, signs) }
}

// announced reads announcements until ctx ends, and closes f.
func announced(ctx context.Context, f *os.File, signs chan sign) error {
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // ENOBUFS: there was more than fits; what it was does not matter
			hint(signs, certain)
			if !pause(ctx, atMost) {
				return nil
			}
		default:
			if s := signOf(buf[:n]); s != 0 {
				hint(signs, s)
			}
		}
	}
}

func openRoute() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: rtGroups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// Offsets in a message of rtnetlink.
const (
	nlHeader = 16 // length u32, type u16, flags u16, sequence u32, port u32
	rtDstLen = 1  // in struct rtmsg: prefix length of the destination
	rtTable  = 4
)

// signOf reads what a packet of messages announces: default routes are told by themselves (with the two
// halves that VPNs use in their stead), other routes not at all, the rest may have changed an address.
func signOf(b []byte) (s sign) {
	for len(b) >= nlHeader {
		n := int(binary.NativeEndian.Uint32(b))
		if n < nlHeader || n > len(b) {
			return s
		}
		body := b[nlHeader:n]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWLINK, unix.RTM_DELLINK:
			s = max(s, maybe)
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			if len(body) > rtTable && body[rtDstLen] <= 1 && body[rtTable] == unix.RT_TABLE_MAIN {
				s = certain
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return s
}
