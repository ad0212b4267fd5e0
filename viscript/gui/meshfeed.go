package gui

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

const (
	// mapEvery is how often the map is drawn anew while somebody looks.
	mapEvery = time.Second
	// maxTold bounds the managers, and the nodes, that are asked.
	maxTold = 32
)

// Teller is what the mesh map asks of the daemon.
type Teller interface {
	List(context.Context) ([]signal.App, error)
	Commands(context.Context, signal.ID) ([]signal.Command, error)
	Tell(context.Context, signal.ID, []string) (json.RawMessage, error)
}

// A role is what an app is for the map, told by the commands it offers.
type role uint8

const (
	otherRole role = iota
	managerRole
	nodeRole
)

func roleOf(commands []signal.Command) role {
	has := func(names ...string) bool {
		for _, n := range names {
			if !slices.ContainsFunc(commands, func(c signal.Command) bool { return c.Name == n }) {
				return false
			}
		}
		return true
	}
	switch {
	case has("nodes", "links", "routes"):
		return managerRole
	case has("info", "links", "sessions"):
		return nodeRole
	}
	return otherRole
}

// A meshFeed fills the mesh map while it is looked at.
type meshFeed struct {
	daemon  Teller
	watches *watches
	rates   *rates
	roles   map[signal.ID]knownRole
}

// A knownRole is the role of a run of an app.
type knownRole struct {
	pid  int
	role role
}

func newMeshFeed(daemon Teller, w *watches) *meshFeed {
	return &meshFeed{daemon: daemon, watches: w, rates: newRates(), roles: map[signal.ID]knownRole{}}
}

func (f *meshFeed) run(ctx context.Context, to *inbox) {
	for ctx.Err() == nil {
		changed := f.watches.state()
		pause := time.Duration(0)
		if f.watches.on(desktop.MeshContent) {
			pause = mapEvery
			f.round(ctx, to)
		}
		if !waitFor(ctx, changed, pause) {
			return
		}
	}
}

// round asks all managers and nodes on this host, and shows what they say.
func (f *meshFeed) round(ctx context.Context, to *inbox) {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	apps, err := f.daemon.List(asking)
	if err != nil {
		return
	}
	f.learn(asking, apps)
	var mu sync.Mutex // guards managers and nodes
	var managers []managerWord
	var nodes []nodeWord
	var work sync.WaitGroup
	for _, a := range apps {
		switch k := f.roles[a.ID]; {
		case a.Pid == 0 || k.pid != a.Pid:
		case k.role == managerRole:
			work.Go(func() {
				m := f.askManager(asking, a.ID)
				mu.Lock()
				managers = append(managers, m)
				mu.Unlock()
			})
		case k.role == nodeRole:
			work.Go(func() {
				n := f.askNode(asking, a.ID)
				mu.Lock()
				nodes = append(nodes, n)
				mu.Unlock()
			})
		}
	}
	work.Wait()
	slices.SortFunc(nodes, func(a, b nodeWord) int { return int(a.app) - int(b.app) })
	m := draw(managers, nodes, f.rates, time.Now())
	to.post(ctx, func(d *desktop.Desktop) { d.Mesh(m) })
}

// learn asks apps that are new what they offer.
func (f *meshFeed) learn(ctx context.Context, apps []signal.App) {
	told := map[role]int{}
	for _, a := range apps {
		k, known := f.roles[a.ID]
		switch {
		case !a.Signal || a.Pid == 0:
			continue
		case !known || k.pid != a.Pid:
			commands, err := f.daemon.Commands(ctx, a.ID)
			if err != nil {
				continue // it may be starting
			}
			k = knownRole{a.Pid, roleOf(commands)}
		}
		if told[k.role]++; told[k.role] > maxTold {
			k.role = otherRole
		}
		f.roles[a.ID] = k
	}
	for id := range f.roles {
		if !slices.ContainsFunc(apps, func(a signal.App) bool { return a.ID == id }) {
			delete(f.roles, id)
		}
	}
}

func (f *meshFeed) askManager(ctx context.Context, id signal.ID) (m managerWord) {
	m.nodes = ask[[]knownNode](ctx, f.daemon, id, "nodes")
	m.links = ask[[]knownLink](ctx, f.daemon, id, "links")
	m.routes = ask[[]knownRoute](ctx, f.daemon, id, "routes")
	return m
}

func (f *meshFeed) askNode(ctx context.Context, id signal.ID) nodeWord {
	n := nodeWord{app: id, info: ask[nodeInfo](ctx, f.daemon, id, "info")}
	n.links = ask[[]neighbour](ctx, f.daemon, id, "links")
	n.sessions = ask[[]nodeSession](ctx, f.daemon, id, "sessions")
	return n
}

// ask tells an app a command and reads its answer; what cannot be had is the zero value.
func ask[T any](ctx context.Context, daemon Teller, id signal.ID, command string) (v T) {
	answer, err := daemon.Tell(ctx, id, []string{command})
	if err != nil {
		return v
	}
	return read[T](answer)
}
