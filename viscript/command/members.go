package command

import (
	"sync"

	"github.com/skycoin/viscript/signal"
)

// Members remembers which app is which member of a group, and which groups are on their way
// up or down. The zero value is ready; safe for concurrent use.
type Members struct {
	mu   sync.Mutex // guards the following
	of   map[signal.ID]membership
	busy map[string]bool // groups with an `up` or `down` under way
}

type membership struct{ group, member, command string }

// enter says whether the caller may work on the group; if so, leave must follow.
func (m *Members) enter(group string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[group] {
		return false
	}
	if m.busy == nil {
		m.busy = map[string]bool{}
	}
	m.busy[group] = true
	return true
}

func (m *Members) leave(group string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, group)
}

func (m *Members) add(id signal.ID, member membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[signal.ID]membership{}
	}
	m.of[id] = member
}

// find returns the live app that is the member; command "" matches any arguments. Rows of the
// table that tell their group and member are believed, also when an earlier daemon started
// them. It forgets apps that have ended: those not in live though a later one is.
func (m *Members) find(live []signal.App, want membership) (signal.App, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	alive := map[signal.ID]signal.App{}
	last := signal.ID(0)
	for _, a := range live {
		alive[a.ID] = a
		last = max(last, a.ID)
		if a.Group == want.group && a.Member == want.member && (want.command == "" || want.command == a.Command) {
			return a, true
		}
	}
	for id, have := range m.of {
		app, ok := alive[id]
		if !ok && id < last {
			delete(m.of, id)
		}
		if ok && have.group == want.group && have.member == want.member && (want.command == "" || want.command == have.command) {
			return app, true
		}
	}
	return signal.App{}, false
}
