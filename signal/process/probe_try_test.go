//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// tryOnce makes a ready prober and tries once.
func tryOnce(t *testing.T, p signal.Probe, target Target) error {
	t.Helper()
	if p.Timeout == 0 {
		p.Timeout = signal.Duration(slack)
	}
	r, err := NewReady(p, target)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	return r.once(t.Context())
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestProbeTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	expect(t, tryOnce(t, signal.Probe{TCP: l.Addr().String()}, Target{}), "")
	expect(t, tryOnce(t, signal.Probe{TCP: closedPort(t)}, Target{}), "connection refused")
}

// closedPort is the address of a port at which nobody listens until the test ends: it is taken.
func closedPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	at, bad := syscall.Getsockname(fd)
	if err := errors.Join(err, bad); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}

func TestProbeHTTP(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 200<<10))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	defer close(release)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	for path, want := range map[string]string{
		"/status/200": "", "/status/204": "", "/status/302": "", "/status/399": "", "/status/400": "status 400", "/status/503": "status 503",
		"/none": "status 404", "/endless": "", "/headers": "response headers exceeded",
	} {
		expect(t, tryOnce(t, signal.Probe{HTTP: s.URL + path}, Target{}), want)
	}
	expect(t, tryOnce(t, signal.Probe{HTTP: s.URL + "/slow", Timeout: signal.Duration(100 * time.Millisecond)}, Target{}), "no answer in 100ms")
	expect(t, tryOnce(t, signal.Probe{HTTP: "http://" + closedPort(t) + "/"}, Target{}), "connection refused")
}

func TestProbeCommand(t *testing.T) {
	dir := t.TempDir()
	target := Target{Dir: dir, Env: []string{"PATH=/usr/bin:/bin", "WORD=x y"}}
	sh := func(script string) signal.Probe { return signal.Probe{Command: []string{"/bin/sh", "-c", script}} }
	expect(t, tryOnce(t, sh(`test "$WORD" = "x y" && test "$(pwd)" = `+dir), target), "")
	expect(t, tryOnce(t, sh(`echo first; echo no luck >&2; exit 3`), target), "exit code 3: no luck")
	expect(t, tryOnce(t, sh(`yes | head -c 1000000; echo; echo end; exit 1`), target), "exit code 1: end")
	expect(t, tryOnce(t, sh(`exit 4`), target), "exit code 4")
	expect(t, tryOnce(t, signal.Probe{Command: []string{"/no/such/program"}}, target), "no such file")
	expect(t, tryOnce(t, signal.Probe{Command: []string{"/bin/echo", "$(exit 1)", "; exit 1"}}, target), "")

	slow := sh(`sleep 600 & echo $! >pid; wait`)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- probeCommand(ctx, slow.Command, target) }()
	var pid int
	until(t, func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		n, err := fmt.Sscanf(string(text), "%d\n", &pid)
		return n == 1 && err == nil
	})
	cancel()
	if err := <-over; err == nil {
		t.Error("no error of a program that was killed")
	}
	until(t, func() bool { return !running(pid) })
	slow.Timeout = signal.Duration(100 * time.Millisecond)
	expect(t, tryOnce(t, slow, target), "no answer in 100ms")
}

func TestProbeTextIsOneBoundedLine(t *testing.T) {
	r, err := NewReady(signal.Probe{Command: []string{"/bin/x"}}, Target{})
	if err != nil {
		t.Fatal(err)
	}
	got := r.describe(errors.New("\x1b[31m\xffa\nb" + strings.Repeat("x", 1000)))
	if len(got) != maxProbeText || !strings.HasPrefix(got, "command /bin/x: [31m?a bxxx") {
		t.Errorf("%q", got)
	}
}

func TestProbeLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	prober := func(pattern string) func(string) {
		t.Helper()
		r, err := NewReady(signal.Probe{Log: pattern, Timeout: signal.Duration(slack)}, Target{Log: path, LogFrom: LogEnd(path)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.close() })
		return func(want string) { t.Helper(); expect(t, r.once(t.Context()), want) }
	}
	p := prober(`^listening on \d+$`) // before the log is there
	p("no such line yet")
	add("listening on x\nlistening ")
	p("no such line yet")
	add("on 80")
	p("no such line yet") // the line has no end yet
	add("\n")
	p("")
	p("")

	p = prober("listening on 80")
	p("no such line yet") // that was an earlier run
	add("listening on 80\r\n")
	p("")

	p = prober("^ready$") // in the old file, after a rotation
	add("rea")
	p("no such line yet")
	add("dy\n")
	rename(t, path, path+".1")
	p("")

	p = prober("^again$") // in the new one
	add("x\n")
	rename(t, path, path+".1")
	p("no such line yet")
	add("again\n")
	p("")

	p = prober("^cut$") // truncated
	add(strings.Repeat("x", 100) + "\n")
	p("no such line yet")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	add("cut\n")
	p("")

	p = prober("end$") // of a line too long
	add(strings.Repeat("y", 3*maxProbeLine) + "end\n")
	p("no such line yet")
	add("the end\n")
	p("")
	p = prober("^$") // nothing at all is no empty line
	rename(t, path, path+".1")
	add("x\n")
	p("no such line yet")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestProbeLogThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewReady(signal.Probe{Log: "x"}, Target{Log: dir}); err == nil {
		t.Error("a folder was taken")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	if _, err := NewReady(signal.Probe{Log: "root"}, Target{Log: link}); err == nil {
		t.Error("a link was followed")
	}
}

// TestReadyForReal waits for a port that opens late.
func TestReadyForReal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p, err := NewReady(signal.Probe{TCP: addr, Interval: signal.MinProbeInterval, Within: signal.Duration(slack)}, Target{})
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan net.Listener, 1)
	time.AfterFunc(200*time.Millisecond, func() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			close(opened)
			return
		}
		opened <- l
	})
	ctx, cancel := context.WithTimeout(t.Context(), slack)
	defer cancel()
	err = p.Ready(ctx)
	if l, ok := <-opened; ok {
		l.Close()
		if err != nil {
			t.Error(err)
		}
	}
}
