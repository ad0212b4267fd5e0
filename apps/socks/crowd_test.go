package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// quietStream is a stream on which nothing happens until it ends.
type quietStream struct {
	net.Conn
	once sync.Once
	done chan struct{}
}

func newQuietStream() *quietStream { return &quietStream{done: make(chan struct{})} }

func (s *quietStream) Read([]byte) (int, error) {
	<-s.done
	return 0, io.EOF
}
func (s *quietStream) Write(b []byte) (int, error) { return len(b), nil }
func (s *quietStream) CloseWrite() error           { return s.Close() }
func (s *quietStream) Reset(wire.Code)             { s.Close() }
func (s *quietStream) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Far more programs than there is room for: the limit holds, the others are turned away, and there is room again when they leave.
func TestCrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 connections")
	}
	// who gets through costs two descriptors, and fifty at a time are on their way
	crowd := min(crowd, 2*(descriptors()-300)) / 200 * 200
	most := crowd / 4
	c := startClient(t, DialerFunc(func(context.Context, string, []byte) (Stream, error) { return newQuietStream(), nil }),
		func(cfg *ClientConfig) { cfg.Limits.MaxConns = most })
	hello := appendRequest(appendGreeting(nil, 0), cmdConnect, Target{Name: "a.example", Port: 1})
	var mu sync.Mutex // guards the following
	var open []net.Conn
	refused := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range crowd / 50 {
				conn, err := connectCrowd(c.Addr().String(), hello)
				mu.Lock()
				switch {
				case err == nil:
					open = append(open, conn)
				case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
					refused++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(open) != most || refused != crowd-most {
		t.Errorf("%d got through and %d were turned away, of %d with room for %d", len(open), refused, crowd, most)
	}
	eventually(t, "all counted", func() bool { // a program is counted when it has its answer: it may ask before
		s := c.Stats()
		return s.Active == most && s.Total == uint64(most) && s.Refused["busy"] == uint64(crowd-most)
	})
	for _, conn := range open {
		conn.Close()
	}
	eventually(t, "all gone", func() bool { return c.Stats().Active == 0 })
	through(t, c, Target{Name: "a.example", Port: 1}, 0)
}

// connectCrowd opens a connection through a client.
func connectCrowd(at string, hello []byte) (net.Conn, error) {
	conn, err := net.Dial("tcp", at)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = conn.Write(hello)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 12))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.New("neither served nor turned away")
	}
	if err != nil {
		conn.Close()
	}
	return conn, err
}
