//go:build linux

package process

import (
	"net"
	"syscall"
	"testing"
)

// What is asked for while the keeper of an app that has just ended is ending too is noted all the same.
func TestWantAtTheEnd(t *testing.T) {
	for range 20 {
		s := shell(t, "exit 3")
		p, err := Start(s)
		if err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		if err := p.SetWant(t.Context(), Down); err != nil {
			t.Error(err)
		}
		<-p.gone
		if r, err := p.at.readRecord(); err != nil || r.Want != Down {
			t.Errorf("noted: %q, %v", r.Want, err)
		}
	}
}

// A daemon that is killed between the announcement of a stop and the stop leaves an app that runs,
// is not being stopped, and whose end is its own.
func TestAnnouncedAndKilled(t *testing.T) {
	p := start(t, shell(t, "exec sleep 60"))
	ask := func(method string) keeperState {
		m, err := dialKeeper(t.Context(), p.at)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { // and returns when the keeper has seen that it is gone
			_ = m.frames.Conn().(*net.UnixConn).CloseWrite()
			for err == nil {
				_, err = m.frames.Recv()
			}
			m.frames.Close()
		}()
		if method != "" {
			if err := m.frames.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"name":"n"}}`)); err != nil {
				t.Fatal(err)
			}
			if _, err := m.frames.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		return m.state
	}
	ask(methodBegin)
	if ask("").Stopping {
		t.Error("it is being stopped by nobody")
	}
	ask("") // another round: by then nothing of the first connection is left
	if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	<-p.gone
	if e, ok := p.at.readEnding(p.Record()); !ok || e.Stopped {
		t.Errorf("its end: %+v", e)
	}
}
