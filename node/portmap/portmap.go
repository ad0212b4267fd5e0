package portmap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/skycoin/viscript/node/mark"
)

// Port is where routers listen.
const Port = 5351

const (
	firstWait = 250 * time.Millisecond // for an answer; then twice as long each time (RFC 6886 section 3.1)
	asks      = 4                      // of one kind; 3.75 s together
	maxLife   = 24 * time.Hour
)

// ErrNoAnswer: the router does not answer; most do not know either protocol.
var ErrNoAnswer = errors.New("portmap: the router does not answer")

// Mapping is what a router granted.
type Mapping struct {
	External netip.AddrPort // where others reach us
	Life     time.Duration  // from the answer on
	Protocol string         // "PCP" or "NAT-PMP", for people
}

// Renew is when to ask again: after half of the life.
func (m Mapping) Renew() time.Duration { return m.Life / 2 }

func (m *Mapping) check() error {
	if !m.External.IsValid() || m.External.Port() == 0 || !m.External.Addr().IsGlobalUnicast() || m.Life <= 0 {
		return fmt.Errorf("portmap: the router grants %s for %s", m.External, m.Life)
	}
	m.Life = min(m.Life, maxLife)
	return nil
}

// Ask asks the router at gateway (its port 5351 where the port is 0) to let datagrams to the local UDP port in for some time; a life of 0
// takes a mapping back. It blocks for 8 s at most. Errors: ErrNoAnswer, those of the router, ctx's.
func Ask(ctx context.Context, gateway netip.AddrPort, port uint16, life time.Duration) (Mapping, error) {
	if gateway.Port() == 0 {
		gateway = netip.AddrPortFrom(gateway.Addr(), Port)
	}
	d := mark.Dialer()                                     // a VPN over the mesh must not carry it
	nc, err := d.DialContext(ctx, "udp", gateway.String()) // connected: others' datagrams do not come through
	if err != nil {
		return Mapping{}, err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	q := asker{ctx: ctx, nc: nc}
	m, err := q.pcp(port, life)
	if errors.Is(err, errVersion) || errors.Is(err, ErrNoAnswer) && ctx.Err() == nil {
		m, err = q.pmp(port, life)
	}
	return m, err
}

// asker is one exchange with a router.
type asker struct {
	ctx context.Context
	nc  net.Conn
}

// ask sends a request until answer takes a datagram.
func (q asker) ask(request []byte, answer func([]byte) bool) error {
	buf := make([]byte, maxAnswerLen+1)
	wait := firstWait
	for range asks {
		if _, err := q.nc.Write(request); err != nil {
			if q.ctx.Err() != nil { // AfterFunc came before
				return q.ctx.Err()
			}
			return err
		}
		q.nc.SetReadDeadline(time.Now().Add(wait))
		if q.ctx.Err() != nil { // AfterFunc came just before
			return q.ctx.Err()
		}
		for {
			n, err := q.nc.Read(buf)
			if err != nil {
				var timeout net.Error
				if q.ctx.Err() != nil {
					return q.ctx.Err()
				}
				if errors.As(err, &timeout) && timeout.Timeout() {
					break
				}
				return fmt.Errorf("%w: %w", ErrNoAnswer, err) // "connection refused", by ICMP
			}
			if answer(buf[:n]) {
				return nil
			}
		}
		wait *= 2
	}
	return ErrNoAnswer
}

func (q asker) pcp(port uint16, life time.Duration) (m Mapping, err error) {
	var n nonce
	rand.Read(n[:])
	from := q.nc.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	var refusal error
	err = q.ask(appendPCP(nil, from, n, port, life), func(b []byte) (ours bool) {
		m, ours, refusal = parsePCP(b, n, port)
		return ours
	})
	m.Protocol = "PCP"
	return m, errors.Join(err, refusal)
}

func (q asker) pmp(port uint16, life time.Duration) (m Mapping, err error) {
	var ip netip.Addr
	var refusal error
	err = q.ask(appendPMPAddr(nil), func(b []byte) (ours bool) {
		ip, ours, refusal = parsePMPAddr(b)
		return ours
	})
	if err = errors.Join(err, refusal); err != nil {
		return m, err
	}
	var external uint16
	err = q.ask(appendPMP(nil, port, life), func(b []byte) (ours bool) {
		external, m.Life, ours, refusal = parsePMP(b, port)
		return ours
	})
	if err = errors.Join(err, refusal); err != nil {
		return m, err
	}
	m.External, m.Protocol = netip.AddrPortFrom(ip, external), "NAT-PMP"
	return m, m.check()
}
