package link

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Puncher opens direct ways between two nodes of which neither can be dialed.
type Puncher interface {
	// Candidates are addresses at which a peer's datagrams may reach us while we send to him, the most likely first. It blocks for a
	// second at most.
	Candidates(ctx context.Context) []netip.AddrPort
	// Punch sends to the peer's addresses until ctx ends, while he does the same with that nonce. With dial it returns the
	// connection that it made to the first that answered; else, or if nobody answers, the error is the cause of ctx.
	Punch(ctx context.Context, nonce [16]byte, addrs []netip.AddrPort, dial bool) (net.Conn, error)
}

// Punching beside a relayed link.
const (
	punchTime  = 4 * time.Second // one attempt
	answerTime = 2 * time.Second
	firstPunch = 2 * time.Second // pause after the first attempt; then twice as long each time
	maxPunch   = 2 * time.Minute
	leastPause = time.Second // between two calls of a peer that are answered
)

// whyPunched explains a link.
const whyPunched = "punched"

// upgrade tries to punch a direct way beside the relayed link l, until that closes: the end that dialed calls, the other one answers.
func (n *Neighbours) upgrade(ctx context.Context, l *Link) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.background(func() {
		select {
		case <-l.done:
			cancel()
		case <-ctx.Done():
		}
	})
	pause, answered := firstPunch, time.Time{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	if !l.dialer {
		timer.Stop()
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			err = n.callPeer(ctx, l)
			timer.Reset(pause)
			pause = min(2*pause, maxPunch)
		case c := <-l.calls:
			if c.kind != callAsk || time.Since(answered) < leastPause {
				continue
			}
			err = n.answerCall(ctx, l, c)
			answered = time.Now()
		}
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Debug("no direct way yet", "peer", l.peer.Short(), "err", err)
			text := "; punching: " + err.Error()
			l.tried.Store(&text)
		}
	}
}

// callPeer agrees with the peer on one attempt, and makes it.
func (n *Neighbours) callPeer(ctx context.Context, l *Link) error {
	c := call{kind: callAsk, addrs: n.cfg.Punch.Candidates(ctx)}
	rand.Read(c.nonce[:])
	l.SendControl(wire.LinkCall, 0, c.append(nil))
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("the neighbour did not answer")
		case a := <-l.calls:
			if a.kind == callAnswer && a.nonce == c.nonce {
				return n.punch(ctx, l, a)
			}
		}
	}
}

// answerCall tells the peer our addresses, and makes the attempt that he called for.
func (n *Neighbours) answerCall(ctx context.Context, l *Link, c call) error {
	a := call{kind: callAnswer, nonce: c.nonce, addrs: n.cfg.Punch.Candidates(ctx)}
	l.SendControl(wire.LinkCall, 0, a.append(nil))
	return n.punch(ctx, l, c)
}

// punch makes one attempt; the end with the lower key dials. The new link replaces l, which ends ctx.
func (n *Neighbours) punch(ctx context.Context, l *Link, c call) error {
	if len(c.addrs) == 0 {
		return fmt.Errorf("the neighbour knows no address of its own")
	}
	us := n.cfg.Key.Public()
	dial := slices.Compare(us[:], l.peer[:]) < 0
	punching, cancel := context.WithTimeoutCause(ctx, punchTime, fmt.Errorf("no answer from the addresses tried, %d", len(c.addrs)))
	defer cancel()
	n.mu.Lock()
	maps.DeleteFunc(n.punched, func(_ identity.PubKey, at time.Time) bool { return time.Since(at) > punchTime })
	n.punched[l.peer] = time.Now()
	n.mu.Unlock()
	nc, err := n.cfg.Punch.Punch(punching, c.nonce, c.addrs, dial)
	if err != nil {
		return err
	}
	better, err := n.greet(ctx, l.peer, nc, n.cfg.Carrier, nc.RemoteAddr().String())
	if err != nil {
		return err
	}
	better.why = whyPunched
	n.background(func() { n.carry(better) })
	return nil
}

// justPunched reports whether a way to the peer is being punched, or was just now.
func (n *Neighbours) justPunched(peer identity.PubKey) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.punched[peer]
	return ok && time.Since(at) <= punchTime
}
