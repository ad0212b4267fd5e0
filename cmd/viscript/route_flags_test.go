package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// TestNodeNames: names of nodes while our own node cannot be asked.
func TestNodeNames(t *testing.T) {
	key := func() identity.PubKey {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		return k.Public()
	}
	known, given := key(), key()
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err == nil {
		err = pins.Pin("node:node-a", known)
	}
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("the node is down")
	for _, c := range []struct {
		flags routeFlags
		err   string        // part of it; "": none
		waits time.Duration // at least
	}{
		{flags: routeFlags{via: []string{"node-a"}, avoid: []string{given.String()}}},
		{flags: routeFlags{via: []string{"NODE-A.mesh"}}},
		{flags: routeFlags{avoid: []string{"node-b"}}, err: `--avoid "node-b": ` + down.Error() + ", after 20s; give a node's key", waits: nameWait},
		{flags: routeFlags{via: []string{"no name"}}, err: `--via "no name": neither a public key in hex nor a name`},
		{flags: routeFlags{via: []string{known.String() + "0"}}, err: "neither a public key in hex nor a name"},
		{flags: routeFlags{via: []string{"node-a"}, avoid: []string{known.String()}}, err: "to be passed, and again or not at all"},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := app.NewClient(func(context.Context) (net.Conn, error) { return nil, down })
			began := time.Now()
			_, _, err := c.flags.over(t.Context(), client, roleEnv{pins: pins, log: slog.New(slog.DiscardHandler)})
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%+v: %v, want %q", c.flags, err, c.err)
			}
			if waited := time.Since(began); waited < c.waits || c.waits == 0 && waited > 0 {
				t.Errorf("%+v: answered after %v", c.flags, waited)
			}
		})
	}
}
