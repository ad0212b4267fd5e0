//go:build linux

package server

import (
	"context"
	"encoding/json"

	"github.com/skycoin/viscript/signal"
)

// serveWindow makes the connection a window until that ends.
func (c *conn) serveWindow(ctx context.Context, p signal.WindowParams) error {
	if c.server.cfg.Window == nil {
		return signal.Errorf(signal.CodeUnavailable, "this daemon has no terminals")
	}
	w, err := c.server.cfg.Window(p, c.peer)
	if err != nil {
		return err
	}
	c.setWindow(w)
	defer c.setWindow(nil)
	return w.Run(ctx)
}

func (c *conn) setWindow(w Window) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = w
}

func (c *conn) asWindow() Window {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.window
}

// askWindow answers what only a window may ask.
func (c *conn) askWindow(ctx context.Context, method string, params json.RawMessage) (any, error) {
	w := c.asWindow()
	if w == nil {
		return nil, signal.Errorf(signal.CodeRequest, "%s comes while window is under way", method)
	}
	return w.Ask(ctx, method, params)
}
