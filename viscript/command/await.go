package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
)

const (
	// ReadyWait is how long `up` gives a member to become ready, unless its `within` says otherwise.
	ReadyWait = 15 * time.Second
	// HealthWait is what it gets besides to become healthy, and in it three tries of its probe.
	HealthWait = time.Minute
)

// await waits until a member has met a condition, for as long as it may take. For the end
// of a job it waits until ctx ends.
func (u *climb) await(ctx context.Context, id signal.ID, n Need) error {
	wait := u.patience(n)
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errPatience)
		defer cancel()
	}
	err := u.Env.await(ctx, id, n.On)
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case context.Cause(ctx) == errPatience:
		return fmt.Errorf("not %s after %v", n.On, wait)
	}
	return errors.New("interrupted")
}

var errPatience = errors.New("command: waited long enough")

// patience is how long to wait for a condition; 0: without limit.
func (u *climb) patience(n Need) time.Duration {
	app := u.Config().Apps[u.members[n.At].App]
	wait := ReadyWait
	if app.Ready != nil && app.Ready.Within > 0 {
		wait = time.Duration(app.Ready.Within)
	}
	switch n.On {
	case signal.OnExited:
		return 0
	case signal.OnHealthy:
		wait += HealthWait
		if app.Health != nil {
			wait += 3 * time.Duration(app.Health.Interval+app.Health.Timeout)
		}
	}
	return wait
}

// await asks the host.
func (e *Env) await(ctx context.Context, id signal.ID, on signal.Condition) error {
	if s, ok := e.Host.(host.Supervisor); ok && on != signal.OnReady {
		return s.Await(ctx, id, on)
	}
	switch on {
	case signal.OnStarted:
		return nil
	case signal.OnReady:
		return e.Host.WaitReady(ctx, id)
	}
	return fmt.Errorf("this host cannot tell when an app is %s", on)
}

// complete waits until a member is up, or, a job, has ended, and notes it in the answer.
func (u *climb) complete(ctx context.Context, a *memberAnswer, own Need) error {
	err := u.await(ctx, a.ID, own)
	if err == nil {
		if own.On == signal.OnExited {
			a.Result = "exited"
		}
		return nil
	}
	a.Result, a.Error = "failed", err.Error()
	logCtx, cancelLog := context.WithTimeout(ctx, 2*time.Second)
	defer cancelLog()
	a.Log, _ = u.logLines(logCtx, a.ID, whyLogLines) // the error above is the news
	return errNotUp
}
