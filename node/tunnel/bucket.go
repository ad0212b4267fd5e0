package tunnel

import (
	"sync"
	"time"
)

// burst is how long a peer may send at any speed, of the bytes of that time at its rate; at least minBurst, a few of the largest packets.
const (
	burst    = 100 * time.Millisecond
	minBurst = 256 << 10
)

// bucket is a token bucket of bytes. With rate 0 it holds nothing back.
type bucket struct {
	rate uint64 // bytes a second; set before use

	mu     sync.Mutex // guards the following
	tokens float64
	at     time.Time
}

// take reports whether n bytes may pass now.
func (b *bucket) take(n int, now func() time.Time) bool {
	if b.rate == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := now()
	room := max(minBurst, float64(b.rate)*burst.Seconds())
	if b.at.IsZero() {
		b.tokens = room
	} else {
		b.tokens = min(room, b.tokens+t.Sub(b.at).Seconds()*float64(b.rate))
	}
	b.at = t
	if b.tokens < float64(n) {
		return false
	}
	b.tokens -= float64(n)
	return true
}
