package main

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript"
)

// app reads what stands under the name of an app; k is that name.
func (r *configReader) app(name string, k, v *yaml.Node) (viscript.App, error) {
	app := viscript.App{Name: name}
	var breaker *yaml.Node
	err := r.mapping(v, fmt.Sprintf("app %q", name), appKeys, func(key string, k, v *yaml.Node) error {
		if key == "breaker" {
			breaker = k
		}
		known, err := r.program(&app, key, k, v)
		if !known {
			err = r.policy(&app, key, k, v)
		}
		return err
	})
	switch {
	case err != nil:
		return app, err
	case app.Path == "":
		return app, r.errorf(k, name, "has no path; a path is the program, absolute, or relative to this file, or in PATH")
	}
	if breaker == nil && app.Restart != "" && app.Restart != signal.RestartNo {
		app.Breaker = defaultBreaker(app.Backoff)
	}
	if need := app.Breaker.Reach(app.Backoff); app.Breaker.Starts > 0 && app.Breaker.Window < need {
		return app, r.errorf(breaker, "breaker", "window %v: with this backoff %d starts take up to %v; allowed: at least that, or it never opens",
			app.Breaker.Window, app.Breaker.Starts, need)
	}
	if err := app.Policy.Check(); err != nil {
		return app, r.errorf(k, name, "%v", err)
	}
	return app, nil
}

// program reads the keys that say what runs.
func (r *configReader) program(app *viscript.App, key string, k, v *yaml.Node) (known bool, err error) {
	switch key {
	case "path":
		app.Path, err = r.text(k, v)
	case "desc":
		app.Desc, err = r.text(k, v)
	case "help":
		app.Help, err = r.text(k, v)
	case "daemon":
		app.Daemon, err = r.truth(k, v)
	case "default_args":
		app.DefaultArgs, err = r.texts(k, v)
	case "env":
		app.Env, err = r.variables(k, v)
	case "env_file":
		app.EnvFiles, err = r.wordOrWords(k, v)
	case "dir":
		app.Dir, err = r.word(k, v)
	case "user":
		app.User, err = r.word(k, v)
	case "pty":
		app.Pty, err = r.truth(k, v)
	case "limits":
		app.Limits, err = r.limits(k, v)
	default:
		return false, nil
	}
	return true, err
}

// policy reads the keys that say how it is kept.
func (r *configReader) policy(app *viscript.App, key string, k, v *yaml.Node) (err error) {
	switch key {
	case "autostart":
		app.Autostart, err = r.truth(k, v)
	case "restart":
		app.Restart, err = oneOf(r, k, v, signal.Restarts())
	case "backoff":
		app.Backoff, err = r.backoff(k, v)
	case "breaker":
		app.Breaker, err = r.breaker(v)
	case "stop_timeout":
		app.StopAfter, err = r.duration(k, v, signal.MinProbeInterval)
	case "stop_signal":
		app.StopSignal, err = r.stopSignal(k, v)
	case "depends_on":
		r.depends[app.Name] = v
		app.DependsOn, err = r.dependencies(k, v)
	case "ready":
		app.Ready, err = r.probe(k, v, readyKeys)
	case "health":
		app.Health, err = r.probe(k, v, healthKeys)
	case "log":
		app.Log, err = r.logCaps(v)
	}
	return err
}

func (r *configReader) backoff(k, v *yaml.Node) (b signal.Backoff, err error) {
	err = r.mapping(v, "backoff", backoffKeys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "min":
			b.Min, err = r.duration(k, v, 1e6)
		case "max":
			b.Max, err = r.duration(k, v, 1e6)
		}
		return err
	})
	if full := b.OrDefault(); err == nil && full.Min > full.Max {
		err = r.errorf(k, "backoff", "min %v is above max %v", full.Min, full.Max)
	}
	return b, err
}

func (r *configReader) breaker(v *yaml.Node) (signal.Breaker, error) {
	b := signal.Breaker{Starts: breakerStarts, Window: breakerWindow}
	err := r.mapping(v, "breaker", breakerKeys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "starts":
			var n uint64
			n, err = r.whole(k, v, 0, signal.MaxBreakerStarts)
			b.Starts = int(n)
		case "window":
			b.Window, err = r.duration(k, v, 1e9)
		}
		return err
	})
	if b.Starts == 0 {
		b = signal.Breaker{}
	}
	return b, err
}

func (r *configReader) logCaps(v *yaml.Node) (l signal.LogCaps, err error) {
	err = r.mapping(v, "log", logKeys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "size":
			l.Size, err = r.size(k, v, signal.MinLogSize, signal.MaxLogSize)
		case "count":
			var n uint64
			n, err = r.whole(k, v, 1, signal.MaxLogCount)
			l.Count = int(n)
		}
		return err
	})
	return l, err
}

func (r *configReader) limits(k, v *yaml.Node) (l signal.Limits, err error) {
	err = r.mapping(v, "limits", limitKeys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "memory":
			l.Memory, err = r.size(k, v, signal.MinMemory, signal.MaxMemory)
		case "cpu":
			l.CPU, err = r.cores(k, v)
		case "pids":
			l.Pids, err = r.whole(k, v, 1, signal.MaxPids)
		case "files":
			l.Files, err = r.whole(k, v, signal.MinFiles, signal.MaxFiles)
		}
		return err
	})
	if err == nil {
		if bad := l.Check(); bad != nil {
			err = r.errorf(k, "limits", "%v", bad)
		}
	}
	return l, err
}

// probe reads ready or health: a mapping, or the word signal.
func (r *configReader) probe(k, v *yaml.Node, keys []configKey) (*signal.Probe, error) {
	if n := target(v); n.Kind == yaml.ScalarNode && n.Value == "signal" {
		return &signal.Probe{Signal: true}, nil
	}
	p := &signal.Probe{}
	err := r.mapping(v, k.Value, keys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "signal":
			p.Signal, err = r.truth(k, v)
		case "tcp":
			p.TCP, err = r.word(k, v)
		case "http":
			p.HTTP, err = r.word(k, v)
		case "command":
			p.Command, err = r.texts(k, v)
		case "log":
			p.Log, err = r.word(k, v)
		case "interval":
			p.Interval, err = r.duration(k, v, signal.MinProbeInterval)
		case "timeout":
			p.Timeout, err = r.duration(k, v, signal.MinProbeInterval)
		case "threshold":
			var n uint64
			n, err = r.whole(k, v, 1, signal.MaxProbeThreshold)
			p.Threshold = int(n)
		case "within":
			p.Within, err = r.duration(k, v, signal.MinProbeInterval)
		}
		return err
	})
	if err == nil {
		if bad := p.Check(); bad != nil {
			err = r.errorf(k, k.Value, "%v", bad)
		}
	}
	return p, err
}

// dependencies reads a list of names, which must be ready, or names and their conditions.
func (r *configReader) dependencies(k, v *yaml.Node) (all []signal.Dependency, err error) {
	switch target(v).Kind {
	case yaml.SequenceNode:
		names, err := r.texts(k, v)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			d := signal.Dependency{App: name, On: signal.OnReady}
			if slices.Contains(all, d) {
				return nil, r.errorf(v, k.Value, "names %q twice", name)
			}
			all = append(all, d)
		}
		return all, nil
	case yaml.MappingNode:
		err = r.mapping(v, k.Value, nil, func(name string, k, v *yaml.Node) error {
			on, err := oneOf(r, k, v, signal.Conditions())
			all = append(all, signal.Dependency{App: name, On: on})
			return err
		})
		return all, err
	}
	return nil, r.errorf(k, k.Value, "is %s; allowed: a list of apps, as [a, b], or apps with a condition, as { a: healthy }", kind(target(v)))
}

// checkDependencies refuses unknown apps, conditions that cannot be met, and cycles in depends_on.
func (r *configReader) checkDependencies() error {
	for _, name := range r.order {
		for _, d := range r.cfg.Apps[name].DependsOn {
			if why := r.impossible(d); why != "" {
				return r.errorf(r.depends[name], "depends_on", "app %q depends on %q, which %s", name, d.App, why)
			}
		}
	}
	done := map[string]bool{}
	for _, name := range r.order {
		if cycle := r.cycle(name, nil, done); cycle != nil {
			return r.errorf(r.depends[cycle[0]], "depends_on", "goes in a circle: %s", arrows(cycle))
		}
	}
	return nil
}

// impossible says why a condition can never be met; "" when it can.
func (r *configReader) impossible(d signal.Dependency) string {
	app, ok := r.cfg.Apps[d.App]
	switch {
	case !ok:
		return "is no app; allowed: " + r.appList()
	case d.On == signal.OnHealthy && app.Health == nil:
		return "has no `health` to be healthy by"
	case d.On == signal.OnExited && app.Restart == signal.RestartAlways:
		return "never stays ended, with restart: always"
	}
	return ""
}
