//go:build linux

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
	"go.uber.org/goleak"
)

// slack is how long a test waits for what takes milliseconds on an idle machine.
const slack = 30 * time.Second

// TestMain makes the test binary the children of its own tests: HELPER names what it plays.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keep" { // the keeper of an app
		os.Exit(process.Keep())
	}
	switch role := os.Getenv("HELPER"); role {
	case "":
		os.Setenv("GORACE", "atexit_sleep_ms=0") // for keepers
		goleak.VerifyTestMain(m)
	case "client", "notready", "tcp", "failing":
		attached(role)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Minute)
	case "loud":
		loud()
	case "surroundings":
		fmt.Printf("args %q\nenv %s %s %s %s\n", os.Args[1:], os.Getenv("SIGNAL_CLIENT"),
			os.Getenv("SIGNAL_CLIENT_ID"), os.Getenv("SIGNAL_SERVER_ADDRESS"), os.Getenv("EXTRA"))
	case "crowd":
		comeInCrowds()
	case "daemon":
		beDaemon()
	case "counter": // prints what must not get lost
		for i := 0; ; i++ {
			fmt.Println("line", i)
			time.Sleep(time.Millisecond)
		}
	case "until": // ends as told, once a file is there
		for _, err := os.Stat(os.Getenv("GO")); err != nil; _, err = os.Stat(os.Getenv("GO")) {
			time.Sleep(5 * time.Millisecond)
		}
		code, _ := strconv.Atoi(os.Getenv("CODE"))
		os.Exit(code)
	default:
		raw(role)
	}
}

// patient are the limits of a server whose apps and operators may stand still for a while.
func patient() Limits { return Limits{Greeting: slack, Ping: slack, Top: slack, Write: slack} }

// beDaemon serves a state folder until it is killed or asked to end.
func beDaemon() {
	s, err := New(Config{Dir: os.Getenv("DIR"), TCPAddr: "127.0.0.1:0", Ladder: process.Ladder{Ask: slack, Term: slack, Kill: slack}, Limits: patient()})
	if err != nil {
		fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s.Run(ctx)
}

// comeInCrowds registers as many apps, each on a connection of its own.
func comeInCrowds() {
	for _, err := os.Stat(os.Getenv("GO")); err != nil; _, err = os.Stat(os.Getenv("GO")) {
		time.Sleep(5 * time.Millisecond)
	}
	token, err := sig.ReadToken(os.Getenv(sig.EnvTokenFile))
	if err != nil {
		fatal(err)
	}
	first, _ := strconv.Atoi(os.Getenv(sig.EnvID))
	n, _ := strconv.Atoi(os.Getenv("CROWD"))
	for id := first; id < first+n; id++ {
		conn, err := net.Dial("unix", os.Getenv(sig.EnvSocket))
		if err != nil {
			fatal(err)
		}
		p := sig.NewPeer(sig.NewFrames(conn), sig.PeerOptions{
			Handle: func(context.Context, string, json.RawMessage) (any, error) { return struct{}{}, nil },
		})
		go p.Run(context.Background())
		if _, err := register(p, strconv.Itoa(id), token); err != nil {
			fatal(err)
		}
	}
	fmt.Println("crowd is there")
	time.Sleep(time.Hour)
}

// attached is a well-behaved app.
func attached(role string) {
	if role == "tcp" {
		os.Unsetenv(sig.EnvSocket)
	}
	ctx := sig.Attach(context.Background(), sig.Options{
		Name: role, NotReady: role == "notready",
		Commands: []sig.Command{
			{Name: "echo", Args: "WORD...", Help: "say it again", Run: func(_ context.Context, args []string) (any, error) { return args, nil }},
			{Name: "fail", Help: "fails", Run: func(context.Context, []string) (any, error) { return nil, errors.New("did \x1b[31mnot\nwork") }},
			{Name: "large", Help: "is large", Run: func(context.Context, []string) (any, error) { return strings.Repeat("x", 900_000), nil }},
			{Name: "wait", Help: "waits", Run: func(ctx context.Context, _ []string) (any, error) { <-ctx.Done(); return nil, ctx.Err() }},
		},
		OnShutdown: func(context.Context) error {
			fmt.Println("cleaned up")
			if role == "failing" {
				return errors.New("disk on fire")
			}
			return nil
		},
	})
	c := sig.FromContext(ctx)
	if role == "notready" {
		for _, err := os.Stat(os.Getenv("GO")); err != nil; _, err = os.Stat(os.Getenv("GO")) {
			time.Sleep(5 * time.Millisecond)
		}
		c.Ready()
	}
	c.Status("serving\x1b[2J on port 1")
	c.Event("link", "up", map[string]int{"n": 1})
	c.Log("a line by signal")
	<-ctx.Done()
	c.Wait()
	if role == "failing" {
		os.Exit(6)
	}
}

// loud prints two megabytes, more than any pipe holds, and ends.
func loud() {
	for i := range 2000 {
		fmt.Println(i, strings.Repeat("A", 1000))
	}
}

// raw registers by hand and then behaves as its role says.
func raw(role string) {
	conn, err := net.Dial("unix", os.Getenv(sig.EnvSocket))
	if err != nil {
		fatal(err)
	}
	var once sync.Once
	var peer *sig.Peer
	peer = sig.NewPeer(sig.NewFrames(conn), sig.PeerOptions{
		Requests: 1000,
		Handle: func(ctx context.Context, method string, _ json.RawMessage) (any, error) {
			switch {
			case role == "silent" && method != sig.MethodShutdown:
				fmt.Println("asked", method)
				<-ctx.Done()
			case role == "vanish" && method == sig.MethodPing:
				peer.Close()
			case role == "oversize" && method == sig.MethodTop:
				once.Do(func() { conn.Write([]byte{0x7f, 0xff, 0xff, 0xff, 'x'}) })
				<-ctx.Done()
			case role == "wrong" && method == sig.MethodTop:
				return "not an object", nil
			case method == sig.MethodShutdown:
				go func() { time.Sleep(10 * time.Millisecond); os.Exit(0) }()
			}
			return struct{}{}, nil
		},
	})
	go func() {
		peer.Run(context.Background())
		if role == "vanish" || role == "oversize" {
			fmt.Println("connection over")
			time.Sleep(time.Minute)
		}
	}()
	token, err := sig.ReadToken(os.Getenv(sig.EnvTokenFile))
	if err != nil {
		fatal(err)
	}
	if role == "badproof" {
		token[0]++
	}
	_, err = register(peer, os.Getenv(sig.EnvID), token)
	fmt.Println("registered", sig.CodeOf(err))
	switch role {
	case "operator":
		fmt.Println("list", sig.CodeOf(peer.Call(context.Background(), sig.MethodAppList, nil, nil)))
		fmt.Println("again", sig.CodeOf(peer.Call(context.Background(), sig.MethodHello, sig.HelloParams{Protocol: 1, Nonce: sig.NewNonce()}, nil)))
	case "unsolicited":
		for _, id := range []string{"1", "2", "99", `"x"`, "null"} {
			frames := []byte(`{"jsonrpc":"2.0","id":` + id + `,"result":{"goroutines":666}}`)
			conn.Write(append([]byte{0, 0, 0, byte(len(frames))}, frames...))
		}
		peer.Notify(context.Background(), "nonsense", nil)
	case "second":
		other, _ := net.Dial("unix", os.Getenv(sig.EnvSocket))
		again := sig.NewPeer(sig.NewFrames(other), sig.PeerOptions{})
		go again.Run(context.Background())
		_, err = register(again, os.Getenv(sig.EnvID), token)
		fmt.Println("second", sig.CodeOf(err))
	case "flood":
		for i := range 20_000 {
			peer.Notify(context.Background(), sig.MethodStatus, sig.StatusParams{Text: strconv.Itoa(i)})
			peer.Notify(context.Background(), sig.MethodEvent, sig.EventParams{Kind: "k", Text: strconv.Itoa(i)})
		}
	case "child":
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "HELPER=client")
		if err := c.Start(); err != nil {
			fatal(err)
		}
	}
	fmt.Println("done")
	time.Sleep(time.Minute)
}

func fatal(err error) {
	fmt.Println(err)
	os.Exit(1)
}

// register goes through both steps and returns the server's proof, which it does not need.
func register(p *sig.Peer, id string, token []byte) ([]byte, error) {
	n, _ := strconv.ParseUint(id, 10, 64)
	hello := sig.HelloParams{Protocol: sig.Protocol, ID: sig.ID(n), Nonce: sig.NewNonce()}
	var theirs sig.HelloResult
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	if err := p.Call(ctx, sig.MethodHello, hello, &theirs); err != nil {
		return nil, err
	}
	proof := sig.Proof(token, sig.RoleClient, hello.Nonce, theirs.Nonce)
	return theirs.Proof, p.Call(ctx, sig.MethodRegister, sig.RegisterParams{Proof: proof, Pid: os.Getpid(), Ready: true}, nil)
}

// reapAll waits until this process has no children: keepers of tests before may have ended with nobody to wait for them.
func reapAll(t *testing.T) {
	t.Helper()
	eventually(t, "no children are left by other tests", func() bool {
		_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		return err == syscall.ECHILD
	})
}

// serve runs a server until the test ends.
func serve(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		Dir: t.TempDir(), TCPAddr: "127.0.0.1:0",
		Ladder: process.Ladder{Ask: slack, Term: slack, Kill: slack}, Limits: patient(),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		s.Hurry()
		select {
		case err := <-done:
			if err != nil {
				t.Error("Run:", err)
			}
		case <-time.After(slack):
			t.Error("Run did not return")
		}
	})
	return s
}

func helper(role string, env ...string) sig.StartRequest {
	r := sig.StartRequest{App: role, Path: os.Args[0], Env: map[string]string{"HELPER": role, "GORACE": "atexit_sleep_ms=0"}}
	if !filepath.IsAbs(r.Path) {
		r.Path, _ = os.Executable()
	}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		r.Env[k] = v
	}
	return r
}

func shell(script string, args ...string) sig.StartRequest {
	return sig.StartRequest{App: "sh", Path: "/bin/sh", Args: append([]string{"-c", script}, args...)}
}

func launch(t testing.TB, s *Server, r sig.StartRequest) sig.App {
	t.Helper()
	v, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ready starts an app and waits until it is.
func ready(t testing.TB, s *Server, r sig.StartRequest) sig.App {
	t.Helper()
	v := launch(t, s, r)
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	if err := s.WaitReady(ctx, v.ID); err != nil {
		log, _ := os.ReadFile(v.Log)
		t.Fatalf("%v; log: %s", err, log)
	}
	return row(t, s, v.ID)
}

func row(t testing.TB, s *Server, id sig.ID) sig.App {
	t.Helper()
	_, v, err := s.find(id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(slack); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func awaitState(t testing.TB, s *Server, id sig.ID, want sig.State) sig.App {
	t.Helper()
	eventually(t, fmt.Sprintf("app %d is %s", id, want), func() bool { return row(t, s, id).State == want })
	return row(t, s, id)
}

func awaitLog(t testing.TB, v sig.App, line string) {
	t.Helper()
	eventually(t, "log line "+line, func() bool {
		text, _ := os.ReadFile(v.Log)
		return strings.Contains("\n"+string(text), "\n"+line+"\n")
	})
}

func kinds(t testing.TB, s *Server, id sig.ID) []string {
	t.Helper()
	var out []string
	err := s.Events(context.Background(), 0, false, func(e sig.Event) error {
		if e.ID == id {
			out = append(out, e.Kind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantCode(t testing.TB, what string, err error, want sig.Code) {
	t.Helper()
	if got := sig.CodeOf(err); got != want {
		t.Errorf("%s: error %v with code %d, want %d", what, err, got, want)
	}
}

// dialPeer connects to the Unix socket as the test process.
func dialPeer(t testing.TB, s *Server) *sig.Peer {
	t.Helper()
	conn, err := sig.DialSocket(context.Background(), s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	return peerOn(t, conn)
}

func peerOn(t testing.TB, conn net.Conn) *sig.Peer {
	p := sig.NewPeer(sig.NewFrames(conn), sig.PeerOptions{})
	done := make(chan struct{})
	go func() { defer close(done); p.Run(context.Background()) }()
	t.Cleanup(func() { p.Close(); <-done })
	return p
}

func operatorOf(t testing.TB, s *Server) *sig.Operator {
	t.Helper()
	o, err := sig.DialOperator(context.Background(), s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
