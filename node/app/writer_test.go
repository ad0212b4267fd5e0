package app

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestCloseFinishesWhatWasCut: the rest of a frame that a deadline cut leaves with Close, before FIN.
func TestCloseFinishesWhatWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newConn(near, NewReader(near), Addr{}, Addr{})
		go func() {
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			if n, err := conn.Write(make([]byte, 1000)); n != 1000 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("wrote %d bytes, %v", n, err)
			}
			if err := conn.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		}()
		cut := make([]byte, 2*HeaderLen+10) // BEGIN and a little of DATA
		if _, err := io.ReadFull(far, cut); err != nil || Kind(cut[0]) != Begin || Kind(cut[HeaderLen]) != Data {
			t.Fatalf("% x, %v", cut, err)
		}
		time.Sleep(2 * time.Second)
		rest, err := io.ReadAll(far)
		if want := AppendFrame(make([]byte, 990), Fin, nil); err != nil || string(rest) != string(want) {
			t.Errorf("%d bytes came then, want %d: %v", len(rest), len(want), err)
		}
	})
}
