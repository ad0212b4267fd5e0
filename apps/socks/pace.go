package socks

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// pace holds one user or node to its rate, over all its connections; nil holds nobody.
type pace struct{ up, down *rate.Limiter }

// newPace returns nil for rate 0. What may come at once is a tenth of a second's worth, one copy buffer at least.
func newPace(bytesPerSecond int64) *pace {
	if bytesPerSecond == 0 {
		return nil
	}
	burst := int(max(bytesPerSecond/10, largeBuffer))
	return &pace{rate.NewLimiter(rate.Limit(bytesPerSecond), burst), rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

// limits returns the two limiters, nil when there are none.
func (p *pace) limits() (up, down *rate.Limiter) {
	if p == nil {
		return nil, nil
	}
	return p.up, p.down
}

// await waits until n bytes, at most largeBuffer, may pass; it fails when ctx ends.
func await(ctx context.Context, l *rate.Limiter, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	r := l.ReserveN(time.Now(), n)
	pause := r.Delay()
	if pause == 0 {
		return nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// portion is how much of b to move at once, so that nobody waits long for one move and an end is noticed soon.
func portion(l *rate.Limiter, b []byte) []byte {
	most := largeBuffer
	if l != nil {
		most = min(most, max(minRate/2, int(l.Limit()/4)))
	}
	return b[:min(len(b), most)]
}

// passes reports whether a datagram of n bytes may pass now.
func passes(l *rate.Limiter, n int) bool { return l == nil || l.AllowN(time.Now(), n) }

// limited is a reader held to a rate.
type limited struct {
	ctx   context.Context
	from  io.Reader
	limit *rate.Limiter
}

// Read implements io.Reader.
func (l limited) Read(b []byte) (int, error) {
	n, err := l.from.Read(portion(l.limit, b))
	if e := await(l.ctx, l.limit, n); e != nil {
		return 0, e
	}
	return n, err
}
