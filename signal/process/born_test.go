//go:build linux

package process

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// keepUntil is a keeper that is killed before its record tells of the app, which it has started or not.
func keepUntil(app bool) {
	conn, err := daemonConn()
	if err != nil {
		panic(err)
	}
	p, err := receiveStart(signal.NewFrames(conn))
	if err != nil {
		panic(err)
	}
	k := &keeper{at: place{p.Run, p.ID}}
	if _, err := k.open(p); err != nil {
		panic(err)
	}
	if app {
		if _, _, err := startChild(p, k.out.app); err != nil {
			panic(err)
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func marking(s Spec) Spec {
	s.Mark = "TEST_MARK=" + s.Run
	s.Env = append(os.Environ(), s.Mark)
	return s
}

func TestKeeperKilledBeforeItsRecord(t *testing.T) {
	s := marking(shell(t, "echo here; exec sleep 60"))
	s.Keeper = []string{os.Args[0], "die-after"}
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	if custody, why := p.Custody(); custody != Lost {
		t.Errorf("custody %v, %s", custody, why)
	}
	if !running(p.Pid()) {
		t.Fatalf("pid %d does not run", p.Pid())
	}
	logged(t, s, "here")
	p.Release()
	again, err := Adopt(s.Run, s.ID, nil)
	if err != nil || again.Pid() != p.Pid() || again.StartTicks() != p.StartTicks() {
		t.Fatalf("adopted %v, %v", again, err)
	}
	rep := stop(t, t.Context(), again, nil, Ladder{Term: slack, Kill: slack})
	if len(rep.Survivors) > 0 || running(p.Pid()) {
		t.Errorf("report %+v", rep)
	}
	again.Release()
}

// The daemon was killed with it: the next one finds the record alone.
func TestAdoptByMark(t *testing.T) {
	s := marking(shell(t, "exec sleep 60"))
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	p.patience = slack
	want := Identity{p.Pid(), p.StartTicks()}
	if err := syscall.Kill(p.Record().Keeper.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.KeeperLost()
	p.Release()
	at := place{s.Run, s.ID}
	r, err := at.readRecord()
	if err != nil {
		t.Fatal(err)
	}
	r.App = Identity{}
	if err := at.writeRecord(r); err != nil {
		t.Fatal(err)
	}
	again, err := Adopt(s.Run, s.ID, nil)
	if err != nil || again.Record().App != want {
		t.Fatalf("adopted %+v, %v; want %v", again.Record(), err, want)
	}
	stop(t, t.Context(), again, nil, Ladder{Kill: slack})
	again.Release()
	if err := at.writeRecord(r); err != nil {
		t.Fatal(err)
	}
	over, err := Adopt(s.Run, s.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := wait(t, over); !e.Unknown {
		t.Errorf("exit %+v of what runs no more", e)
	}
	over.Release()
}

func TestKeeperKilledBeforeTheApp(t *testing.T) {
	s := shell(t, "exit 3")
	p := start(t, s)
	if e := wait(t, p); e.Code != 3 {
		t.Fatal(e)
	}
	<-p.Gone()
	s.Keeper = []string{os.Args[0], "die-before"}
	began := time.Now()
	if p, err := Start(s); err == nil || !errors.Is(err, errKeeperGone) {
		t.Errorf("started %v, %v", p, err)
	}
	if took := time.Since(began); took > slack {
		t.Errorf("after %v", took)
	}
	s.Keeper = nil
	p = start(t, s)
	if e := wait(t, p); e.Code != 3 {
		t.Error(e)
	}
}
