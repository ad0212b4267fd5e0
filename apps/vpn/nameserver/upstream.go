package nameserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// ask puts a question to a resolver, over the network that the client used, and waits tryTime at most.
func (s *Server) ask(ctx context.Context, up netip.AddrPort, network string, q question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.try)
	defer cancel()
	var d net.Dialer // a new port each time: one that is known could be answered by others
	c, err := d.DialContext(ctx, network, up.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	id, err := randomID()
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		return askTCP(c, q, id)
	}
	if _, err := c.Write(q.under(id)); err != nil {
		return nil, err
	}
	buf := make([]byte, maxDatagram+1)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		switch {
		case !q.answeredBy(buf[:n], id): // forged, or late
		case n > maxDatagram:
			return q.truncated(), nil
		default:
			return bytes.Clone(buf[:n]), nil
		}
	}
}

func askTCP(c net.Conn, q question, id uint16) ([]byte, error) {
	if err := writeFramed(c, q.under(id)); err != nil {
		return nil, err
	}
	answer, err := readFramed(c)
	if err == nil && !q.answeredBy(answer, id) {
		err = io.ErrUnexpectedEOF
	}
	return answer, err
}

func randomID() (uint16, error) {
	var b [2]byte
	_, err := rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:]), err
}

// hostFile names the host's resolvers, and how often we look whether it changed.
const (
	hostFile  = "/etc/resolv.conf"
	lookEvery = 5 * time.Second
	maxFile   = 64 << 10
)

// hostResolvers are those of resolv.conf(5).
type hostResolvers struct {
	mu     sync.Mutex // guards the following
	looked time.Time
	now    []netip.AddrPort
}

func (h *hostResolvers) list() []netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.looked) > lookEvery {
		h.looked = now
		if f, err := os.Open(hostFile); err == nil {
			b, _ := io.ReadAll(io.LimitReader(f, maxFile))
			f.Close()
			h.now = parseResolvers(string(b))
		}
	}
	return h.now
}

// parseResolvers reads the nameserver lines of a resolv.conf.
func parseResolvers(text string) (list []netip.AddrPort) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(list) == maxUpstreams {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, netip.AddrPortFrom(a, Port))
		}
	}
	return list
}

// load bounds what is under way, of all and of each client.
type load struct {
	all, each int

	mu    sync.Mutex // guards the following
	total int
	of    map[netip.Addr]int
}

// take begins something for a client; false if that is too much. release ends it.
func (l *load) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.all || l.of[a] >= l.each {
		return false
	}
	if l.of == nil {
		l.of = map[netip.Addr]int{}
	}
	l.total++
	l.of[a]++
	return true
}

func (l *load) release(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.of[a]--; l.of[a] == 0 {
		delete(l.of, a)
	}
}
