//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/skycoin/viscript/signal/server"
	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/metrics"
)

// operation is what a daemon has for those who operate it: the record of who did what, the port of
// metrics, the word to the service manager.
type operation struct {
	audit   *viscript.Audit
	metrics *metrics.Server // nil: off
	manager *notifier
	log     *slog.Logger
}

// openAudit opens the record in the state folder, which is locked by now. A daemon
// works without one: a full disk must not keep anybody from stopping apps.
func openAudit(dir string, s *server.Server, log *slog.Logger) *viscript.Audit {
	audit, err := viscript.OpenAudit(dir, s.List, log)
	if err != nil {
		log.Error("there is no audit record", "err", err)
	}
	return audit
}

// metricsAddr is --metrics, else the setting; "" off.
func (o daemonOptions) metricsAddr(cfg *viscript.Config) string {
	if o.metrics == noSignal {
		return ""
	}
	if o.metrics != "" {
		return o.metrics
	}
	return cfg.Settings.Metrics
}

// newOperation opens what has to be opened; close gives it back.
func newOperation(addr string, s *server.Server, audit *viscript.Audit, manager *notifier, log *slog.Logger) (*operation, error) {
	op := &operation{audit: audit, manager: manager, log: log}
	if addr == "" {
		return op, nil
	}
	var err error
	op.metrics, err = metrics.Listen(metrics.Config{Addr: addr, Host: s, Version: version(), Log: log})
	if err != nil {
		return nil, fmt.Errorf("%w (--metrics)", err)
	}
	return op, nil
}

// run serves metrics and keeps the service manager informed until ctx ends.
func (op *operation) run(ctx context.Context, alive func(context.Context) error) {
	var work sync.WaitGroup
	defer work.Wait()
	if op.metrics != nil {
		work.Go(func() {
			if err := op.metrics.Run(ctx); err != nil {
				op.log.Error("metrics are no longer served", "err", err)
			}
		})
	}
	op.say("READY=1", "STATUS=serving")
	op.manager.bark(ctx, alive)
	<-ctx.Done()
}

// say tells the service manager.
func (op *operation) say(state ...string) {
	if err := op.manager.tell(state...); err != nil {
		op.log.Warn("service manager", "err", err)
	}
}

// close gives the port and the record back; the record outlives the last request.
func (op *operation) close() {
	if op == nil {
		return
	}
	if op.metrics != nil {
		op.metrics.Close()
	}
	op.audit.Close()
}
