package hostnet

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// envStop says at which step the helper process kills itself, envWhat what it does.
const (
	envStop = "HOSTNET_TEST_STOP"
	envWhat = "HOSTNET_TEST_WHAT"
	envDir  = "HOSTNET_TEST_DIR"
)

// TestHelperProcess is the process that is killed.
func TestHelperProcess(t *testing.T) {
	stop, err := strconv.Atoi(os.Getenv(envStop))
	if err != nil || os.Getenv(envSpace) == "" {
		t.Skip("a helper of other tests")
	}
	s := &space{t: t, dir: os.Getenv(envDir)}
	h := s.open()
	steps := 0
	h.afterStep = func(int) {
		if steps++; steps == stop {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	what := os.Getenv(envWhat)
	if strings.HasPrefix(what, "server") {
		err = h.Server(t.Context(), exitServer())
	} else {
		err = h.Client(t.Context(), fullClient())
	}
	if err == nil && strings.HasSuffix(what, "change") {
		c := fullClient()
		c.KillSwitch, c.DNS, c.Except, c.Addresses = false, nil, nil, c.Addresses[:1]
		err = h.Client(t.Context(), c)
	}
	if err == nil && strings.HasSuffix(what, "undo") {
		_, err = h.Undo()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Leave()
}

// killed runs the helper, which kills itself at a step; false when it came to its end before.
func (s *space) killed(what string, stop int) bool {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestHelperProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", envStop+"="+strconv.Itoa(stop), envWhat+"="+what, envDir+"="+s.dir)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || state.Signal() != syscall.SIGKILL {
		s.t.Fatalf("%s, step %d: %v\n%s", what, stop, err, out)
	}
	return true
}

// After kill -9 at every step of doing, changing and undoing, Down makes the host what it was, and so does a second one,
// or the next start with what follows it.
func TestKilledAtEveryStep(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	before := s.state()
	steps := 0
	for _, what := range []string{"client", "client undo", "client change", "server", "server undo"} {
		switch what { // the steps before are those of the word before
		case "client", "server":
			steps = 0
		case "client change":
			steps /= 2
		}
		first := steps
		for s.killed(what, steps+stride) {
			steps += stride
			if steps%8 == 0 && s.killed("client", -1) {
				t.Fatal("killed without a reason")
			}
			r, err := Down(s.config())
			if err != nil {
				t.Errorf("%s, after step %d: %v (%+v)", what, steps, err, r)
			}
			s.same(before, what+" killed after step "+strconv.Itoa(steps))
			if r, err := Down(s.config()); err != nil || len(r.Undone)+len(r.Left) > 0 {
				t.Errorf("a second time: %v, %+v", err, r)
			}
			if t.Failed() {
				return
			}
		}
		if steps < first+stride {
			t.Errorf("%s: only %d steps", what, steps-first)
		}
		if _, err := Down(s.config()); err != nil {
			t.Error(err)
		}
		s.same(before, what)
		t.Logf("%s: killed at every step of %d (stride %d)", what, steps-first, stride)
	}
}
