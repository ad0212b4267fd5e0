package link

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Choice of the congestion control. BBR keeps its rate on lossy long paths and costs throughput on short ones.
const (
	bbrAbove   = time.Millisecond
	bbrBelow   = 700 * time.Microsecond // hysteresis
	bbr        = "bbr"
	minSegment = 50 // data segments that make a measurement
)

// meter reads what TCP knows of a link. Of the prober's goroutine.
type meter struct {
	figures
	raw          syscall.RawConn // nil: no TCP socket
	usual        string          // congestion control of short paths: the system's, unless that is BBR
	bbr          bool
	refused      bool // the kernel does not let us choose
	lowat        int
	sent, resent uint32
}

func (m *meter) init(raw syscall.RawConn) {
	if raw == nil {
		return
	}
	raw.Control(func(fd uintptr) {
		name, err := congestion(fd)
		if err != nil {
			return
		}
		for _, other := range []string{"cubic", "reno"} {
			if name == bbr && unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, other) == nil {
				name = other
			}
		}
		m.raw, m.usual, m.lowat = raw, name, notSentLowat
	})
}

func congestion(fd uintptr) (name string, err error) {
	return unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
}

// measure takes the figures; rtt is the link's own measurement, used until TCP has one. The kernel shall hold no more
// than batch bytes unsent.
func (m *meter) measure(rtt time.Duration, batch int) {
	if m.raw == nil {
		return
	}
	m.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		m.fold(info)
		// the shortest round trip of late: queues that we fill ourselves make no path long
		if shortest := time.Duration(info.Min_rtt) * time.Microsecond; shortest > 0 && shortest < time.Hour {
			rtt = shortest
		}
		m.choose(int(fd), rtt)
		if batch != m.lowat && unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, batch) == nil {
			m.lowat = batch
		}
	})
}

func (m *meter) fold(info *unix.TCPInfo) {
	sent := info.Data_segs_out - m.sent
	if sent < minSegment {
		return
	}
	m.lost(info.Total_retrans-m.resent, sent)
	m.delivered(info.Delivery_rate)
	m.sent, m.resent = info.Data_segs_out, info.Total_retrans
}

// choose sets the congestion control that suits the round trip.
func (m *meter) choose(fd int, rtt time.Duration) {
	want := m.bbr && rtt > bbrBelow || rtt > bbrAbove
	if want == m.bbr || m.refused || m.usual == bbr {
		return
	}
	name := m.usual
	if want {
		name = bbr
	}
	if unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name) != nil {
		m.refused = true
		return
	}
	m.bbr = want
}
