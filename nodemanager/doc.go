// Package nodemanager is the node manager: it keeps the book of nodes (registry), their
// links as both ends report them (topology) and the routes it laid (setup), and serves
// node/control's protocol to the nodes.
//
//	m, err := nodemanager.New(nodemanager.Config{Domain: "mysterious.network", Listen: ":5999", Dir: dir, Key: key})
//	err = m.Run(ctx)
//
// One connection of a node: control.Listener → attend (one member) → register → registry,
// members; report → registry, topology; route → setup → topology.Path → install at the
// members of the path. Requests about apps are passed on to the tracker.
//
// It is no part of the data's way: nodes forward without it, and what it forgets when it
// stops are routes that go on.
package nodemanager
