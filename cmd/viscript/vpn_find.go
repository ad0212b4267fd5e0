package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/apps/vpn"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// How exits are compared.
const (
	maxCompared    = 8               // that are asked
	compareTimeout = 3 * time.Second // for all together
	locationSign   = "@"             // between an exit's name and its location, in the tracker
	exitRemembered = time.Hour       // an exit that was found is tried again so long without asking the tracker, which may be away
)

// find asks the tracker for exits, takes the fastest that fits, and keeps to the key that a name had when we saw it first. avoid is one
// that has just failed: another is preferred.
func (x *vpnEntry) find(ctx context.Context, avoid identity.PubKey) (vpn.Exit, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	list, err := x.candidates(ctx)
	x.exitMu.Lock()
	last, at := x.exit, x.found
	x.exitMu.Unlock()
	if err != nil {
		if last.Port != 0 && time.Since(at) < exitRemembered && last.Key != avoid {
			return last, nil
		}
		return vpn.Exit{}, err
	}
	if len(list) > 1 {
		if others := slices.DeleteFunc(slices.Clone(list), func(a app.App) bool { return a.Node == avoid }); len(others) > 0 {
			list = others
		}
	}
	a := x.fastest(ctx, list)
	if _, err := identity.ParseHex(x.flags.server); err != nil {
		if err := x.env.pins.Pin("app:"+a.Name, a.Node); err != nil {
			if errors.As(err, new(*secure.PinChanged)) {
				err = vpn.Fatal(err)
			}
			return vpn.Exit{}, err
		}
	}
	e := vpn.Exit{Name: a.Name, Key: a.Node, Port: uint16(a.Port)}
	x.exitMu.Lock()
	x.exit, x.found = e, time.Now()
	x.exitMu.Unlock()
	return e, nil
}

// candidates are the exits that fit the flags; none is an error.
func (x *vpnEntry) candidates(ctx context.Context) ([]app.App, error) {
	q := app.Query{Type: vpnType}
	key, err := identity.ParseHex(x.flags.server)
	byName := err != nil && x.flags.server != ""
	if err == nil {
		q.Node = key
	}
	apps, err := x.client.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	apps = slices.DeleteFunc(apps, func(a app.App) bool { return !exitFits(a.Name, x.flags.server, byName, x.flags.location) })
	if len(apps) == 0 {
		what := "the app tracker knows no vpn-server"
		if x.flags.server != "" {
			what += fmt.Sprintf(" %q", x.flags.server)
		}
		if x.flags.location != "" {
			what += fmt.Sprintf(" at %q", x.flags.location)
		}
		return nil, errors.New(what)
	}
	return apps, nil
}

// exitFits reports whether a name in the tracker, NAME or NAME@LOCATION, is one that is asked for.
func exitFits(name, want string, byName bool, location string) bool {
	plain, at, _ := strings.Cut(name, locationSign)
	return (!byName || name == want || plain == want) && (location == "" || strings.EqualFold(at, location))
}

// fastest dials some exits at once and takes the one that answers first; a second dial, over the session that there is then, counts. If none
// answers it is the first.
func (x *vpnEntry) fastest(ctx context.Context, list []app.App) app.App {
	if len(list) == 1 {
		return list[0]
	}
	list = list[:min(len(list), maxCompared)]
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	type answer struct {
		a    app.App
		took time.Duration
	}
	answers := make(chan answer, len(list))
	for _, a := range list {
		go func() {
			took := time.Duration(-1)
			for range 2 {
				began := time.Now()
				conn, err := x.client.Dial(ctx, a.Node, a.Port, app.DialOptions{Target: vpnTarget})
				if err != nil {
					took = -1
					break
				}
				took = time.Since(began)
				conn.Reset(wire.CodeCancelled)
			}
			answers <- answer{a, took}
		}()
	}
	best := answer{list[0], -1}
	for range list {
		got := <-answers
		if got.took >= 0 && (best.took < 0 || got.took < best.took) {
			best = got
		}
	}
	x.env.log.Info("compared exits", "app", best.a.Name, "peer", best.a.Node.Short(), "took", best.took.Round(time.Microsecond))
	return best.a
}
