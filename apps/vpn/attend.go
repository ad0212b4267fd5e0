package vpn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// serve is the life of one client.
func (s *Server) serve(ctx context.Context, in Incoming) {
	defer in.Close()
	buf := make([]byte, max(maxMessage, messageHeader))
	h, refusal, err := s.greet(in, buf)
	s.greeted(in.Peer())
	if err != nil {
		s.log.Debug("a client that says nothing of sense", "peer", in.Peer().Short(), "err", err)
		return
	}
	if refusal == nil {
		refusal = s.admit(ctx, in, h, buf)
	}
	if refusal != nil {
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		s.log.Info("client refused", "peer", in.Peer().Short(), "err", refusal)
		say(in, kindRefusal, refusal.append(nil))
	}
}

// greet takes the stream and reads HELLO.
func (s *Server) greet(in Incoming, buf []byte) (h hello, refusal *Refusal, err error) {
	if err := in.Confirm(); err != nil {
		return h, nil, err
	}
	in.SetReadDeadline(time.Now().Add(helloTimeout))
	k, body, err := readMessage(in, buf)
	if err == nil && k != kindHello {
		err = errMessage
	}
	if err == nil {
		h, err = parseHello(body)
	}
	if err != nil {
		return h, nil, err
	}
	return h, s.judge(in.Peer(), h), nil
}

// judge decides about a HELLO.
func (s *Server) judge(key identity.PubKey, h hello) *Refusal {
	if len(s.cfg.Allow) > 0 && !slices.Contains(s.cfg.Allow, key) {
		return &Refusal{Code: CodeDenied}
	}
	if h.Families&(family4|family6) == 0 || h.Families == family4 && !s.pool.four.IsValid() || h.Families == family6 && !s.pool.six.IsValid() {
		return &Refusal{Code: CodeFamily}
	}
	p, err := s.provers()
	if err != nil {
		return &Refusal{Code: CodeInternal}
	}
	if p.check(key, h.Proof) != nil {
		return &Refusal{Code: CodePasscode}
	}
	return nil
}

func (s *Server) provers() (*prover, error) {
	s.proveMu.Lock()
	defer s.proveMu.Unlock()
	if s.proved {
		return s.prover, nil
	}
	p, err := s.cfg.Passcode.prover(s.cfg.Self())
	s.prover, s.proved = p, err == nil
	return p, err
}

// admit serves a client that said HELLO until it leaves; a refusal is to be told.
func (s *Server) admit(ctx context.Context, in Incoming, h hello, buf []byte) *Refusal {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c, w, refusal := s.enter(in, h, stop)
	if refusal != nil {
		return refusal
	}
	defer s.leave(c)
	// What ends the client wakes its reader.
	unhook := context.AfterFunc(ctx, func() { in.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	if say(in, kindWelcome, w.append(nil)) != nil {
		return nil
	}
	s.log.Info("client", "peer", c.key.Short(), "addr", c.addrs)
	err := s.attend(ctx, c, in, w, buf)
	s.log.Info("client gone", "peer", c.key.Short(), "err", err)
	bye := new(Refusal)
	if cause := context.Cause(ctx); cause != nil {
		if !errors.As(cause, &bye) {
			bye = &Refusal{Code: CodeStopping}
		}
		say(in, kindBye, bye.append(nil))
	}
	return nil
}

// attend answers a client until it leaves, falls silent or ctx ends.
func (s *Server) attend(ctx context.Context, c *client, in Stream, w welcome, buf []byte) error {
	renews, minute := 0, time.Now()
	for {
		in.SetReadDeadline(time.Now().Add(clientSilence))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		k, body, err := readMessage(in, buf)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		switch k {
		case kindPing:
			at, err := parseStamp(body)
			if err != nil {
				return err
			}
			if err := say(in, kindPong, appendStamp(nil, at)); err != nil {
				return err
			}
		case kindHello: // it asks what holds now
			if time.Since(minute) > time.Minute {
				renews, minute = 0, time.Now()
			}
			if renews++; renews > maxRenews {
				return errMessage
			}
			if err := say(in, kindWelcome, w.append(nil)); err != nil {
				return err
			}
		case kindBye:
			return nil
		}
	}
}

// say writes one message.
func say(w Stream, k kind, body []byte) error {
	w.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := w.Write(appendMessage(nil, k, body))
	return err
}
