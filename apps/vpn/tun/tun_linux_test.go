package tun

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// inSpace runs f in a network namespace of its own, on a thread that ends with it.
func inSpace(t *testing.T, f func()) {
	t.Helper()
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f()
		}
	}()
	<-done
	if err != nil {
		t.Skipf("no right to make a network namespace: %v", err)
	}
}

func TestOpen(t *testing.T) {
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	inSpace(t, func() {
		d, err := Open("test%d", true)
		if err != nil {
			t.Error(err)
			return
		}
		defer d.Close()
		if d.Name != "test0" || d.Offload&packet.Checksum == 0 {
			t.Errorf("made %q with offload %d", d.Name, d.Offload)
		}
		if _, err := net.InterfaceByName("test0"); err != nil {
			t.Error(err)
		}
		for _, o := range []packet.Offload{0, packet.Checksum, packet.TCP4, packet.All} {
			if err := d.Limit(o); err != nil {
				t.Errorf("limit %d: %v", o, err)
			}
		}
		if _, err := Open("test0", true); err == nil || !strings.Contains(err.Error(), "--tun") {
			t.Errorf("a name that is taken: %v", err)
		}
		if _, err := Open(strings.Repeat("x", 30), true); err == nil {
			t.Error("a long name is taken")
		}
		fd, err := unix.Dup(int(d.File.Fd()))
		if err != nil {
			t.Error(err)
			return
		}
		unix.SetNonblock(fd, true)
		dev, err := tunnel.OpenFile(os.NewFile(uintptr(fd), "dup"))
		if err != nil {
			t.Errorf("the node does not take it: %v", err)
			return
		}
		if n, err := dev.Read(make([]byte, packet.MaxFrame), false); n != 0 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		dev.Close()
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for err, want := range map[error]string{unix.EPERM: "CAP_NET_ADMIN", unix.EACCES: "setcap", unix.ENOENT: "modprobe tun", unix.ENODEV: "--device", unix.EBUSY: "--tun"} {
		if got := explain(err).Error(); !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestMemory(t *testing.T) {
	d, m := NewMemory()
	buf := make([]byte, 100)
	if n, err := m.Read(buf, false); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	m.Inject([]byte("frame"))
	if n, err := m.Read(buf, true); string(buf[:n]) != "frame" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
	m.Wake()
	if n, err := m.Read(buf, true); n != 0 || err != nil {
		t.Errorf("woken: %d, %v", n, err)
	}
	if err := m.Write([]byte("back")); err != nil || string(<-m.Extract()) != "back" {
		t.Error("writing:", err)
	}
	d.Close()
	d.Close()
	if _, err := m.Read(buf, true); err == nil {
		t.Error("closed, and read")
	}
}
