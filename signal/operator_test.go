package signal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// operatorServer answers operators with handle, which may notify its peer.
func operatorServer(t *testing.T, handle func(ctx context.Context, p *Peer, method string, params json.RawMessage) (any, error)) *Operator {
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var p *Peer
			p = NewPeer(NewFrames(conn), PeerOptions{Handle: func(ctx context.Context, method string, params json.RawMessage) (any, error) {
				return handle(ctx, p, method, params)
			}})
			wg.Go(func() { p.Run(ctx) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		wg.Wait()
	})
	o, err := DialOperator(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOperatorNoDaemon(t *testing.T) {
	dir := t.TempDir()
	stale, err := net.Listen("unix", dir+"/stale")
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	for _, path := range []string{dir + "/none", dir + "/stale", dir + "/no/folder/" + strings.Repeat("x", 200)} {
		if _, err := DialOperator(within(t), path); !errors.Is(err, ErrNoDaemon) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOperatorMethods(t *testing.T) {
	var mu sync.Mutex
	var got []string
	o := operatorServer(t, func(_ context.Context, _ *Peer, method string, params json.RawMessage) (any, error) {
		mu.Lock()
		got = append(got, method+string(params))
		mu.Unlock()
		switch method {
		case MethodAppStart, MethodAppRestart:
			return App{ID: 3, Pid: 42}, nil
		case MethodAppList:
			return []App{{ID: 1}, {ID: 3}}, nil
		case MethodAppPing:
			return PingReport{ID: 3, RTTms: 0.5}, nil
		case MethodAppUsage:
			return Usage{ID: 3, RSSBytes: 9}, nil
		case MethodAppStop, MethodAppKill:
			return StopReport{ID: 3, Rung: RungTerm}, nil
		case MethodAppCommands:
			return []Command{{Name: "links"}}, nil
		case MethodAppTell:
			return json.RawMessage(`{"up":2}`), nil
		case MethodAppWaitReady:
			return struct{}{}, nil
		}
		return nil, NoMethod(method)
	})
	ctx := within(t)
	check := func(what string, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
	app, err := o.Start(ctx, StartRequest{App: "a", Path: "/bin/true", Args: []string{"X y"}})
	check("start", app.ID == 3 && app.Pid == 42, err)
	apps, err := o.List(ctx)
	check("list", len(apps) == 2 && apps[1].ID == 3, err)
	ping, err := o.Ping(ctx, 3)
	check("ping", ping.RTTms == 0.5, err)
	usage, err := o.Usage(ctx, 3)
	check("usage", usage.RSSBytes == 9, err)
	stop, err := o.Stop(ctx, 3)
	check("stop", stop.Rung == RungTerm, err)
	kill, err := o.Kill(ctx, 3)
	check("kill", kill.Rung == RungTerm, err)
	app, err = o.Restart(ctx, 3)
	check("restart", app.ID == 3, err)
	check("wait", true, o.WaitReady(ctx, 3))
	commands, err := o.Commands(ctx, 3)
	check("commands", len(commands) == 1 && commands[0].Name == "links", err)
	told, err := o.Tell(ctx, 3, []string{"links", "-v"})
	check("tell", string(told) == `{"up":2}`, err)
	want := []string{
		`app.start{"app":"a","path":"/bin/true","args":["X y"]}`, `app.list`, `app.ping{"id":3}`, `app.usage{"id":3}`,
		`app.stop{"id":3}`, `app.kill{"id":3}`, `app.restart{"id":3}`, `app.wait_ready{"id":3}`, `app.commands{"id":3}`,
		`app.tell{"id":3,"args":["links","-v"]}`,
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked\n%v, want\n%v", got, want)
	}
}

func TestOperatorErrorKeepsItsCode(t *testing.T) {
	o := operatorServer(t, func(context.Context, *Peer, string, json.RawMessage) (any, error) {
		return nil, Errorf(CodeNoApp, "no app 9")
	})
	if _, err := o.Ping(within(t), 9); CodeOf(err) != CodeNoApp || err.Error() != "no app 9" {
		t.Errorf("got %v", err)
	}
}

func TestOperatorRequestTooLarge(t *testing.T) {
	o := &Operator{socket: "/nowhere"}
	if _, err := o.Tell(within(t), 1, []string{strings.Repeat("x", MaxGreeting)}); CodeOf(err) != CodeTooLarge {
		t.Errorf("got %v", err)
	}
}

// Output arrives whole and in order, more than any queue holds, to a reader that is slow.
func TestOperatorExecStreams(t *testing.T) {
	const pieces = 500
	o := operatorServer(t, func(ctx context.Context, p *Peer, method string, params json.RawMessage) (any, error) {
		var r ExecRequest
		if err := DecodeParams(params, &r); err != nil || method != MethodExec || r.Line != "la -f" || r.Columns != 80 {
			return nil, Errorf(CodeParams, "%s %+v %v", method, r, err)
		}
		for i := range pieces {
			out := Output{Stream: Stdout, Data: fmt.Appendf(nil, "%d\n", i)}
			if i%10 == 0 {
				out.Stream = Stderr
			}
			if err := p.Notify(ctx, MethodOutput, out); err != nil {
				return nil, err
			}
		}
		return ExecResult{Code: 1}, nil
	})
	var stdout, stderr, want, wantErr bytes.Buffer
	for i := range pieces {
		if i%10 == 0 {
			fmt.Fprintln(&wantErr, i)
		} else {
			fmt.Fprintln(&want, i)
		}
	}
	code, err := o.Exec(within(t), ExecRequest{Line: "la -f", Columns: 80}, &stdout, &stderr)
	if err != nil || code != 1 || stdout.String() != want.String() || stderr.String() != wantErr.String() {
		t.Fatalf("code %d, %v, %d and %d bytes", code, err, stdout.Len(), stderr.Len())
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// `exec ... | head`: the end of the reader ends the request, with the reader's error.
func TestOperatorOutputNotWanted(t *testing.T) {
	ended := make(chan struct{})
	o := operatorServer(t, func(ctx context.Context, p *Peer, _ string, _ json.RawMessage) (any, error) {
		defer close(ended)
		for p.Notify(ctx, MethodOutput, Output{Data: []byte("x")}) == nil {
		}
		return nil, nil
	})
	err := o.Logs(within(t), 3, LogsRequest{Follow: true}, brokenPipe{})
	if !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestOperatorCancelEndsTheRequest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	o := operatorServer(t, func(ctx context.Context, _ *Peer, method string, _ json.RawMessage) (any, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-began
		cancel()
	}()
	if _, err := o.Exec(ctx, ExecRequest{Args: []string{"top"}}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestOperatorEvents(t *testing.T) {
	o := operatorServer(t, func(ctx context.Context, p *Peer, method string, params json.RawMessage) (any, error) {
		var r EventsParams
		if err := DecodeParams(params, &r); err != nil {
			return nil, err
		}
		for seq := r.Since + 1; seq <= 5; seq++ {
			p.Notify(ctx, MethodEntry, Event{Seq: seq, Kind: "app"})
		}
		p.Notify(ctx, "unknown", nil)
		return struct{}{}, nil
	})
	var got []uint64
	err := o.Events(within(t), 2, false, func(e Event) error {
		got = append(got, e.Seq)
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[3 4 5]" {
		t.Errorf("got %v, %v", got, err)
	}
	enough := errors.New("enough")
	if err := o.Events(within(t), 0, true, func(Event) error { return enough }); err != enough {
		t.Errorf("got %v", err)
	}
}

func TestOperatorServerVanishes(t *testing.T) {
	o := operatorServer(t, func(_ context.Context, p *Peer, _ string, _ json.RawMessage) (any, error) {
		p.Close()
		return nil, nil
	})
	if _, err := o.List(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A server that answers with garbage yields an error and nothing else.
func TestOperatorGarbage(t *testing.T) {
	for name, answer := range map[string]string{
		"not json":      "garbage",
		"wrong result":  `{"jsonrpc":"2.0","id":1,"result":"a string"}`,
		"wrong message": `{"jsonrpc":"2.0"}`,
	} {
		path := t.TempDir() + "/s"
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.SetDeadline(time.Now().Add(slack))
				f := NewFrames(conn)
				f.Recv()
				f.Send([]byte(answer))
				f.Close()
			}
		}()
		if _, err := (&Operator{socket: path}).List(within(t)); err == nil {
			t.Errorf("%s: no error", name)
		}
		listener.Close()
	}
}
