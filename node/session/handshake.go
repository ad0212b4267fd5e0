package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// ErrGreeting is how a session failed that did not get through its handshake.
var ErrGreeting = errors.New("session: greeting")

// greet runs the handshake over p until it is done, fails or takes too long. It is called on a goroutine
// of its own, because a handshake costs about a millisecond of arithmetic.
func (s *Session) greet(ctx context.Context, p *Path) error {
	ctx, cancel := context.WithTimeout(ctx, s.host.timing.handshake)
	defer cancel()
	cfg := secure.Config{Local: s.host.cfg.Key, Kind: secure.KindSession, Network: s.host.cfg.Network}
	var hs *secure.Handshake
	var err error
	if s.initiator {
		hs, err = secure.NewInitiator(cfg, s.remote)
	} else {
		hs, err = secure.NewResponder(cfg)
	}
	if err != nil {
		return err
	}
	if err := s.exchange(ctx, p, hs); err != nil {
		return fmt.Errorf("%w %s: %w", ErrGreeting, s.remote.Short(), err)
	}
	if s.initiator {
		if err := s.awaitConfirm(ctx, p); err != nil {
			return fmt.Errorf("%w %s: %w", ErrGreeting, s.remote.Short(), err)
		}
		return nil
	}
	s.becomeReady()
	return nil
}

// exchange passes messages until the state machine is done.
func (s *Session) exchange(ctx context.Context, p *Path, hs *secure.Handshake) error {
	if s.initiator {
		first, err := hs.Start()
		if err != nil {
			return err
		}
		s.sendHello(p, first)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return s.Err()
		case <-s.kick:
			if p.gone.Load() != 0 {
				return errors.New(p.reason())
			}
		case msg := <-s.hello:
			reply, done, err := hs.Next(msg)
			if err != nil {
				return err
			}
			if done {
				// Before message 3 leaves: the responder confirms as soon as it has it.
				if err := s.takeKeys(hs.Result()); err != nil {
					return err
				}
			}
			if reply != nil {
				s.sendHello(p, reply)
			}
			if done {
				return nil
			}
		}
	}
}

// takeKeys takes the keys, if the right one holds their other halves.
func (s *Session) takeKeys(res secure.Result) error {
	if res.Remote != s.remote {
		return fmt.Errorf("the route was laid for %s, but %s came", s.remote.Short(), res.Remote.Short())
	}
	return s.install(res)
}

// awaitConfirm waits for the responder's first sealed record.
func (s *Session) awaitConfirm(ctx context.Context, p *Path) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no word after the handshake: %w", ctx.Err())
		case <-s.done:
			return s.Err()
		case <-s.kick:
			if p.gone.Load() != 0 {
				return errors.New(p.reason())
			}
		case <-s.ready:
			return nil
		}
	}
}

// sendHello sends one unsealed handshake message.
func (s *Session) sendHello(p *Path, msg []byte) {
	rec := make([]byte, wire.Overhead+len(msg))
	copy(rec[wire.LenLen+wire.HeaderLen:], msg)
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	p.send(rec, wire.Handshake)
}

// begin runs the handshake and then, until the session is over, its steward.
func (s *Session) begin(ctx context.Context, p *Path) {
	start := time.Now()
	if err := s.greet(ctx, p); err != nil {
		s.fail(err)
		return
	}
	now := s.host.now()
	s.mu.Lock()
	p.confirmed, p.since, p.watched = true, now, now
	s.laying.stand.next = now + standDelay
	s.mu.Unlock()
	s.host.readied(s)
	s.host.log.Info("session up", "peer", s.remote.Short(), "initiator", s.initiator, "took", time.Since(start).Round(time.Microsecond))
	s.steward(ctx)
}
