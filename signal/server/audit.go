//go:build linux

package server

import (
	"context"
	"encoding/json"

	"github.com/skycoin/viscript/signal"
)

// Audit is told what an operator asks, before it is done: who asks by the kernel's word
// (Credentials{} where it has none), the method and its parameters as they came. done, unless it
// is nil, is told the outcome. Both are called on the goroutine of the request, so requests
// of one moment call it at once.
type Audit func(who signal.Credentials, method string, params json.RawMessage) (done func(result any, err error))

// audited is operate with its record.
func (c *conn) audited(ctx context.Context, method string, params json.RawMessage) (any, error) {
	if c.server.cfg.Audit == nil {
		return c.operate(ctx, method, params)
	}
	who, _ := c.credentials()
	done := c.server.cfg.Audit(who, method, params)
	result, err := c.operate(ctx, method, params)
	if done != nil {
		done(result, err)
	}
	return result, err
}
