// Package auto makes a program manageable by the signal server that started it, by being
// imported:
//
//	import _ "github.com/skycoin/viscript/signal/auto"
//
// The program registers when it starts, and counts as ready then. When the server asks it
// to end, the functions given to OnShutdown run, the server gets its answer, and the
// program exits: with code 0, or with code 1 when one of them failed. A program that no
// signal server started is not changed in any way.
//
// A program that can be changed is better served by signal.Attach, which ends a context
// where this package ends the process. This is the one package that does something when it
// is imported and has state of its own: that is its purpose.
package auto

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/skycoin/viscript/signal"
)

var hooks struct {
	mu  sync.Mutex // guards run
	run []func(context.Context) error
}

func init() {
	ctx := signal.Attach(context.Background(), signal.Options{
		Name:       filepath.Base(os.Args[0]),
		OnShutdown: shutdown,
		Log:        slog.Default(),
	})
	if signal.FromContext(ctx).ID() != 0 {
		go exitAfter(ctx)
	}
}

// OnShutdown adds a function to be called when the server asks the program to end: last
// added, first called, each also when one before it failed. ctx ends at the server's
// deadline, which holds for all of them together. Safe for concurrent use.
func OnShutdown(f func(ctx context.Context) error) {
	hooks.mu.Lock()
	defer hooks.mu.Unlock()
	hooks.run = append(hooks.run, f)
}

func shutdown(ctx context.Context) error {
	hooks.mu.Lock()
	run := hooks.run
	hooks.mu.Unlock()
	var errs []error
	for i := len(run) - 1; i >= 0; i-- {
		errs = append(errs, run[i](ctx))
	}
	return errors.Join(errs...)
}

func exitAfter(ctx context.Context) {
	<-ctx.Done()
	client := signal.FromContext(ctx)
	client.Wait()
	if client.CleanUpErr() != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
