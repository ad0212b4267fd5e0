package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// ErrNoDaemon is in the chain of the error when nobody serves the socket.
var ErrNoDaemon = errors.New("signal: no daemon is running")

// operatorID is the id of the one request of an operator's connection.
const operatorID = 1

// Operator asks a signal server of the same user on this machine to start, list and stop apps.
// Each request has a connection of its own: a slow one delays no other, its output arrives
// in order at the pace of its reader, and the end of ctx closes it, which ends the
// request on the other side. There is nothing to close. Safe for concurrent use.
//
// Errors: ErrNoDaemon when nobody listens, *Error for what the server answers, ErrClosed
// when it ends before it has, ctx's when that ends first.
type Operator struct {
	socket string
}

// DialOperator returns an operator of the server at the Unix socket, after seeing that one
// of this user listens there.
func DialOperator(ctx context.Context, socket string) (*Operator, error) {
	o := &Operator{socket: socket}
	conn, err := o.dial(ctx)
	if err != nil {
		return nil, err
	}
	return o, conn.Close()
}

// Exec runs one console command and writes what it prints as it comes. code is the
// command's exit code when err is nil.
func (o *Operator) Exec(ctx context.Context, r ExecRequest, stdout, stderr io.Writer) (code int, err error) {
	var result ExecResult
	err = o.call(ctx, MethodExec, r, &result, func(method string, params json.RawMessage) error {
		return writeOutput(method, params, stdout, stderr)
	})
	return result.Code, err
}

// Start starts an app.
func (o *Operator) Start(ctx context.Context, r StartRequest) (App, error) {
	var app App
	err := o.call(ctx, MethodAppStart, r, &app, nil)
	return app, err
}

// List returns the table of apps, ended ones included, by ID.
func (o *Operator) List(ctx context.Context) ([]App, error) {
	var apps []App
	err := o.call(ctx, MethodAppList, nil, &apps, nil)
	return apps, err
}

// Ping asks an app for a sign of life.
func (o *Operator) Ping(ctx context.Context, id ID) (PingReport, error) {
	var r PingReport
	err := o.call(ctx, MethodAppPing, AppParams{ID: id}, &r, nil)
	return r, err
}

// Usage measures an app.
func (o *Operator) Usage(ctx context.Context, id ID) (Usage, error) {
	var u Usage
	err := o.call(ctx, MethodAppUsage, AppParams{ID: id}, &u, nil)
	return u, err
}

// Stop ends an app by the stop ladder and reports the rung that did.
func (o *Operator) Stop(ctx context.Context, id ID) (StopReport, error) {
	var r StopReport
	err := o.call(ctx, MethodAppStop, AppParams{ID: id}, &r, nil)
	return r, err
}

// Kill ends an app without asking it.
func (o *Operator) Kill(ctx context.Context, id ID) (StopReport, error) {
	var r StopReport
	err := o.call(ctx, MethodAppKill, AppParams{ID: id}, &r, nil)
	return r, err
}

// Restart stops an app and starts it again as it was, under the same ID.
func (o *Operator) Restart(ctx context.Context, id ID) (App, error) {
	var app App
	err := o.call(ctx, MethodAppRestart, AppParams{ID: id}, &app, nil)
	return app, err
}

// WaitReady waits until an app is ready, or fails when it ends before.
func (o *Operator) WaitReady(ctx context.Context, id ID) error {
	return o.call(ctx, MethodAppWaitReady, AppParams{ID: id}, nil, nil)
}

// Await waits until an app has met a condition in its current run, or fails when it will not.
func (o *Operator) Await(ctx context.Context, id ID, on Condition) error {
	return o.call(ctx, MethodAppAwait, AwaitParams{ID: id, On: on}, nil, nil)
}

// Request returns what an app was started with, or what the last SetPolicy said.
func (o *Operator) Request(ctx context.Context, id ID) (StartRequest, error) {
	var r StartRequest
	err := o.call(ctx, MethodAppRequest, AppParams{ID: id}, &r, nil)
	return r, err
}

// SetPolicy replaces what an app was started with, and what the daemon after this one knows of it. Its Policy and
// Daemon count at once (a ready probe from the next start on), the rest from the next start on.
func (o *Operator) SetPolicy(ctx context.Context, id ID, r StartRequest) error {
	return o.call(ctx, MethodAppSetPolicy, SetPolicyParams{ID: id, Request: r}, nil, nil)
}

// Reexec makes the daemon start itself anew from the program that is on the disk now, under
// its pid. Apps run on. It returns when the daemon has agreed, before it happens.
func (o *Operator) Reexec(ctx context.Context) error {
	return o.call(ctx, MethodReexec, nil, nil, nil)
}

// Commands returns what an app may be told.
func (o *Operator) Commands(ctx context.Context, id ID) ([]Command, error) {
	var commands []Command
	err := o.call(ctx, MethodAppCommands, AppParams{ID: id}, &commands, nil)
	return commands, err
}

// Tell gives an app a command, args[0], and returns its answer, any JSON value.
func (o *Operator) Tell(ctx context.Context, id ID, args []string) (json.RawMessage, error) {
	var result json.RawMessage
	err := o.call(ctx, MethodAppTell, TellParams{ID: id, Args: args}, &result, nil)
	return result, err
}

// Logs writes an app's log to w; with r.Follow until ctx ends or the app has ended.
func (o *Operator) Logs(ctx context.Context, id ID, r LogsRequest, w io.Writer) error {
	params := LogsParams{ID: id, LogsRequest: r}
	return o.call(ctx, MethodAppLogs, params, nil, func(method string, params json.RawMessage) error {
		return writeOutput(method, params, w, w)
	})
}

// Events calls fn with each event whose Seq is above since, in order, on the caller's
// goroutine; with follow until ctx ends. An error of fn ends it and is returned.
func (o *Operator) Events(ctx context.Context, since uint64, follow bool, fn func(Event) error) error {
	params := EventsParams{Since: since, Follow: follow}
	return o.call(ctx, MethodEvents, params, nil, func(method string, params json.RawMessage) error {
		if method != MethodEntry {
			return nil
		}
		var e Event
		if err := DecodeParams(params, &e); err != nil {
			return err
		}
		return fn(e)
	})
}

// writeOutput writes a piece of output where it belongs; other notifications are ignored.
func writeOutput(method string, params json.RawMessage, stdout, stderr io.Writer) error {
	if method != MethodOutput {
		return nil
	}
	var out Output
	if err := DecodeParams(params, &out); err != nil {
		return err
	}
	w := stdout
	if out.Stream == Stderr {
		w = stderr
	}
	_, err := w.Write(out.Data)
	return err
}

func (o *Operator) dial(ctx context.Context) (*Frames, error) {
	conn, err := DialSocket(ctx, o.socket)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: %w", ErrNoDaemon, err)
	case err != nil:
		return nil, fmt.Errorf("connecting to the daemon: %w", err)
	}
	return NewFrames(conn), nil
}

// call makes one request on a connection of its own. notify takes the notifications that
// come before the answer.
func (o *Operator) call(ctx context.Context, method string, params, result any, notify func(string, json.RawMessage) error) error {
	frame, err := request(operatorID, method, params)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", method, err)
	}
	if len(frame) > MaxGreeting {
		return Errorf(CodeTooLarge, "request of %d bytes, the daemon takes %d", len(frame), MaxGreeting)
	}
	frames, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer frames.Close()
	stop := context.AfterFunc(ctx, func() { frames.Close() })
	defer stop()
	var ours error // of notify: never mistaken for one of the connection
	m, err := converse(frames, frame, func(method string, params json.RawMessage) error {
		if notify != nil {
			ours = notify(method, params)
		}
		return ours
	})
	switch {
	case ours != nil:
		return ours
	case err == nil:
		return decodeAnswer(m, method, result)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w before the answer to %s", ErrClosed, method)
	}
	return err
}

// converse sends a request and reads until its answer.
func converse(frames *Frames, frame []byte, notify func(string, json.RawMessage) error) (*message, error) {
	if err := frames.Send(frame); err != nil {
		return nil, err
	}
	for {
		frame, err := frames.Recv()
		if err != nil {
			return nil, err
		}
		m, wrong := parseMessage(frame)
		if wrong != nil {
			return nil, wrong
		}
		switch {
		case m.Method == "": // to our only request, or to a frame that was none
			return m, nil
		case m.ID == nil:
			if err := notify(m.Method, m.Params); err != nil {
				return nil, err
			}
		}
	}
}
