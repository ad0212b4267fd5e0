package signal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attach attaches and, at the end of the test, detaches.
func attach(t testing.TB, o Options) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ctx = attachPatient(ctx, t, o)
	t.Cleanup(func() {
		cancel()
		FromContext(ctx).Wait()
	})
	return ctx
}

// attachPatient is Attach for a machine that may stand still: the connection outlives the context by slack.
func attachPatient(ctx context.Context, t testing.TB, o Options) context.Context {
	t.Helper()
	where, err := takeEnv()
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(where, o)
	c.linger, c.farewell = slack, slack
	return begin(ctx, c)
}

// logged collects what a client logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(slack); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within the time: " + what)
		}
	}
}

func TestAttachAlone(t *testing.T) {
	for _, value := range []string{"", "false", "0", "no"} {
		t.Setenv(EnvClient, value)
		t.Setenv(EnvSocket, "/nowhere")
		ctx := Attach(context.Background(), Options{})
		c := FromContext(ctx)
		if !errors.Is(c.Err(), ErrAlone) || c.ID() != 0 || ctx.Err() != nil {
			t.Fatalf("got %v, id %d", c.Err(), c.ID())
		}
		c.Ready()
		c.Status("x")
		c.Event("x", "y", 1)
		c.Log("z")
		c.Wait()
		if again := Attach(ctx, Options{}); FromContext(again) != c {
			t.Fatal("a second Attach changed the client")
		}
	}
	none := FromContext(context.Background())
	none.Ready()
	none.Status("x")
	none.Event("x", "y", nil)
	none.Log("z")
	none.Wait()
	if none.ID() != 0 || none.Err() == nil || none.CleanUpErr() != nil {
		t.Fatal("a nil client has something to say")
	}
}

func TestAttachBadEnvironmentRunsOn(t *testing.T) {
	good := serveSocket(t)
	for name, env := range map[string]map[string]string{
		"no id":             {EnvID: ""},
		"id zero":           {EnvID: "0"},
		"id not a number":   {EnvID: "seven"},
		"no token file":     {EnvTokenFile: ""},
		"missing token":     {EnvTokenFile: "/nowhere/token"},
		"nowhere to go":     {EnvSocket: "", EnvAddress: ""},
		"not loopback":      {EnvSocket: "", EnvAddress: "192.0.2.1:7999"},
		"a name":            {EnvSocket: "", EnvAddress: "example.com:7999"},
		"address no port":   {EnvSocket: "", EnvAddress: "127.0.0.1"},
		"unspecified":       {EnvSocket: "", EnvAddress: "0.0.0.0:7999"},
		"unspecified six":   {EnvSocket: "", EnvAddress: "[::]:7999"},
		"address no number": {EnvSocket: "", EnvAddress: ":7999"},
	} {
		t.Run(name, func(t *testing.T) {
			child := testServer{t: t, id: good.id, token: good.token}
			child.setEnv(map[string]string{EnvSocket: good.listener.Addr().String()})
			for k, v := range env {
				t.Setenv(k, v)
			}
			var out logged
			ctx := Attach(context.Background(), Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
			if FromContext(ctx).Err() == nil || ctx.Err() != nil || out.count("\n") != 1 {
				t.Fatalf("got %v, logged %q", FromContext(ctx).Err(), out.buf.String())
			}
		})
	}
}

func TestAttachUnsetsEnvironment(t *testing.T) {
	s := serveSocket(t)
	attach(t, Options{})
	for _, name := range []string{EnvClient, EnvAddress, EnvID, EnvTokenFile, EnvSocket} {
		if _, set := os.LookupEnv(name); set {
			t.Errorf("%s is left for grandchildren", name)
		}
	}
	s.session()
}

func TestAttachRegisters(t *testing.T) {
	s := serveSocket(t)
	run := func(context.Context, []string) (any, error) { return nil, nil }
	ctx := attach(t, Options{Name: "worker", Commands: []Command{
		{Name: "links", Args: "[N]", Help: "lists links", Run: run},
		{Name: "links", Run: run}, {Name: "", Run: run}, {Name: "no function"},
	}})
	got := s.session()
	if got.Name != "worker" || got.Pid != os.Getpid() || !got.Ready || got.Library != library {
		t.Errorf("got %+v", got.RegisterParams)
	}
	if len(got.Commands) != 1 || got.Commands[0].Name != "links" || got.Commands[0].Help != "lists links" {
		t.Errorf("commands %+v", got.Commands)
	}
	if c := FromContext(ctx); c.ID() != 7 || c.Err() != nil {
		t.Errorf("id %d, %v", c.ID(), c.Err())
	}
	if err := got.Call(within(t), MethodPing, nil, nil); err != nil {
		t.Error(err)
	}
	var top Top
	if err := got.Call(within(t), MethodTop, nil, &top); err != nil || top.Goroutines < 2 || top.HeapBytes == 0 ||
		top.AllocatedBytes == 0 || top.RuntimeBytes == 0 || top.StackBytes == 0 || top.MaxProcs == 0 || top.UptimeSeconds <= 0 {
		t.Errorf("got %+v, %v", top, err)
	}
	var list CommandsResult
	if err := got.Call(within(t), MethodCommands, nil, &list); err != nil || len(list.Commands) != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := got.Call(within(t), MethodAppList, nil, nil); CodeOf(err) != CodeNoMethod {
		t.Errorf("got %v", err)
	}
}

func TestAttachOverTCP(t *testing.T) {
	s := newTestServer(t)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.start()
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	// The socket comes first, but nobody is there.
	s.setEnv(map[string]string{EnvSocket: t.TempDir() + "/none.sock", EnvAddress: "localhost:" + port})
	attach(t, Options{})
	if err := s.session().Call(within(t), MethodPing, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAttachLongSocketPath(t *testing.T) {
	dir := t.TempDir() + "/" + strings.Repeat("d", 120)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	s := serveOn(t, fmt.Sprintf("/proc/self/fd/%d/s", folder.Fd()), newTestServer(t))
	s.setEnv(map[string]string{EnvSocket: dir + "/s"})
	attach(t, Options{})
	s.session()
}

func TestAttachManyCommandsStillRegister(t *testing.T) {
	s := serveSocket(t)
	var commands []Command
	for i := range MaxCommands + 10 {
		commands = append(commands, Command{
			Name: fmt.Sprint("c", i), Help: strings.Repeat("h", 2*MaxCommandDoc),
			Run: func(context.Context, []string) (any, error) { return nil, nil },
		})
	}
	attach(t, Options{Commands: commands})
	session := s.session()
	if len(session.Commands) != 0 {
		t.Errorf("%d commands fitted", len(session.Commands))
	}
	var list CommandsResult
	if err := session.Call(within(t), MethodCommands, nil, &list); err != nil || len(list.Commands) != MaxCommands {
		t.Fatalf("got %d commands, %v", len(list.Commands), err)
	}
}

func TestCommand(t *testing.T) {
	s := serveSocket(t)
	release := make(chan struct{})
	defer close(release)
	ctx := attach(t, Options{Commands: []Command{
		{Name: "echo", Run: func(_ context.Context, args []string) (any, error) { return args, nil }},
		{Name: "fail", Run: func(context.Context, []string) (any, error) { return nil, errors.New("no such link") }},
		{Name: "coded", Run: func(context.Context, []string) (any, error) { return nil, Errorf(CodeUnavailable, "later") }},
		{Name: "odd", Run: func(context.Context, []string) (any, error) { return func() {}, nil }},
		{Name: "huge", Run: func(context.Context, []string) (any, error) { return strings.Repeat("x", MaxFrame), nil }},
		{Name: "waits", Run: func(ctx context.Context, _ []string) (any, error) { <-ctx.Done(); return nil, ctx.Err() }},
		{Name: "hangs", Run: func(context.Context, []string) (any, error) { <-release; return nil, nil }},
	}})
	session := s.session()
	tell := func(name string, ms int64, args ...string) (string, error) {
		var r CommandResult
		err := session.Call(within(t), MethodCommand, CommandParams{Name: name, Args: args, TimeoutMS: ms}, &r)
		return string(r.Result), err
	}
	if got, err := tell("echo", 0, "A b", `"c"`); err != nil || got != `["A b","\"c\""]` {
		t.Errorf("echo: %s, %v", got, err)
	}
	for name, want := range map[string]Code{
		"fail": CodeCommand, "coded": CodeUnavailable, "odd": CodeCommand, "huge": CodeTooLarge, "unknown": CodeNoCommand,
	} {
		if _, err := tell(name, 0); CodeOf(err) != want {
			t.Errorf("%s: %v, code %d, want %d", name, err, CodeOf(err), want)
		}
	}
	if _, err := tell("fail", 0); err == nil || err.Error() != "no such link" {
		t.Errorf("fail: %v", err)
	}
	for _, name := range []string{"waits", "hangs"} {
		if _, err := tell(name, 30); CodeOf(err) != CodeTimeout {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := session.Call(within(t), MethodCommand, []int{1}, nil); CodeOf(err) != CodeParams {
		t.Errorf("wrong parameters: %v", err)
	}
	running := FromContext(ctx).running
	eventually(t, "one hangs, the others have given their places back", func() bool { return len(running) == 1 })
	for range maxRunning { // one of them hangs since before
		tell("hangs", 1)
	}
	if _, err := tell("echo", 0); CodeOf(err) != CodeBusy {
		t.Errorf("with all places taken: %v", err)
	}
	if err := session.Call(within(t), MethodPing, nil, nil); err != nil {
		t.Errorf("ping beside commands that hang: %v", err)
	}
}

func TestShutdown(t *testing.T) {
	s := serveSocket(t)
	var cleaned atomic.Bool
	ctx := attach(t, Options{OnShutdown: func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the clean-up has no deadline")
		}
		cleaned.Store(true)
		return nil
	}})
	session := s.session()
	if err := session.Call(within(t), MethodShutdown, ShutdownParams{TimeoutMS: slack.Milliseconds(), Reason: "test"}, nil); err != nil {
		t.Fatal(err)
	}
	if !cleaned.Load() {
		t.Error("answered before the clean-up")
	}
	<-ctx.Done()
	if context.Cause(ctx) != ErrShutdown {
		t.Errorf("cause %v", context.Cause(ctx))
	}
	FromContext(ctx).Log("goodbye") // what the program says on its way out still arrives
	FromContext(ctx).Wait()
	if m := session.note(t); m.Method != MethodLog || !bytes.Contains(m.Params, []byte("goodbye")) {
		t.Errorf("got %+v", m)
	}
	<-session.Done()
}

func TestShutdownFails(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, hook := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("disk full") },
		"waits": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"hangs": func(context.Context) error { <-release; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := serveSocket(t)
			ctx := attach(t, Options{OnShutdown: hook})
			err := s.session().Call(within(t), MethodShutdown, ShutdownParams{TimeoutMS: 50}, nil)
			if CodeOf(err) != CodeCleanup {
				t.Errorf("got %v", err)
			}
			<-ctx.Done() // it ends all the same
			if FromContext(ctx).CleanUpErr() == nil {
				t.Error("no error")
			}
		})
	}
}

func TestShutdownTwiceCleansUpOnce(t *testing.T) {
	s := serveSocket(t)
	calls, release := make(chan struct{}, 10), make(chan struct{})
	ctx := attach(t, Options{OnShutdown: func(context.Context) error {
		calls <- struct{}{}
		<-release
		return nil
	}})
	session := s.session()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := session.Call(within(t), MethodShutdown, ShutdownParams{TimeoutMS: slack.Milliseconds()}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-calls
	eventually(t, "three have asked", func() bool { return session.waiting() == 3 })
	close(release)
	wg.Wait()
	<-ctx.Done()
	if len(calls) != 0 {
		t.Errorf("%d more clean-ups", len(calls))
	}
}

// waiting is how many calls have no answer yet.
func (p *Peer) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending)
}

// The server dies while the program cleans up: the clean-up goes on to its end, then the program ends.
func TestShutdownConnectionLost(t *testing.T) {
	s := serveSocket(t)
	began, release := make(chan struct{}), make(chan struct{})
	ctx := attach(t, Options{OnShutdown: func(ctx context.Context) error {
		close(began)
		<-release
		return ctx.Err()
	}})
	session := s.session()
	go session.Call(within(t), MethodShutdown, ShutdownParams{TimeoutMS: slack.Milliseconds()}, nil)
	<-began
	s.stop()
	time.Sleep(20 * time.Millisecond)
	if ctx.Err() != nil {
		t.Fatal("the context ended before the clean-up did")
	}
	close(release)
	<-ctx.Done()
	if context.Cause(ctx) != ErrShutdown || FromContext(ctx).CleanUpErr() != nil {
		t.Errorf("cause %v, %v", context.Cause(ctx), FromContext(ctx).CleanUpErr())
	}
}

// Whoever took the server's place without the token is left at once: it learns a nonce and
// an id, and what it asks is not answered.
func TestImpostorLearnsNothing(t *testing.T) {
	s := newTestServer(t)
	s.proves = NewToken()
	serveOn(t, t.TempDir()+"/s", s)
	var out logged
	ctx := attach(t, Options{
		Name:       "secret name",
		OnShutdown: func(context.Context) error { t.Error("an impostor shut the program down"); return nil },
		Log:        slog.New(slog.NewTextHandler(&out, nil)),
	})
	c := FromContext(ctx)
	eventually(t, "refusal", func() bool { return c.Err() != nil })
	if !errors.Is(c.Err(), errImpostor) || ctx.Err() != nil {
		t.Fatalf("got %v, %v", c.Err(), ctx.Err())
	}
	if got := s.methods(); !slices.Equal(got, []string{MethodHello}) {
		t.Errorf("it was asked %q", got)
	}
	if out.count("refused") != 1 {
		t.Errorf("logged %q", out.buf.String())
	}
	c.Log("into the void")
	if n := len(c.outbox.logs); n != 0 {
		t.Errorf("%d lines kept for nobody", n)
	}
}

// An impostor that asks instead of answering gets no answer either.
func TestImpostorAsksFirst(t *testing.T) {
	s := newTestServer(t)
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s.setEnv(map[string]string{EnvSocket: path})
	ctx := attach(t, Options{OnShutdown: func(context.Context) error { t.Error("shut down"); return nil }})
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(slack))
	f := NewFrames(conn)
	if frame, err := f.Recv(); err != nil || bytes.Contains(frame, []byte(Hex(s.token).text())) {
		t.Fatalf("got %s, %v", frame, err)
	}
	for i, method := range []string{MethodPing, MethodTop, MethodCommands, MethodShutdown} {
		frame, _ := request(uint64(i+1), method, nil)
		f.Send(frame)
		got, err := f.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := parseMessage(got); m == nil || m.Error == nil || m.Error.Code != CodeNoMethod {
			t.Errorf("%s before a proof was answered: %s", method, got)
		}
	}
	if ctx.Err() != nil {
		t.Error("the program ended")
	}
}

func (h Hex) text() string {
	b, _ := h.MarshalText()
	return string(b)
}

func TestRefusedRunsOn(t *testing.T) {
	for _, code := range []Code{CodeRefused, CodeTaken, CodeNoApp, CodeProtocol} {
		for _, at := range []string{MethodHello, MethodRegister} {
			t.Run(fmt.Sprint(at, code), func(t *testing.T) {
				s := newTestServer(t)
				s.refuse = func(method string) error {
					if method == at {
						return Errorf(code, "no")
					}
					return nil
				}
				serveOn(t, t.TempDir()+"/s", s)
				var out logged
				ctx := attach(t, Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
				c := FromContext(ctx)
				eventually(t, "refusal", func() bool { return c.Err() != nil })
				time.Sleep(2 * firstPause)
				if n := len(s.methods()); n > 2 {
					t.Errorf("it tried again after a refusal: %q", s.methods())
				}
				if ctx.Err() != nil || CodeOf(c.Err()) != code || out.count("refused") != 1 {
					t.Errorf("context %v, err %v, logged %q", ctx.Err(), c.Err(), out.buf.String())
				}
			})
		}
	}
}

func TestReconnect(t *testing.T) {
	s := serveSocket(t)
	ctx := attach(t, Options{NotReady: true})
	c := FromContext(ctx)
	first := s.session()
	if first.Ready {
		t.Error("ready before Ready")
	}
	c.Status("one")
	c.Ready()
	if m := first.note(t); m.Method != MethodStatus || string(m.Params) != `{"text":"one"}` {
		t.Errorf("got %+v", m)
	}
	if m := first.note(t); m.Method != MethodReady {
		t.Errorf("got %+v", m)
	}
	eventually(t, "registration", func() bool { return registered(c) })
	first.Close()
	c.Event("link", "lost a link", map[string]int{"n": 3})
	second := s.session()
	if !second.Ready {
		t.Error("readiness forgotten")
	}
	if m := second.note(t); m.Method != MethodStatus || string(m.Params) != `{"text":"one"}` {
		t.Errorf("got %+v", m)
	}
	// The event may have gone down with the first connection; the next one counts it then.
	c.Event("link", "two", nil)
	for {
		var e EventParams
		if m := second.note(t); m.Method != MethodEvent || json.Unmarshal(m.Params, &e) != nil {
			t.Fatalf("got %+v", m)
		}
		if e.Text == "two" {
			break
		}
	}
	if err := second.Call(within(t), MethodPing, nil, nil); err != nil {
		t.Error(err)
	}
}

// After a loss, an id that is taken is our own connection that the server still believes in.
func TestReconnectWhileTaken(t *testing.T) {
	s := newTestServer(t)
	var tries atomic.Int32
	s.refuse = func(method string) error {
		if method != MethodHello {
			return nil
		}
		if tries.Add(1) == 2 {
			return Errorf(CodeTaken, "it is there already")
		}
		return nil
	}
	serveOn(t, t.TempDir()+"/s", s)
	attach(t, Options{})
	s.session().Close()
	s.session()
}

// The server is not there yet, or never: the program neither waits nor ends, and Wait is quick.
func TestServerAbsent(t *testing.T) {
	s := newTestServer(t)
	path := t.TempDir() + "/s"
	s.setEnv(map[string]string{EnvSocket: path})
	ctx, cancel := context.WithCancel(context.Background())
	ctx = Attach(ctx, Options{})
	c := FromContext(ctx)
	for i := range 3 * maxLogs {
		c.Log(fmt.Sprint("line ", i))
	}
	var err error
	if s.listener, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	s.start()
	session := s.session()
	var l LogParams
	if m := session.note(t); m.Method != MethodLog || json.Unmarshal(m.Params, &l) != nil {
		t.Fatalf("got %+v", m)
	}
	if l.Line != fmt.Sprint("line ", 2*maxLogs) || l.Dropped != 2*maxLogs {
		t.Errorf("got %+v, want the oldest dropped and counted", l)
	}
	s.stop()
	cancel()
	c.Wait()
}

func TestParentEndFlushes(t *testing.T) {
	s := serveSocket(t)
	parent, cancel := context.WithCancelCause(context.Background())
	ctx := attachPatient(parent, t, Options{})
	session := s.session()
	why := errors.New("terminated")
	for i := range 100 {
		FromContext(ctx).Log(fmt.Sprint(i))
	}
	eventually(t, "registration", func() bool { return registered(FromContext(ctx)) })
	cancel(why)
	<-ctx.Done()
	if context.Cause(ctx) != why {
		t.Errorf("cause %v", context.Cause(ctx))
	}
	FromContext(ctx).Wait()
	for range 100 {
		session.note(t)
	}
	<-session.Done()
}

func registered(c *Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed
}

func TestEventFieldsThatDoNotFit(t *testing.T) {
	s := serveSocket(t)
	ctx := attach(t, Options{})
	session := s.session()
	for _, fields := range []any{func() {}, strings.Repeat("x", MaxFields)} {
		FromContext(ctx).Event(strings.Repeat("k", 100), strings.Repeat("t", 5000), fields)
		var e EventParams
		m := session.note(t)
		if err := json.Unmarshal(m.Params, &e); err != nil || e.Fields != nil || len(e.Kind) != MaxEventKind || len(e.Text) != MaxEventText {
			t.Errorf("got %.200s, %v", m.Params, err)
		}
	}
}

func TestJitter(t *testing.T) {
	for range 1000 {
		if d := jitter(firstPause); d < 80*time.Millisecond || d >= 120*time.Millisecond {
			t.Fatal(d)
		}
	}
}

func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		ms   int64
		want time.Duration
	}{{0, time.Second}, {-5, time.Second}, {50, 50 * time.Millisecond}, {1 << 62, longestDeadline}} {
		if got := deadline(c.ms, time.Second); got != c.want {
			t.Errorf("%d ms: %v", c.ms, got)
		}
	}
}
