package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHost has four apps; the one with ID 3 cannot be measured.
type fakeHost struct{ broken bool }

func (h fakeHost) List(context.Context) ([]signal.App, error) {
	if h.broken {
		return nil, errors.New("ending")
	}
	code := 7
	at := time.Unix(1700000000, 500e6)
	return []signal.App{
		{ID: 1, App: "node", Pid: 10, State: signal.Ready, Started: at, Restarts: 2, LogDropped: 4096},
		{ID: 2, App: "gone", State: signal.Exited, Started: at},
		{ID: 3, App: "odd \"name\"\\\n", Pid: 30, State: signal.Running, Started: at},
		{ID: 4, App: "shell", State: signal.Failed, Started: at, ExitCode: &code},
	}, nil
}

func (fakeHost) Usage(_ context.Context, id signal.ID) (signal.Usage, error) {
	if id != 1 {
		return signal.Usage{}, errors.New("no answer")
	}
	return signal.Usage{ID: id, CPUSeconds: 1.25, RSSBytes: 12 << 20, Processes: 2, Threads: 9, OpenFiles: 8, ReadBytes: 100, WrittenBytes: 200}, nil
}

// serve runs a server for the length of a test.
func serve(t *testing.T, h Host) *Server {
	t.Helper()
	s, err := Listen(Config{Addr: "127.0.0.1:0", Host: h, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, s *Server, path string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+s.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	s := serve(t, fakeHost{})
	code, body := get(t, s, "/metrics", nil)
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, body)
	}
	for _, want := range []string{
		`viscript_apps{state="ready"} 1`, `viscript_apps{state="exited"} 1`, `viscript_apps{state="waiting"} 0`,
		`viscript_app_state{id="1",app="node",state="ready"} 1`,
		`viscript_app_up{id="1",app="node"} 1`, `viscript_app_up{id="4",app="shell"} 0`,
		`viscript_app_start_time_seconds{id="1",app="node"} 1.7000000005e+09`,
		`viscript_app_restarts_total{id="1",app="node"} 2`,
		`viscript_app_log_dropped_bytes_total{id="1",app="node"} 4096`,
		`viscript_app_exit_code{id="4",app="shell"} 7`,
		`viscript_app_cpu_seconds_total{id="1",app="node"} 1.25`,
		`viscript_app_resident_memory_bytes{id="1",app="node"} 1.2582912e+07`,
		`viscript_app_up{id="3",app="odd \"name\"\\\n"} 1`,
		`viscript_scrape_failures 1`, `viscript_build_info{version="1.2.3",go="go`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%s is not in\n%s", want, body)
		}
	}
	for _, not := range []string{`id="2"`, `viscript_app_cpu_seconds_total{id="3"`} {
		if strings.Contains(body, not) {
			t.Errorf("%s is told", not)
		}
	}
	checkFormat(t, body)
}

// checkFormat holds every line against the grammar, and families together and declared once.
func checkFormat(t *testing.T, body string) {
	t.Helper()
	sample := regexp.MustCompile(`^([a-z_]+)(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [-+0-9.e]+$`)
	seen, current := map[string]bool{}, ""
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			current, _, _ = strings.Cut(name, " ")
			if seen[current] {
				t.Errorf("%s is declared twice", current)
			}
			seen[current] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != current {
			t.Errorf("%q below %s", line, current)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t, fakeHost{})
	for _, c := range []struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		{"/", nil, http.StatusNotFound},
		{"/metrics", func(r *http.Request) { r.Host = "attacker.example" }, http.StatusForbidden},
		{"/metrics", func(r *http.Request) { r.Host = "attacker.example:80" }, http.StatusForbidden},
		{"/metrics", func(r *http.Request) { r.Host = "127.0.0.1.attacker.example" }, http.StatusForbidden},
		{"/metrics", func(r *http.Request) { r.Header.Set("Origin", "http://attacker.example") }, http.StatusForbidden},
		{"/metrics", func(r *http.Request) { r.Method = http.MethodPost }, http.StatusMethodNotAllowed},
		{"/metrics", func(r *http.Request) { r.Host = "localhost" }, http.StatusOK},
		{"/metrics", func(r *http.Request) { r.Host = "[::1]:9190" }, http.StatusOK},
		{"/metrics", func(r *http.Request) { r.Host = "[::1]" }, http.StatusOK},
	} {
		if code, body := get(t, s, c.path, c.change); code != c.want {
			t.Errorf("%s: %d, want %d: %s", c.path, code, c.want, body)
		}
	}
	if code, _ := get(t, serve(t, fakeHost{broken: true}), "/metrics", nil); code != http.StatusServiceUnavailable {
		t.Errorf("without a host: %d", code)
	}
}

func TestManyConnections(t *testing.T) {
	s := serve(t, fakeHost{})
	var silent []net.Conn
	for range maxConnections {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	silent[0].Close()
	if code, _ := get(t, s, "/metrics", nil); code != http.StatusOK {
		t.Error("no slot was given back")
	}
	for _, c := range silent {
		c.Close()
	}
}

func TestCheckAddr(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:9190": true, "localhost:0": true, "[::1]:1": true, "127.8.8.8:1": true,
		"": false, "9190": false, ":9190": false, "0.0.0.0:9190": false, "192.168.1.1:1": false, "example.com:1": false,
		"[::]:1": false, "127.0.0.1:x": false, "127.0.0.1:65536": false, "[::1%lo]:1": false,
	} {
		if err := CheckAddr(addr); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
	if _, err := Listen(Config{Addr: "0.0.0.0:0"}); err == nil {
		t.Error("it listens for everybody")
	}
	s, err := Listen(Config{Addr: "localhost:0", Host: fakeHost{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Config{Addr: s.Addr()}); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("a port in use: %v", err)
	}
	s.listener.Close()
	fmt.Fprint(io.Discard, s.Close())
}
