package gui

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

const (
	// sampleEvery is how often apps are measured whose figures somebody looks at.
	sampleEvery = time.Second
	// idleEvery is how often all are, so that a page that is opened later has something to show.
	idleEvery = 30 * time.Second
	// idleApps bounds those.
	idleApps = 32
	// asking is how many apps are measured at once.
	asking = 4
	// answerTime bounds every question of a feed.
	answerTime = 5 * time.Second
	// rowSamples is what a row of the processes panel shows, and a little more.
	rowSamples = 150
)

// Measurer is what the panels about apps ask of the daemon.
type Measurer interface {
	List(context.Context) ([]signal.App, error)
	Usage(context.Context, signal.ID) (signal.Usage, error)
}

// An appFeed fills the processes panel and the pages of apps.
type appFeed struct {
	daemon    Measurer
	watches   *watches
	logs      *logStore
	histories map[signal.ID]*history
	now       func() time.Time
}

func newAppFeed(daemon Measurer, w *watches, logs *logStore) *appFeed {
	return &appFeed{daemon: daemon, watches: w, logs: logs, histories: map[signal.ID]*history{}, now: time.Now}
}

// run samples until ctx ends: every second while somebody looks.
func (f *appFeed) run(ctx context.Context, to *inbox) {
	for ctx.Err() == nil {
		changed := f.watches.state()
		processes, pages := f.watches.on(desktop.ProcessesContent), f.watches.pageList()
		looked := processes || len(pages) > 0
		began := f.now()
		apps, err := f.round(ctx, processes, pages)
		if err == nil && looked {
			f.show(ctx, to, apps, processes, pages)
		}
		pause := idleEvery
		if looked {
			pause = max(sampleEvery/4, sampleEvery-f.now().Sub(began))
		}
		if !waitFor(ctx, changed, pause) {
			return
		}
	}
}

// round lists the apps and measures those somebody looks at, or some of all.
func (f *appFeed) round(ctx context.Context, processes bool, pages []signal.ID) ([]signal.App, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	all, err := f.daemon.List(ctx)
	if err != nil {
		return nil, err
	}
	f.measure(ctx, f.chosen(all, processes, pages))
	maps.DeleteFunc(f.histories, func(id signal.ID, _ *history) bool {
		return !slices.ContainsFunc(all, func(a signal.App) bool { return a.ID == id && (a.Pid != 0 || slices.Contains(pages, id)) })
	})
	return all, nil
}

// chosen are the apps to measure.
func (f *appFeed) chosen(all []signal.App, processes bool, pages []signal.ID) []signal.ID {
	var ids []signal.ID
	seen := f.watches.seen()
	for _, a := range all {
		switch {
		case a.Pid == 0:
		case slices.Contains(pages, a.ID),
			processes && (len(seen) == 0 || slices.Contains(seen, uint64(a.ID))),
			!processes && len(pages) == 0 && len(ids) < idleApps:
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// measure asks for the usage of apps, a few at a time. One that has ended meanwhile is left out.
func (f *appFeed) measure(ctx context.Context, ids []signal.ID) {
	var work sync.WaitGroup
	var mu sync.Mutex // guards f.histories
	next := make(chan signal.ID)
	for range min(asking, len(ids)) {
		work.Go(func() {
			for id := range next {
				u, err := f.daemon.Usage(ctx, id)
				if err != nil {
					continue
				}
				mu.Lock()
				h := f.histories[id]
				if h == nil {
					h = &history{}
					f.histories[id] = h
				}
				h.add(f.now(), u)
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	work.Wait()
}

func (f *appFeed) show(ctx context.Context, to *inbox, apps []signal.App, processes bool, pages []signal.ID) {
	var list []panel.Process
	if processes {
		list = f.processes(apps)
	}
	var open []panel.App
	for _, a := range apps {
		if slices.Contains(pages, a.ID) {
			open = append(open, f.page(a))
		}
	}
	to.post(ctx, func(d *desktop.Desktop) {
		if processes {
			d.Processes(list)
			f.watches.see(d.InSight())
		}
		for _, a := range open {
			d.AppPage(a)
		}
	})
}

// processes are the apps that run or are to run again, and those that failed.
func (f *appFeed) processes(apps []signal.App) []panel.Process {
	var list []panel.Process
	for _, a := range apps {
		if a.State == signal.Exited || a.State == signal.Failed && a.Down {
			continue
		}
		p := panel.Process{ID: uint64(a.ID), Name: nameOf(a), State: stateOf(a)}
		if h := f.histories[a.ID]; h != nil && a.Pid != 0 {
			g := h.series(rowSamples)
			p.CPU, p.Memory = g.cpu, g.memory
		}
		list = append(list, p)
	}
	return list
}

func (f *appFeed) page(a signal.App) panel.App {
	p := panel.App{ID: uint64(a.ID), Name: nameOf(a), State: stateOf(a), Detail: cmp.Or(a.Status, a.WaitsFor), Pid: a.Pid}
	switch {
	case a.Pid != 0:
		p.Up = f.now().Sub(a.Started)
	case a.Reason != "":
		p.Detail = a.Reason
	}
	if h := f.histories[a.ID]; h != nil {
		g := h.series(panel.MaxSamples)
		p.CPU, p.Memory, p.Descriptors, p.In, p.Out = g.cpu, g.memory, g.files, g.in, g.out
	}
	p.Lines = f.logs.last(a.ID)
	return p
}

// nameOf is what people call an app: what its group calls it, else its name in the configuration.
func nameOf(a signal.App) string { return cmp.Or(a.Member, a.App) }

// stateOf is the state of an app, or that it is not healthy.
func stateOf(a signal.App) string {
	if a.Health == signal.Unhealthy && a.State == signal.Ready {
		return string(signal.Unhealthy)
	}
	return string(a.State)
}
