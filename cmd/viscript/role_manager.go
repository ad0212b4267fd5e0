package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager"
	"github.com/skycoin/viscript/nodemanager/tracker"
	"github.com/skycoin/viscript/signal"
)

func trackerRole() role {
	return role{
		name: "apptracker", links: []string{"meshnet-run-apptracker", "meshnet-apptracker"},
		args:  "HOST:PORT",
		short: "the app tracker: which app of which name and type listens at which node",
		long:  "HOST:PORT   where the node manager reaches us, such as 127.0.0.1:20000",
		count: [2]int{1, 1}, instance: func(args []string) string { return args[0] },
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			t, err := tracker.New(tracker.Config{Listen: args[0], Dir: e.dir, Network: e.network, Key: e.key, Log: e.log})
			if err != nil {
				return nil, err
			}
			return &service{
				run: t.Run, status: fmt.Sprintf("app tracker %s at %s", e.key.Public().Short(), t.Addr()),
				commands: []signal.Command{
					value("apps", "the apps that are registered now", func() []appRow { return appRows(t.Apps()) }),
					forget("app", t.ForgetName),
					value("key", "our public key, for KEY@HOST:PORT", e.key.Public().String),
				},
			}, nil
		},
	}
}

func managerRole() role {
	var join joinOptions
	var carriers carrierFlags
	return role{
		name: "nodemanager", links: []string{"meshnet-run-nm", "meshnet-nm"},
		args:  "DOMAIN CTRL_ADDR APPTRACKER_ADDR",
		short: "the node manager: knows the nodes and their links, and lays the routes",
		long: `DOMAIN           domain of the nodes' names: node0.DOMAIN is the node whose HOSTNAME is node0
CTRL_ADDR        HOST:PORT where nodes reach us
APPTRACKER_ADDR  the app tracker, as [KEY@]HOST:PORT; without KEY the key seen first is kept`,
		count: [2]int{3, 3}, instance: func(args []string) string { return args[0] },
		flags: func(f *pflag.FlagSet) {
			join.flags(f)
			carriers.listener(f)
		},
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			at, err := secure.ParseAddr(args[2])
			if err != nil {
				return nil, fmt.Errorf("APPTRACKER_ADDR: %w", err)
			}
			policy, err := join.policy()
			if err != nil {
				return nil, err
			}
			cfg := nodemanager.Config{
				Domain: args[0], Listen: args[1], Tracker: at, Dir: e.dir, Network: e.network, Key: e.key, Join: policy, Log: e.log,
			}
			if carriers.wss != "" {
				carriers.quic = "off"
				if cfg.Net, _, err = carriers.carrier("", e.log); err != nil {
					return nil, err
				}
			}
			m, err := nodemanager.New(cfg)
			if err != nil {
				return nil, err
			}
			return &service{
				run: m.Run, commands: managerCommands(m, e),
				status: fmt.Sprintf("node manager %s of %s at %s", e.key.Public().Short(), args[0], m.Addr()),
			}, nil
		},
	}
}

func managerCommands(m *nodemanager.Manager, e roleEnv) []signal.Command {
	return []signal.Command{
		value("nodes", "the nodes that are registered now", func() []nodeRow { return nodeRows(m.Nodes()) }),
		value("topology", "which node has links to which, by parts that cannot reach each other", func() []topologyRow { return topologyRows(m) }),
		value("links", "the links that both ends report, with the worse word on each figure", func() []meshLinkRow { return meshLinkRows(m) }),
		value("routes", "the routes that are in use", func() []meshRouteRow { return meshRouteRows(m) }),
		tell("apps", "the apps that the tracker knows", func(ctx context.Context) (any, error) {
			apps, err := m.Apps(ctx)
			return appRows(apps), err
		}),
		{
			Name: "path", Args: "A B [--hops N] [--min-hops N] [--max-hops N] [--via X,Y] [--avoid X,Y] [--disjoint K]",
			Help: "the path a route from A to B (names or keys) would take now",
			Run: func(_ context.Context, args []string) (any, error) {
				q, err := readPathQuery(args)
				if err != nil {
					return nil, err
				}
				paths, err := m.Paths(q)
				return pathRows(paths), err
			},
		},
		value("policy", "who may be in the network", func() []policyRow { return policyRows(m) }),
		admission("allow", "let a key into the network, for good", "may be in the network", m.Allow),
		admission("deny", "keep a key out of the network, for good", "is kept out of the network", m.Deny),
		forget("node", m.ForgetName),
		value("key", "our public key, for KEY@HOST:PORT", e.key.Public().String),
	}
}

// forget makes the command that frees a name, which otherwise belongs to its first key for good.
func forget(what string, f func(ctx context.Context, name string) error) signal.Command {
	return signal.Command{
		Name: "forget", Args: "NAME", Help: "free the name of a lost " + what + ", so that another key can take it",
		Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) != 1 {
				return nil, errors.New("forget takes one name")
			}
			if err := f(ctx, args[0]); err != nil {
				return nil, err
			}
			return fmt.Sprintf("%s %q is free", what, args[0]), nil
		},
	}
}
