package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/skycoin/viscript/messenger"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/messenger/relay"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/signal"
)

func messengerRole() role {
	var public, boxes string
	var peers []string
	var carriers carrierFlags
	var rate, prefixRate float64
	return role{
		name: "messenger", links: []string{"meshnet-run-messenger"},
		args:  "HOST:PORT",
		short: "the messenger: nodes find and reach each other there by their keys",
		long: `HOST:PORT   where nodes reach us, such as 0.0.0.0:5998

It passes on the links of nodes that cannot reach each other, and sees their keys, sizes and times, not what they say.
Messengers that name each other with --peer know the same records.

With --mailboxes it keeps people's encrypted messages while they are away (see chat): it sees whose mailboxes there are, sizes and times.`,
		count: [2]int{1, 1}, instance: func(args []string) string { return args[0] },
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&public, "public", "", "`HOST:PORT` under which others reach us, where that is not the one we listen on")
			f.Float64Var(&rate, "rate", 0, "`MB/s` that are relayed for one key; 0: no limit")
			f.Float64Var(&prefixRate, "prefix-rate", 0, "`MB/s` that are relayed for all keys of one network, IPv4 /24 or IPv6 /56; 0: no limit")
			f.StringVar(&boxes, "mailboxes", "", "keep mailboxes for people, and listen for them at `HOST:PORT`")
			f.StringArrayVar(&peers, "peer", nil, "another messenger to exchange records with, `KEY@HOST:PORT`; may be given again")
			carriers.add(f)
		},
		build: func(_ context.Context, e roleEnv, args []string) (*service, error) {
			cfg := messenger.Config{Listen: args[0], Dir: e.dir, Network: e.network, Key: e.key, Log: e.log}
			if rate < 0 || prefixRate < 0 {
				return nil, errors.New("--rate and --prefix-rate: want MB/s, or 0 for no limit")
			}
			cfg.Quota = relay.Quota{Bytes: rate * 1e6, PrefixBytes: prefixRate * 1e6}
			if public != "" {
				a, err := secure.ParsePeer(public)
				if err != nil {
					return nil, fmt.Errorf("--public: %w", err)
				}
				cfg.Public = a.HostPort
			}
			for _, p := range peers {
				a, err := secure.ParsePeer(p)
				if err == nil && a.Key.IsZero() {
					err = fmt.Errorf("address %q: want KEY@HOST:PORT", p)
				}
				if err != nil {
					return nil, fmt.Errorf("--peer: %w", err)
				}
				cfg.Peers = append(cfg.Peers, a)
			}
			carrier, _, err := carriers.carrier(cfg.Listen, e.log)
			if err != nil {
				return nil, err
			}
			cfg.Net = carrier
			m, err := messenger.New(cfg)
			if err != nil {
				return nil, err
			}
			run := m.Run
			if boxes != "" {
				if run, err = withMailboxes(m, e, boxes); err != nil {
					return nil, errors.Join(err, m.Close())
				}
			}
			return &service{
				run: run, status: fmt.Sprintf("messenger %s at %s", e.key.Public().Short(), m.Addr()),
				commands: []signal.Command{
					value("clients", "the keys that are connected, and what was relayed for each", func() []clientRow { return clientRows(m) }),
					value("records", "what keys say of themselves: messengers, addresses, services", func() []recordRow { return recordRows(m.Records()) }),
					value("traffic", "what was relayed, dropped and refused since the start", func() trafficRow { return trafficOf(m) }),
					value("key", "our public key, for KEY@HOST:PORT", e.key.Public().String),
				},
			}, nil
		},
	}
}

// withMailboxes is the messenger's Run with people's mailboxes beside it; both end with the first.
func withMailboxes(m *messenger.Messenger, e roleEnv, listen string) (func(context.Context) error, error) {
	boxes, err := mailbox.NewServer(mailbox.ServerConfig{Listen: listen, Dir: e.dir, Key: e.key, Network: e.network, Log: e.log})
	if err != nil {
		return nil, err
	}
	e.log.Info("keeping mailboxes", "addr", boxes.Addr().String())
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return m.Run(ctx) })
		group.Go(func() error { return boxes.Run(ctx) })
		return group.Wait()
	}, nil
}
