//go:build linux

package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/skycoin/viscript/signal"
)

// answerOperator answers who may be an operator. The answer is owed until it was written: who asked the daemon to end wants to hear
// that it will. A viewer and a window last as long as their connections and are owed nothing.
func (c *conn) answerOperator(ctx context.Context, method string, params json.RawMessage) (any, error) {
	owed := &c.server.owed
	owed.Add(1) // before it is no stranger any more
	if !c.becomeOperator() {
		owed.Add(-1)
		return nil, signal.NoMethod(method)
	}
	if method == signal.MethodAppAttach || method == signal.MethodWindow {
		owed.Add(-1)
		return c.audited(ctx, method, params)
	}
	result, err := c.audited(ctx, method, params)
	return signal.AfterAnswerOr(result, err, func() { owed.Add(-1) }), nil
}

// payOwed waits for the answers that are under way, for Limits.Answers at most. Where another program takes over, it waits for those too who have connected and
// are about to ask: who comes later is that program's.
func (s *Server) payOwed() {
	for end := time.Now().Add(s.cfg.Limits.Answers); s.owes() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func (s *Server) owes() bool {
	if s.accepting.Load() > 0 || s.isHanding() && s.gate.hasStrangers() {
		return true
	}
	return s.owed.Load() > 0 // after the strangers, who become those who are owed
}
