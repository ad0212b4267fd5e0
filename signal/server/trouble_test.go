//go:build linux

package server

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// What a killed daemon left is cut off or overwritten, file by file: the next one starts, finds the
// apps by their keepers under their ids, and gives no id again.
func TestBrokenStore(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	v, w := started(t, d, shell("exec sleep 600")), started(t, d, shell("exit 4"))
	eventually(t, "one has ended", func() bool {
		list, err := d.List(t.Context())
		return err == nil && list[w.ID-1].State == sig.Failed
	})
	highest := w.ID
	for _, name := range []string{idsName, eventsName, "run/1.json", "run/2.json", "run/2.exit", "run/1.token", "run/1.json.new", lockName} {
		for how, change := range map[string]func([]byte) []byte{
			"empty":   func([]byte) []byte { return nil },
			"cut":     func(text []byte) []byte { return text[:len(text)/2] },
			"garbage": func(text []byte) []byte { return bytes.Repeat([]byte{'{', 0xff, 0}, 100) },
		} {
			d.kill()
			path := filepath.Join(dir, name)
			text, _ := os.ReadFile(path)
			if err := os.WriteFile(path, change(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d = startDaemon(t, dir)
			var list []sig.App
			var err error
			eventually(t, name+" "+how+": the keepers have answered", func() bool {
				list, err = d.List(t.Context())
				return err != nil || len(list) == 0 || list[0].State != sig.Unverified
			})
			if err != nil || len(list) == 0 || list[0].ID != v.ID || list[0].Pid != v.Pid {
				t.Fatalf("%s %s: %+v, %v", name, how, list, err)
			}
			next := started(t, d, shell("exit 0"))
			if next.ID <= highest {
				t.Errorf("%s %s: id %d is given again", name, how, next.ID)
			}
			highest = next.ID
		}
	}
	if rep, err := d.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
		t.Errorf("%+v, %v", rep, err)
	}
}

// The wall clock jumps by a day, forward or back, between a start and the next daemon: what the
// record says of it is then a day off. Nothing is decided by it.
func TestClockJump(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			dir := t.TempDir()
			d := startDaemon(t, dir)
			goFile := filepath.Join(dir, "go")
			r := helper("until", "GO="+goFile, "CODE=3")
			r.Policy = kept(sig.RestartAlways, "").Policy
			r.Backoff = sig.Backoff{Min: sig.Duration(time.Minute), Max: sig.Duration(time.Hour)}
			v, crashes := started(t, d, shell("exec sleep 600")), started(t, d, r)
			d.kill()
			for _, a := range []sig.App{v, crashes} {
				syscall.Kill(parentOf(t, a.Pid), syscall.SIGKILL) // else the keeper has the record
				path := filepath.Join(dir, runName, fmt.Sprintf("%d.json", a.ID))
				was := a.Started.UTC().Format("2006-01-02T15:04:05")
				text := strings.ReplaceAll(recordOf(t, dir, a.ID), was, a.Started.Add(jump).UTC().Format("2006-01-02T15:04:05"))
				if strings.Contains(text, was) || os.WriteFile(path, []byte(text), 0o600) != nil {
					t.Fatal(text)
				}
			}
			s := serveDir(t, dir, nil)
			for _, a := range []sig.App{v, crashes} {
				if got := row(t, s, a.ID); got.Pid != a.Pid || got.State == sig.Unverified {
					t.Errorf("%+v", got)
				}
			}
			if u, err := s.Usage(t.Context(), v.ID); err != nil || u.CPUPercent < 0 || u.CPUPercent > 10 {
				t.Errorf("%+v, %v", u, err)
			}
			if err := os.WriteFile(goFile, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			// Had it run for a day the pause would begin afresh all the same; had it run for minus one, it would not end.
			got := awaitState(t, s, crashes.ID, sig.Waiting)
			if pause := time.Until(*got.NextStart); pause < 30*time.Second || pause > 2*time.Minute {
				t.Errorf("the next start is in %v", pause)
			}
			if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
				t.Errorf("%+v, %v", rep, err)
			}
		})
	}
}

// A fork bomb under a limit of processes: the daemon answers, and the stop empties the tree.
func TestForkBomb(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the limit counts the processes of a user: it takes root to have another")
	}
	dir, err := os.MkdirTemp("", "bomb") // where that user may look
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := serve(t, nil)
	client := ready(t, s, helper("client"))
	// In dash the option is -p, elsewhere -u; without a limit there is no bomb.
	// By ulimit, since to limit another user's process takes a capability that containers lack.
	r := shell("ulimit -p 60 2>/dev/null || ulimit -u 60 || exit 9; bomb() { bomb & bomb & sleep 5; }; bomb 2>/dev/null & exec sleep 600")
	r.User, r.Dir, r.Limits, r.StopAfter = "64998:64998", dir, sig.Limits{Pids: 60}, sig.Duration(300*time.Millisecond)
	v := launch(t, s, r)
	eventually(t, "it goes off", func() bool { return len(processesWith(t, 64998)) >= 20 })
	began := time.Now()
	if _, err := s.Ping(t.Context(), client.ID); err != nil {
		t.Error(err)
	}
	took, n := time.Since(began), len(processesWith(t, 64998))
	t.Logf("%d processes; a ping of another app took %v", n, took)
	if n > 60 {
		t.Errorf("the limit of 60 processes does not hold: %d", n)
	}
	if rep, err := s.Stop(t.Context(), v.ID); err != nil || len(rep.Survivors) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if left := processesWith(t, 64998); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// processesWith are the pids of a user.
func processesWith(t *testing.T, uid int) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || !runs(pid) {
			continue
		}
		if info, err := os.Stat(filepath.Join("/proc", e.Name())); err == nil && int(info.Sys().(*syscall.Stat_t).Uid) == uid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestPidReuse has strangers take the pids of an app and of its keeper. It runs itself again in a
// pid namespace, where it may choose the pid that comes next.
func TestPidReuse(t *testing.T) {
	if os.Getenv("PID_NAMESPACE") == "" {
		if os.Getuid() != 0 {
			t.Skip("a pid namespace takes root")
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("unshare", "--pid", "--fork", "--mount", "--mount-proc", exe, "-test.run", "^TestPidReuse$", "-test.v")
		cmd.Env = append(os.Environ(), "PID_NAMESPACE=1")
		out, err := cmd.CombinedOutput()
		if err == nil && bytes.Contains(out, []byte("--- SKIP")) {
			t.Skipf("%s", out)
		}
		if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	d := startDaemon(t, dir)
	v := started(t, d, shell("exec sleep 600"))
	keeper := parentOf(t, v.Pid)
	d.kill()
	syscall.Kill(keeper, syscall.SIGKILL)
	syscall.Kill(v.Pid, syscall.SIGKILL)
	eventually(t, "their numbers are free", func() bool {
		for { // they are this process's now
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
		return syscall.Kill(v.Pid, 0) == syscall.ESRCH && syscall.Kill(keeper, 0) == syscall.ESRCH
	})
	time.Sleep(50 * time.Millisecond) // start times are in ticks of 10 ms
	var strangers []int
	for _, pid := range []int{keeper, v.Pid} {
		strangers = append(strangers, takePid(t, pid))
	}
	s := serveDir(t, dir, nil)
	if got := row(t, s, v.ID); got.Pid != 0 || got.Ended == nil {
		t.Errorf("it has ended, but %+v", got)
	}
	if _, err := s.Stop(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Kill(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	again, err := s.Restart(t.Context(), v.ID)
	if err != nil || again.Pid == 0 || again.Pid == v.Pid {
		t.Errorf("%+v, %v", again, err)
	}
	for _, pid := range strangers {
		if !runs(pid) {
			t.Errorf("stranger %d was signalled", pid)
		}
	}
}

// takePid starts a process that has this pid.
func takePid(t *testing.T, pid int) int {
	t.Helper()
	for range 1000 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, pid-1), 0); err != nil {
			t.Skip("the next pid cannot be chosen: ", err)
		}
		stranger := exec.Command("/bin/sleep", "600")
		if err := stranger.Start(); err != nil {
			t.Fatal(err)
		}
		got := stranger.Process.Pid
		if got == pid {
			t.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })
			return pid
		}
		stranger.Process.Kill()
		stranger.Wait()
	}
	t.Fatalf("nobody got pid %d", pid)
	return 0
}
