package signal

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

const (
	maxRunning      = 16 // commands under way, also those that ran over their deadline
	commandTime     = 30 * time.Second
	shutdownTime    = 10 * time.Second
	longestDeadline = 10 * time.Minute
	answerTime      = time.Second // for the answer to a shutdown to be on its way
)

// serve answers what a server that knows the token asks.
func (c *Client) serve(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case MethodPing:
		return struct{}{}, nil
	case MethodTop:
		return readTop(c.begun), nil
	case MethodCommands:
		return CommandsResult{Commands: append([]Command{}, c.options.Commands...)}, nil
	case MethodCommand:
		return c.command(ctx, params)
	case MethodShutdown:
		return c.shutdown(ctx, params)
	}
	return nil, NoMethod(method)
}

// command runs one of the program's commands. One that ignores the end of its context keeps
// its place among those under way, not the connection.
func (c *Client) command(ctx context.Context, params json.RawMessage) (any, error) {
	var p CommandParams
	if err := DecodeParams(params, &p); err != nil {
		return nil, err
	}
	cmd, ok := c.commands[p.Name]
	if !ok {
		return nil, Errorf(CodeNoCommand, "no command %q", cut(p.Name, MaxName))
	}
	select {
	case c.running <- struct{}{}:
	default:
		return nil, Errorf(CodeBusy, "%d commands are under way", maxRunning)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline(p.TimeoutMS, commandTime))
	defer cancel()
	outcome := make(chan answered, 1)
	go func() {
		defer func() { <-c.running }()
		result, err := cmd.Run(ctx, p.Args)
		outcome <- answered{result: result, err: err}
	}()
	select {
	case a := <-outcome:
		return commandAnswer(a)
	case <-ctx.Done():
		return nil, Errorf(CodeTimeout, "command %s did not end within its time", p.Name)
	}
}

func commandAnswer(a answered) (any, error) {
	if a.err != nil {
		return nil, commandError(a.err)
	}
	raw, err := json.Marshal(a.result)
	if err != nil {
		return nil, commandError(err)
	}
	return CommandResult{Result: raw}, nil
}

// commandError keeps a code that the command chose.
func commandError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return wireError(err, CodeTimeout)
	}
	return wireError(err, CodeCommand)
}

// shutdown cleans up once, however often it is asked. The context of Attach ends when the
// answer is sent, or, where the connection is lost before, when the clean-up is over.
func (c *Client) shutdown(ctx context.Context, params json.RawMessage) (any, error) {
	var p ShutdownParams
	if err := DecodeParams(params, &p); err != nil {
		return nil, err
	}
	c.cleaning.Do(func() {
		c.log.Info("asked to shut down", "reason", cut(p.Reason, MaxStatus))
		bound := deadline(p.TimeoutMS, shutdownTime)
		c.wg.Go(func() { c.cleanUp(context.WithoutCancel(ctx), bound) })
	})
	select {
	case <-c.cleaned:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	told := func() { c.told.Do(func() { close(c.answered) }) }
	return answered{result: ShutdownResult{}, err: c.cleanErr, sent: told}, nil
}

// cleanUp calls the hook, waits for the answer to leave, and ends the program's context.
func (c *Client) cleanUp(ctx context.Context, bound time.Duration) {
	c.cleanErr = c.runHook(ctx, bound)
	close(c.cleaned)
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case <-c.answered:
	case <-late.C:
	}
	c.cancel(ErrShutdown)
}

func (c *Client) runHook(ctx context.Context, bound time.Duration) error {
	if c.options.OnShutdown == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.options.OnShutdown(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			return wireError(err, CodeCleanup)
		}
		return nil
	case <-ctx.Done():
		return Errorf(CodeCleanup, "the clean-up took longer than %v", bound)
	}
}

// deadline reads a timeout from the wire.
func deadline(ms int64, otherwise time.Duration) time.Duration {
	if ms <= 0 {
		return otherwise
	}
	if ms > longestDeadline.Milliseconds() {
		return longestDeadline
	}
	return time.Duration(ms) * time.Millisecond
}
