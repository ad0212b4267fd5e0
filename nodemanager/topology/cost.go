package topology

import "time"

// Metrics is how good a link is: of each figure the worse that its two ends say.
type Metrics struct {
	RTT      time.Duration // 0: an end has not measured it yet
	Jitter   time.Duration
	Loss     uint32 // per million
	Capacity uint64 // bytes a second; 0: neither end knows
}

// Costs. A path costs the sum over its links of
//
//	perHop + rtt + 2 jitter + (rtt + 10 ms) loss / 2 % + the excess of 64 KiB / capacity
//
// so that a link which loses 2 % counts about twice its round trip, and a slow one the time that a large record takes to
// leave, as far as it is longer than at 100 Mbit/s: above that, what a quiet link seems to carry is more chance than fact.
const (
	perHop     = 500 * time.Microsecond // what a relay costs beyond the wire; prefers fewer hops where links are fast
	unmeasured = 100 * time.Millisecond // taken for a round trip that an end does not know
	maxRTT     = 10 * time.Second       // more is taken for this
	maxCost    = maxRTT + perHop        // of a link

	lossBase  = 10 * time.Millisecond // a lost record waits for more than the round trip
	lossScale = 20_000                // 2 % in millionths
	bulk      = 64 << 10              // bytes
	plenty    = 12_500_000            // bytes a second
)

// Cost is the formula above for one link; 0.5 ms to 10.0005 s.
func (m Metrics) Cost() time.Duration {
	rtt := m.RTT
	if rtt <= 0 {
		rtt = unmeasured
	}
	rtt = min(rtt, maxRTT)
	cost := perHop + rtt + 2*min(max(m.Jitter, 0), maxRTT)
	cost += (rtt + lossBase) * time.Duration(min(m.Loss, 1_000_000)) / lossScale
	if m.Capacity > 0 && m.Capacity < plenty {
		cost += bulk*time.Second/time.Duration(m.Capacity) - bulk*time.Second/plenty
	}
	return min(cost, maxCost)
}

// worse joins what two ends say.
func worse(a, b Link) Metrics {
	m := Metrics{Jitter: max(a.Jitter, b.Jitter), Loss: max(a.Loss, b.Loss), Capacity: min(a.Capacity, b.Capacity)}
	if a.RTT > 0 && b.RTT > 0 {
		m.RTT = max(a.RTT, b.RTT)
	}
	if m.Capacity == 0 { // what one end knows counts when the other knows nothing
		m.Capacity = max(a.Capacity, b.Capacity)
	}
	return m
}

// A weight is what a link adds to a path, in one number whose sums compare as lists do:
//
//	bits 53..   inner nodes that the path shares with one to keep apart from, half of one at each of its two links
//	bits 48..52 links that it shares with one
//	bits 20..47 cost in microseconds
//	bits 0..19  links
//
// Sixteen links of the dearest kind fit into their fields; a path that is longer may carry into the next field, but then
// it is too long to be an answer, and a shorter one is looked for. 65,536 links fit below far.
const (
	hopBits  = 20
	costBits = 28

	sharedLink = int64(1) << (hopBits + costBits)
	sharedNode = sharedLink << 5
)

// weight is what a link of that cost adds when it shares nothing.
func weight(cost time.Duration) int64 { return cost.Microseconds()<<hopBits | 1 }

// hops is the number of links in a sum of weights.
func hops(w int64) int { return int(w & (1<<hopBits - 1)) }

// costOf is the cost in a sum of weights.
func costOf(w int64) time.Duration {
	return time.Duration(w>>hopBits&(1<<costBits-1)) * time.Microsecond
}
