package session

import (
	"context"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// greet runs the handshake until it is done, fails or takes too long. It is called on a goroutine
// of its own, because a handshake costs about a millisecond of arithmetic.
func (s *Session) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
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
	if err := s.exchange(ctx, hs); err != nil {
		return fmt.Errorf("session: greeting %s: %w", s.remote.Short(), err)
	}
	if s.initiator {
		return s.confirmed(ctx)
	}
	s.becomeReady()
	return nil
}

// exchange passes messages until the state machine is done.
func (s *Session) exchange(ctx context.Context, hs *secure.Handshake) error {
	if s.initiator {
		first, err := hs.Start()
		if err != nil {
			return err
		}
		s.sendRecord(wire.Handshake, first)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return s.Err()
		case msg := <-s.hello:
			reply, done, err := hs.Next(msg)
			if err != nil {
				return err
			}
			if done {
				// Before message 3 leaves: the responder confirms as soon as it has it.
				if err := s.install(hs.Result()); err != nil {
					return err
				}
			}
			if reply != nil {
				s.sendRecord(wire.Handshake, reply)
			}
			if done {
				return nil
			}
		}
	}
}

// install takes the keys, if the right one holds their other halves.
func (s *Session) install(res secure.Result) error {
	if res.Remote != s.remote {
		return fmt.Errorf("the route was laid for %s, but %s came", s.remote.Short(), res.Remote.Short())
	}
	k, err := deriveKeys(res)
	if err == nil {
		s.keys.Store(k)
	}
	return err
}

// confirmed waits for the responder's first sealed record.
func (s *Session) confirmed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("session: %s did not confirm: %w", s.remote.Short(), ctx.Err())
	case <-s.done:
		return s.Err()
	case <-s.ready:
		return nil
	}
}

func (s *Session) becomeReady() { s.isReady.Do(func() { close(s.ready) }) }

// sendRecord sends one unsealed handshake message.
func (s *Session) sendRecord(t wire.Type, msg []byte) {
	rec := make([]byte, wire.Overhead+len(msg))
	copy(rec[wire.LenLen+wire.HeaderLen:], msg)
	s.send(rec, t)
}

// begin runs the handshake in the background and tells host how it went.
func (s *Session) begin(ctx context.Context) {
	start := time.Now()
	err := s.greet(ctx)
	if err != nil {
		s.fail(err)
		return
	}
	s.host.readied(s)
	s.host.log.Info("session up", "peer", s.remote.Short(), "initiator", s.initiator, "took", time.Since(start).Round(time.Microsecond))
	s.keep()
}
