package socks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
)

// SOCKS 4 and 4a, for programs that know no other: a request of a fixed head, a user's name that nobody checks, and with 4a the
// target's name, because the address is one that cannot be.
//
//	VN:u8=4 │ CD:u8 │ port:u16 │ IPv4 │ user │ 0 [ │ name │ 0 ]
const (
	version4 = 4
	granted4 = 90
	refused4 = 91

	head4    = 8
	maxText4 = 255 // of user and name, in bytes
)

// parseRequest4 reads a request at the front of b. Errors: errShort, BadCommand, Malformed.
func parseRequest4(b []byte) (cmd byte, t Target, n int, err error) {
	if len(b) < head4 {
		return 0, t, 0, errShort
	}
	cmd = b[1]
	port := binary.BigEndian.Uint16(b[2:])
	addr := netip.AddrFrom4([4]byte(b[4:8]))
	if _, n, err = text4(b, head4); err != nil {
		return cmd, t, 0, err
	}
	named := b[4]|b[5]|b[6] == 0 && b[7] != 0
	var name []byte
	if named {
		if name, n, err = text4(b, n); err != nil {
			return cmd, t, 0, err
		}
	}
	switch {
	case cmd != cmdConnect && cmd != cmdBind:
		return cmd, t, n, because(BadCommand, "command %d of SOCKS 4", cmd)
	case named:
		t, err = newTarget(string(name), port)
		return cmd, t, n, err
	case port == 0:
		return cmd, t, n, because(Malformed, "port 0")
	}
	return cmd, Target{Addr: addr, Port: port}, n, nil
}

// text4 reads the text that begins at b[at] and returns where the next thing begins.
func text4(b []byte, at int) (text []byte, next int, err error) {
	end := bytes.IndexByte(b[at:min(len(b), at+maxText4+1)], 0)
	switch {
	case end >= 0:
		return b[at : at+end], at + end + 1, nil
	case len(b) > at+maxText4:
		return nil, 0, because(Malformed, "a text of more than %d bytes", maxText4)
	}
	return nil, 0, errShort
}

// appendReply4 appends an answer; an address that is not IPv4 is left out.
func appendReply4(dst []byte, code byte, bound netip.AddrPort) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, 0, code), bound.Port())
	var b [4]byte
	if a := bound.Addr().Unmap(); a.Is4() {
		b = a.As4()
	}
	return append(dst, b[:]...)
}

// request4 goes through SOCKS 4, which knows no passwords.
func (n *negotiation) request4(context.Context) (request, error) {
	for {
		cmd, target, used, err := parseRequest4(n.buf[n.from:n.to])
		n.from += used
		switch {
		case errors.Is(err, errShort):
			if err := n.more(); err != nil {
				return request{}, err
			}
			continue
		case err != nil:
		case n.users != nil:
			err = because(BadAuth, "SOCKS 4 has no passwords")
		case !n.own(""):
			err = because(Busy, "too many connections")
		}
		return request{cmd, target}, err
	}
}
