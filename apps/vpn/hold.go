package vpn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// hold keeps a tunnel: it is up once a probe has come back, and until something says that it is not.
func (c *Client) hold(ctx context.Context, stop context.CancelCauseFunc, m Mover, stream Stream, s Settings, w welcome) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop(nil)
	pongs := make(chan uint64, 1)
	wg.Go(func() { stop(c.listen(ctx, stream, pongs)) })
	wg.Go(func() { stop(c.watch(ctx, s)) })
	tick := time.NewTicker(w.KeepAlive)
	defer tick.Stop()
	for began := time.Now(); ; {
		at := time.Since(began)
		if err := say(stream, kindPing, appendStamp(nil, uint64(at))); err != nil {
			return err
		}
		if err := c.awaitPong(ctx, m, pongs, began, uint64(at)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.Done():
			return fmt.Errorf("the node moves no packets any more: %w", m.Err())
		case <-tick.C:
		}
	}
}

// awaitPong waits for the answer to the ping that said at.
func (c *Client) awaitPong(ctx context.Context, m Mover, pongs <-chan uint64, began time.Time, at uint64) error {
	late := time.NewTimer(pongTimeout)
	defer late.Stop()
	for {
		select {
		case got := <-pongs:
			if got != at {
				continue
			}
			c.say(func(s *Status) { s.ControlRTT = time.Since(began) - time.Duration(at) })
			return nil
		case <-late.C:
			return errors.New("the exit answers no more")
		case <-m.Done():
			return fmt.Errorf("the node moves no packets any more: %w", m.Err())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// listen reads what the exit says.
func (c *Client) listen(ctx context.Context, stream Stream, pongs chan<- uint64) error {
	buf := make([]byte, maxMessage)
	for {
		stream.SetReadDeadline(time.Now().Add(clientSilence))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		k, body, err := readMessage(stream, buf)
		if err != nil {
			return fmt.Errorf("the control stream ended: %w", err)
		}
		switch k {
		case kindPong:
			at, err := parseStamp(body)
			if err != nil {
				return err
			}
			select {
			case pongs <- at:
			default: // not asked for
			}
		case kindBye:
			return refusalOf(body)
		case kindWelcome: // something has changed: begin again, the addresses are kept
			return errors.New("the exit has new settings")
		}
	}
}

// watch probes the tunnel itself.
func (c *Client) watch(ctx context.Context, s Settings) error {
	up := false
	for {
		rtt, err := c.probe(ctx, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("nothing comes back through the tunnel: %w", err)
		}
		c.say(func(st *Status) {
			st.RTT, st.Trouble = rtt, ""
			if !up {
				st.State, st.Since = StateConnected, time.Now()
			}
		})
		if !up {
			c.log.Info("connected", "peer", s.Exit.String(), "addr", s.Addrs, "took", rtt)
			up = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.hurry:
		case <-time.After(checkEvery):
		}
	}
}

// probe tries each gateway in turn until one answers.
func (c *Client) probe(ctx context.Context, s Settings) (rtt time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err = errors.New("the exit named no address to probe")
	for ctx.Err() == nil {
		for _, g := range s.Gateways {
			i := slices.IndexFunc(s.Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() == g.Is4() })
			if i < 0 {
				continue
			}
			try, cancel := context.WithTimeout(ctx, time.Second)
			rtt, err = c.cfg.Probe(try, s.Addrs[i].Addr(), g)
			cancel()
			if err == nil {
				return rtt, nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(probePause):
		}
	}
	return 0, err
}
