//go:build linux

package server

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// slowOnes is how many connections a slowloris holds.
const slowOnes = 2000

// TestSlowloris has 2,000 connections of both kinds say one byte a second, and lets all of them in
// at a time: none gains time by it, others are served meanwhile, and nothing stays.
func TestSlowloris(t *testing.T) {
	var limits Limits
	if limits.setDefaults(); limits.Greeting != 5*time.Second {
		t.Errorf("a stranger has %v", limits.Greeting)
	}
	n := slowOnes
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < 2*slowOnes+200 {
		n = int(min(files.Cur, 2*slowOnes)) / 4
		t.Logf("%d files: %d connections", files.Cur, n)
	}
	// A shorter time than the default: the test waits for it.
	s := serve(t, func(c *Config) { c.Limits.Greeting, c.Limits.Strangers = 3*time.Second, 2*slowOnes })
	client := ready(t, s, helper("client"))
	base := runtime.NumGoroutine()

	began := time.Now()
	conns := make([]net.Conn, n)
	for i := range conns {
		var conn net.Conn
		var err error
		if i%2 == 0 {
			conn, err = net.Dial("tcp", s.TCPAddr())
		} else {
			conn, err = sig.DialSocket(t.Context(), s.Socket())
		}
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	t.Logf("%d connections in %v", n, time.Since(began))
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":null}`, sig.MethodHello)
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	var open atomic.Int64
	open.Store(int64(n))
	over := make(chan struct{})
	for _, conn := range conns { // the deadline of the read is a limit of the test
		go func() {
			conn.SetReadDeadline(began.Add(4 * slack))
			for buf := make([]byte, 1<<10); ; {
				if _, err := conn.Read(buf); err != nil {
					if os.IsTimeout(err) {
						t.Error("a slow connection lives on")
					}
					break
				}
			}
			if open.Add(-1) == 0 {
				close(over)
			}
		}()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := 0; ; said++ {
		for _, conn := range conns {
			_, _ = conn.Write(frame[said%len(frame) : said%len(frame)+1])
		}
		if _, err := s.Ping(t.Context(), client.ID); err != nil {
			t.Error("another app: ", err)
		}
		eventually(t, "an operator is served", func() bool { // who has three seconds too, and the machine may stand still
			_, err := operatorOf(t, s).List(t.Context())
			return err == nil
		})
		select {
		case <-over:
			t.Logf("all closed after %v, a byte each %d times", time.Since(began), said+1)
			eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= base })
			return
		case <-tick.C:
		}
	}
}
