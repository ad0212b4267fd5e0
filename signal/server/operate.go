//go:build linux

package server

import (
	"context"
	"encoding/json"
	"io"

	"github.com/skycoin/viscript/signal"
)

func isOperatorMethod(method string) bool {
	switch method {
	case signal.MethodAppStart, signal.MethodAppList, signal.MethodAppPing, signal.MethodAppUsage,
		signal.MethodAppStop, signal.MethodAppKill, signal.MethodAppRestart, signal.MethodAppWaitReady,
		signal.MethodAppAwait, signal.MethodAppRequest, signal.MethodAppSetPolicy,
		signal.MethodAppCommands, signal.MethodAppTell, signal.MethodAppLogs, signal.MethodEvents, signal.MethodExec,
		signal.MethodAppAttach, signal.MethodAppInput, signal.MethodReexec, signal.MethodWindow, signal.MethodTermNew,
		signal.MethodTermClose, signal.MethodTermSearch, signal.MethodTermLines, signal.MethodTermText:
		return true
	}
	return false
}

// operate answers an operator. ctx ends with the connection, and with it what was asked.
func (c *conn) operate(ctx context.Context, method string, params json.RawMessage) (any, error) {
	s := c.server
	switch method {
	case signal.MethodAppStart:
		return decoded(params, func(r signal.StartRequest) (any, error) { return s.Start(ctx, r) })
	case signal.MethodAppList:
		return s.listThatFits(ctx)
	case signal.MethodAppAwait:
		return decoded(params, func(r signal.AwaitParams) (any, error) { return struct{}{}, s.Await(ctx, r.ID, r.On) })
	case signal.MethodAppSetPolicy:
		return decoded(params, func(r signal.SetPolicyParams) (any, error) { return struct{}{}, s.SetPolicy(ctx, r.ID, r.Request) })
	case signal.MethodAppTell:
		return decoded(params, func(r signal.TellParams) (any, error) { return s.Tell(ctx, r.ID, r.Args) })
	case signal.MethodAppLogs, signal.MethodEvents, signal.MethodExec, signal.MethodAppAttach, signal.MethodWindow:
		return c.stream(ctx, method, params)
	case signal.MethodTermNew, signal.MethodTermClose, signal.MethodTermSearch, signal.MethodTermLines, signal.MethodTermText:
		return c.askWindow(ctx, method, params)
	case signal.MethodAppInput:
		return decoded(params, func(p signal.InputParams) (any, error) { return struct{}{}, c.input(ctx, p.Data) })
	case signal.MethodReexec:
		return struct{}{}, s.reexec()
	}
	return decoded(params, func(r signal.AppParams) (any, error) {
		switch id := r.ID; method {
		case signal.MethodAppPing:
			return s.Ping(ctx, id)
		case signal.MethodAppUsage:
			return s.Usage(ctx, id)
		case signal.MethodAppStop:
			return s.Stop(ctx, id)
		case signal.MethodAppKill:
			return s.Kill(ctx, id)
		case signal.MethodAppRestart:
			return s.Restart(ctx, id)
		case signal.MethodAppWaitReady:
			return struct{}{}, s.WaitReady(ctx, id)
		case signal.MethodAppRequest:
			return s.Request(ctx, id)
		case signal.MethodAppCommands:
			return s.Commands(ctx, id)
		}
		return nil, signal.NoMethod(method)
	})
}

// decoded reads the parameters into a fresh value.
func decoded[T any](params json.RawMessage, act func(T) (any, error)) (any, error) {
	var p T
	if err := signal.DecodeParams(params, &p); err != nil {
		return nil, err
	}
	return act(p)
}

// stream serves one of the requests whose output comes before their answer.
func (c *conn) stream(ctx context.Context, method string, params json.RawMessage) (any, error) {
	if !c.beginStream() {
		return nil, signal.Errorf(signal.CodeBusy, "one streaming request at a time on a connection")
	}
	defer c.endStream()
	s := c.server
	switch method {
	case signal.MethodAppLogs:
		return decoded(params, func(r signal.LogsParams) (any, error) {
			return struct{}{}, s.Logs(ctx, r.ID, r.LogsRequest, c.output(ctx, signal.Stdout))
		})
	case signal.MethodAppAttach:
		return decoded(params, func(r signal.AttachParams) (any, error) { return struct{}{}, c.attach(ctx, r) })
	case signal.MethodWindow:
		return decoded(params, func(p signal.WindowParams) (any, error) { return struct{}{}, c.serveWindow(ctx, p) })
	case signal.MethodEvents:
		return decoded(params, func(r signal.EventsParams) (any, error) {
			return struct{}{}, s.Events(ctx, r.Since, r.Follow, func(e signal.Event) error {
				return c.peer.Notify(ctx, signal.MethodEntry, e)
			})
		})
	}
	return decoded(params, func(r signal.ExecRequest) (any, error) {
		if s.cfg.Exec == nil {
			return nil, signal.Errorf(signal.CodeUnavailable, "this daemon has no console")
		}
		code := s.cfg.Exec(ctx, r, c.output(ctx, signal.Stdout), c.output(ctx, signal.Stderr))
		return signal.ExecResult{Code: code}, nil
	})
}

func (c *conn) beginStream() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streaming {
		return false
	}
	c.streaming = true
	return true
}

func (c *conn) endStream() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streaming = false
}

// listBudget bounds, in bytes, the rows of one answer: a frame with room for the rest of it.
const listBudget = signal.MaxFrame - 64<<10

// listThatFits leaves words, and then the oldest ended apps, out when the table is larger than a frame.
func (s *Server) listThatFits(ctx context.Context) ([]signal.App, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	sizes, size, err := rowSizes(all)
	if size > listBudget {
		for i := range all {
			all[i].Words = nil
		}
		sizes, size, err = rowSizes(all)
	}
	if err != nil {
		return nil, err
	}
	out := make([]signal.App, 0, len(all))
	for i, v := range all {
		if size > listBudget && v.Pid == 0 {
			size -= sizes[i]
			continue
		}
		out = append(out, v)
	}
	return out, nil
}

// rowSizes are the rows' lengths in an answer.
func rowSizes(all []signal.App) (sizes []int, sum int, err error) {
	for _, v := range all {
		row, err := json.Marshal(v)
		if err != nil {
			return nil, 0, err
		}
		sizes = append(sizes, len(row)+1)
		sum += len(row) + 1
	}
	return sizes, sum, nil
}

// output sends what is written as notifications of one stream. A Write returns when the
// pieces are queued, at the pace of the reader.
func (c *conn) output(ctx context.Context, stream string) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		sent := 0
		for sent < len(p) {
			piece := p[sent:min(len(p), sent+signal.MaxOutput)]
			if err := c.peer.Notify(ctx, signal.MethodOutput, signal.Output{Stream: stream, Data: piece}); err != nil {
				return sent, err
			}
			sent += len(piece)
		}
		return sent, nil
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
