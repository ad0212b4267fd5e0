//go:build unix

package direct_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/direct"
)

// unixPair is both ends of a Unix socket.
func unixPair(t *testing.T) (near, far *net.UnixConn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range []**net.UnixConn{&near, &far} {
		f := os.NewFile(uintptr(fds[i]), "pair")
		nc, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		*at = nc.(*net.UnixConn)
	}
	return near, far
}

func TestWriteAllWaitsForRoom(t *testing.T) {
	near, far := unixPair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		n, err := direct.WriteAll(direct.Of(near), want)
		if n != len(want) || err != nil {
			t.Errorf("wrote %d of %d bytes, %v", n, len(want), err)
		}
		near.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d of %d bytes, %v", len(got), len(want), err)
	}
}

func TestWriteAllEndsAtTheDeadline(t *testing.T) {
	near, far := unixPair(t)
	begun := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(far, make([]byte, 1))
		near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		begun <- err
	}()
	n, err := direct.WriteAll(direct.Of(near), make([]byte, 8<<20))
	if n == 0 || n == 8<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	got := make(chan int64)
	go func() {
		k, _ := io.Copy(io.Discard, far)
		got <- 1 + k
	}()
	near.Close()
	if k := <-got; k != int64(n) {
		t.Errorf("%d bytes arrived, told of %d", k, n)
	}
}

func TestErrors(t *testing.T) {
	near, far := unixPair(t)
	far.Close()
	if _, err := direct.WriteAll(direct.Of(near), []byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the far end is closed: %v", err)
	}
	raw := direct.Of(near)
	near.Close()
	if _, err := direct.WriteAll(raw, []byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if a, _ := net.Pipe(); direct.Of(a) != nil {
		t.Error("a pipe in memory has a descriptor")
	}
}

func TestReadMessage(t *testing.T) {
	near, far := unixPair(t)
	raw := direct.Of(far)
	read := func() (n, control int, text string, err error) {
		p, oob := make([]byte, 16), make([]byte, syscall.CmsgSpace(4))
		raw.Control(func(fd uintptr) { n, control, _, err = direct.ReadMessage(fd, p, oob) })
		if control > 0 {
			msgs, _ := syscall.ParseSocketControlMessage(oob[:control])
			fds, _ := syscall.ParseUnixRights(&msgs[0])
			syscall.Close(fds[0])
		}
		return n, control, string(p[:n]), err
	}
	if n, _, _, err := read(); n != 0 || err != syscall.EAGAIN {
		t.Errorf("nothing is there: %d, %v", n, err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	near.WriteMsgUnix([]byte("hi"), syscall.UnixRights(int(file.Fd())), nil)
	if n, control, text, err := read(); n != 2 || control == 0 || text != "hi" || err != nil {
		t.Errorf("a message with a descriptor: %d, %d, %q, %v", n, control, text, err)
	}
	near.Write([]byte("more"))
	if n, control, text, err := read(); n != 4 || control != 0 || text != "more" || err != nil {
		t.Errorf("a message without: %d, %d, %q, %v", n, control, text, err)
	}
	near.Close()
	if n, _, _, err := read(); n != 0 || err != nil {
		t.Errorf("the end: %d, %v", n, err)
	}
}
