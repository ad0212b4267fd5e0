//go:build linux

package command

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// sick is a bench whose doctor finds nothing yet.
func sick(t *testing.T) (b *bench, dir string) {
	b = newBench(t)
	dir = filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.env.StateDir = dir
	delete(b.cfg.Apps, "gone")
	put(t, filepath.Join(dir, "ids"), "00000000000000000009\n")
	b.run("doctor", OK)
	return b, dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorLeftovers(t *testing.T) {
	b, dir := sick(t)
	run := filepath.Join(dir, "run")
	b.host.apps = []signal.App{{ID: 1, App: "node", Pid: 5, State: signal.Running}, {ID: 2, App: "gone", State: signal.Exited}}
	for _, name := range []string{"1.lock", "1.sock", "1.json", "2.json", "2.exit", "notes.txt"} { // those of apps in the table
		put(t, filepath.Join(run, name), "{}")
	}
	b.run("doctor", OK)

	put(t, filepath.Join(run, "7.lock"), "")
	put(t, filepath.Join(run, "7.exit"), "{}")
	l, err := net.Listen("unix", filepath.Join(run, "7.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	out, _ := b.run("doctor", Failed)
	has(t, out, "left over of app 7, whose keeper is gone: 7.exit, 7.lock\n", "-> rm "+run+"/7.exit "+run+"/7.lock\n")
	l.Close() // now nobody listens at the socket
	out, _ = b.run("doctor", Failed)
	has(t, out, "7.exit, 7.lock, 7.sock\n")

	keeper := exec.Command("sleep", "600") // a keeper that holds its lock
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { keeper.Process.Kill(); keeper.Wait() }()
	lock, err := os.Open(filepath.Join(run, "7.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	start, ok := startTicks(keeper.Process.Pid)
	if !ok {
		t.Fatal("the keeper has no start time")
	}
	put(t, filepath.Join(run, "7.json"), fmt.Sprintf(`{"id":7,"keeper":{"pid":%d,"start":%d}}`, keeper.Process.Pid, start))
	out, _ = b.run("doctor", Failed)
	has(t, out, fmt.Sprintf("the keeper of app 7 (pid %d) runs", keeper.Process.Pid), fmt.Sprintf("kill %d\n", keeper.Process.Pid))
	if strings.Contains(out, "rm ") {
		t.Errorf("it says to remove the files of a living keeper: %s", out)
	}
	put(t, filepath.Join(run, "7.json"), fmt.Sprintf(`{"id":7,"keeper":{"pid":%d,"start":%d}}`, keeper.Process.Pid, start+1))
	out, _ = b.run("doctor", Failed)
	has(t, out, "the keeper of app 7 runs")
	if strings.Contains(out, "kill ") {
		t.Errorf("it says to kill a stranger: %s", out)
	}
}

func TestDoctorManyLeftovers(t *testing.T) {
	b, dir := sick(t)
	for i := range 100 {
		put(t, filepath.Join(dir, "run", fmt.Sprintf("%d.lock", 100+i)), "")
	}
	out, _ := b.run("doctor", Failed)
	has(t, out, "and 80 more like these")
}

func TestDoctorClock(t *testing.T) {
	b, _ := sick(t)
	start := time.Now()
	b.env.Started = start
	b.env.Now = time.Now
	b.run("doctor", OK)
	b.env.Started = start.Add(-time.Hour)
	b.run("doctor", OK)
	for _, c := range []struct {
		wall, passed time.Duration
		want         bool
	}{
		{time.Hour, time.Hour, false}, {time.Hour + 3*time.Second, time.Hour, false}, {time.Hour + 10*time.Second, time.Hour, true},
		{-time.Hour, time.Minute, true}, {24*time.Hour + time.Minute, 24 * time.Hour, false}, {3 * time.Second, 0, true},
	} {
		if _, got := clockJump(c.wall, c.passed); got != c.want {
			t.Errorf("wall %v, passed %v: %v", c.wall, c.passed, got)
		}
	}
	b.host.events = []signal.Event{{Seq: 1, Time: time.Now().Add(time.Hour)}}
	out, _ := b.run("doctor", Failed)
	has(t, out, "in the future: the clock was set back")
	b.host.events = nil
	b.env.Now = func() time.Time { return time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC) }
	b.env.Started = time.Time{}
	out, _ = b.run("doctor", Failed)
	has(t, out, "the clock says 1970-01-02")
}

func TestDoctorStore(t *testing.T) {
	b, dir := sick(t)
	ids := filepath.Join(dir, "ids")
	b.host.apps = []signal.App{{ID: 10, App: "node", State: signal.Exited}}
	out, _ := b.run("doctor", Failed)
	has(t, out, "there is an app 10, above the counter of IDs, 9", "-> end the daemon, then: echo 10 > "+ids)
	put(t, ids, "rubbish")
	out, _ = b.run("doctor", Failed)
	has(t, out, `holds no number: "rubbish"`)
	os.Remove(ids)
	out, _ = b.run("doctor", Failed)
	has(t, out, "no such file")
	put(t, ids, "10\n")
	put(t, filepath.Join(dir, "run", "10.json"), `{"id":1`)
	out, _ = b.run("doctor", Failed)
	has(t, out, "10.json cannot be read")
	os.Remove(filepath.Join(dir, "run", "10.json"))
	audit := filepath.Join(dir, "audit.jsonl")
	put(t, audit, "")
	os.Chmod(audit, 0o644)
	out, _ = b.run("doctor", Failed)
	has(t, out, "-> chmod 600 "+audit)
	os.Remove(audit)
	os.Mkdir(audit, 0o700)
	out, _ = b.run("doctor", Failed)
	has(t, out, "is no file")
}

func TestDoctorLimits(t *testing.T) {
	if f := checkLimits(nil); len(f) == 0 {
		t.Error("nothing is said of limits")
	}
	if f := judgeLimits(1<<20, 1<<20, 1<<20); len(f) != 2 || f[0].OK || f[1].OK || !strings.Contains(f[0].Fix, "LimitNOFILE=16777216") {
		t.Errorf("a million apps fit: %+v", f)
	}
	if f := judgeLimits(1, fewestFiles, 204); len(f) != 1 || !f[0].OK {
		t.Errorf("one app does not fit: %+v", f)
	}
	if f := checkDisk(filepath.Join(t.TempDir(), "none")); f[0].OK {
		t.Errorf("%+v", f)
	}
}
