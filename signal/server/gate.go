//go:build linux

package server

import "sync"

// gate counts connections. When too many have not said who they are, the oldest of those
// goes: a flood of silent ones cannot keep an app or an operator out, who need milliseconds.
type gate struct {
	limits Limits

	mu        sync.Mutex // guards the following
	all       map[*conn]bool
	strangers []*conn // oldest first
	operators map[*conn]bool
	closed    bool
}

// enter is false when the connection cannot be served.
func (g *gate) enter(c *conn) bool {
	oldest, ok := g.add(c)
	if oldest != nil {
		oldest.net.Close()
	}
	return ok
}

func (g *gate) add(c *conn) (oldest *conn, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.all)-len(g.strangers) >= g.limits.Connections {
		return nil, false
	}
	if g.all == nil {
		g.all, g.operators = make(map[*conn]bool), make(map[*conn]bool)
	}
	if len(g.strangers) >= g.limits.Strangers {
		oldest = g.strangers[0]
		g.strangers = g.strangers[1:]
	}
	g.all[c] = true
	g.strangers = append(g.strangers, c)
	return oldest, true
}

// known takes the connection out of the strangers; false when it was thrown out, or when
// there are too many operators.
func (g *gate) known(c *conn, asOperator bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if asOperator && len(g.operators) >= g.limits.Operators {
		return false
	}
	for i, o := range g.strangers {
		if o != c {
			continue
		}
		g.strangers = append(g.strangers[:i:i], g.strangers[i+1:]...)
		if asOperator {
			g.operators[c] = true
		}
		return true
	}
	return false
}

func (g *gate) hasStrangers() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.strangers) > 0
}

func (g *gate) leave(c *conn) {
	g.known(c, false)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, c)
	delete(g.operators, c)
}

func (g *gate) closeAll() {
	g.mu.Lock()
	g.closed = true
	open := g.all
	g.all = nil
	g.mu.Unlock()
	for c := range open {
		c.net.Close()
	}
}
