package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
	"github.com/skycoin/viscript/signal"
)

// defaultPings is how often ping asks, where it is not told.
const defaultPings = 5

type pingRow struct {
	Node    string          `json:"node"`
	FoundMs float64         `json:"found_ms"` // to find a route and make a session; 0: there was one
	Sent    int             `json:"sent"`
	Lost    int             `json:"lost"`
	MinMs   float64         `json:"min_ms"`
	AvgMs   float64         `json:"avg_ms"`
	MaxMs   float64         `json:"max_ms"`
	Path    []string        `json:"path"` // empty: the far node asked for the route, and knows
	Key     identity.PubKey `json:"key"`
}

func pingCommand(n *node.Node) signal.Command {
	return signal.Command{
		Name: "ping", Args: "KEY|NAME [COUNT]", Help: "measure the round trip to a node, end to end, finding a route if there is none",
		Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) < 1 || len(args) > 2 {
				return nil, errors.New("ping takes the key or name of a node, and how often, if you like: ping KEY|NAME [COUNT]")
			}
			count := defaultPings
			if len(args) == 2 {
				var err error
				if count, err = strconv.Atoi(args[1]); err != nil || count < 1 || count > node.MaxPings {
					return nil, fmt.Errorf("COUNT %q: want a number from 1 to %d", args[1], node.MaxPings)
				}
			}
			key, err := n.Who(ctx, args[0])
			if err != nil {
				return nil, err
			}
			r, err := n.Ping(ctx, key, count)
			if err != nil {
				return nil, noWay(args[0], err)
			}
			names := called(n.Names(ctx, append(r.Path, key)))
			return pingRow{
				Node: names.of(key), FoundMs: ms(r.Found), Sent: r.Sent, Lost: r.Lost, MinMs: ms(r.Min), AvgMs: ms(r.Avg), MaxMs: ms(r.Max),
				Path: names.all(r.Path), Key: key,
			}, nil
		},
	}
}

// noWay is the error of what did not get through to a node.
func noWay(to string, err error) error {
	return fmt.Errorf("no way to %s: %s (`why %s` tells more)", to, says(err), to)
}

type hopRow struct {
	Hop   int             `json:"hop"` // links from here
	Node  string          `json:"node"`
	RTTms float64         `json:"rtt_ms"` // the least of some, end to end with that node
	Sent  int             `json:"sent"`
	Lost  int             `json:"lost"`
	Note  string          `json:"note,omitempty"`
	Key   identity.PubKey `json:"key"`
}

func traceCommand(n *node.Node) signal.Command {
	return signal.Command{
		Name: "trace", Args: "KEY|NAME", Help: "the nodes of the path in use to a node, each with the round trip from here",
		Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) != 1 {
				return nil, errors.New("trace takes the key or name of a node: trace KEY|NAME")
			}
			key, err := n.Who(ctx, args[0])
			if err != nil {
				return nil, err
			}
			hops, err := n.Trace(ctx, key)
			if err != nil {
				return nil, noWay(args[0], err)
			}
			var keys []identity.PubKey
			for _, h := range hops {
				keys = append(append(keys, h.Node), h.Path...)
			}
			return hopRows(hops, n.Names(ctx, keys)), nil
		},
	}
}

func hopRows(hops []node.Hop, names called) []hopRow {
	rows := []hopRow{}
	for i, h := range hops {
		row := hopRow{Hop: i, Node: names.of(h.Node), RTTms: ms(h.Min), Sent: h.Sent, Lost: h.Lost, Key: h.Node}
		switch {
		case i == 0:
			row.Note = "this node"
		case h.Err != nil:
			row.Note = "not measured: " + says(h.Err)
		case h.Lost == h.Sent:
			row.Note = "no answer"
		case h.Apart:
			row.Note = "measured another way: " + strings.Join(names.all(h.Path), " > ")
		}
		rows = append(rows, row)
	}
	return rows
}

// whyRow is a diagnosis for people and scripts.
type whyRow struct {
	Node      string          `json:"node"`
	Reachable bool            `json:"reachable"`
	Cause     node.Cause      `json:"cause"`
	Code      string          `json:"code,omitempty"` // of the refusal, in the words of its protocol
	Says      string          `json:"says,omitempty"` // who refused, or what went wrong
	Do        string          `json:"do,omitempty"`
	RTTms     float64         `json:"rtt_ms,omitempty"` // 0: nothing came back
	Key       identity.PubKey `json:"key"`
	Checks    []checkRow      `json:"checks"`
}

type checkRow struct {
	Check string `json:"check"`
	State string `json:"state"`
	Says  string `json:"says"`
}

func whyCommand(n *node.Node) signal.Command {
	return signal.Command{
		Name: "why", Args: "KEY|NAME", Help: "why there is, or is not, a way to a node, and what to do",
		Run: func(ctx context.Context, args []string) (any, error) {
			if len(args) != 1 {
				return nil, errors.New("why takes the key or name of a node: why KEY|NAME")
			}
			key, err := n.Who(ctx, args[0])
			if err != nil {
				return nil, err
			}
			d := n.Diagnose(ctx, key)
			keys := []identity.PubKey{key}
			for _, p := range d.Down {
				keys = append(keys, p.Key)
			}
			with := []session.Relation{d.With}
			for _, a := range d.Apart {
				with, keys = append(with, a.With), append(keys, nodesOf(a.Terms)...)
			}
			for _, r := range with {
				if r.Session != nil {
					for _, p := range r.Session.Paths {
						keys = append(keys, p.Nodes...)
					}
				}
			}
			return whyOf(d, n.Names(ctx, keys), time.Now()), nil
		},
	}
}

func whyOf(d node.Diagnosis, names called, now time.Time) whyRow {
	row := whyRow{
		Node: names.of(d.Peer), Reachable: d.Cause == node.CauseNone || d.Cause == node.CauseSelf, Cause: d.Cause,
		Do: advice(d, names), RTTms: ms(d.RTT), Key: d.Peer, Checks: checks(d, names, now),
	}
	if d.Err != nil {
		row.Says, row.Code = says(d.Err), codeText(d.Err)
	}
	return row
}

// checks are the parts of a way, and how each of them stands.
func checks(d node.Diagnosis, names called, now time.Time) []checkRow {
	manager := checkRow{"node manager", "connected", "for " + now.Sub(d.Manager.Since).Round(time.Second).String()}
	if !d.Manager.Connected {
		manager = checkRow{"node manager", "away", d.Manager.LastError}
	}
	rows := []checkRow{manager, {"links", fmt.Sprintf("%d up", d.Links), missing(len(d.Down))}}
	for _, p := range d.Down {
		peer := names.of(p.Key)
		if peer == "" {
			peer = strings.Join(p.Addrs, " ")
		}
		rows = append(rows, checkRow{"link to " + peer, "down", p.Why(now)})
	}
	rows = append(rows, sessionChecks(d.With, names, now)...)
	for _, a := range d.Apart {
		terms := termsText(a.Terms, names)
		for _, row := range sessionChecks(a.With, names, now) {
			row.Check += " over " + terms
			rows = append(rows, row)
		}
	}
	return rows
}

// missing is how many neighbours there is no link to.
func missing(n int) string {
	switch n {
	case 0:
		return "no neighbour is missing"
	case 1:
		return "1 neighbour is missing"
	}
	return fmt.Sprintf("%d neighbours are missing", n)
}

// sessionChecks are how a session stands, and how the last one ended.
func sessionChecks(r session.Relation, names called, now time.Time) (rows []checkRow) {
	switch s := r.Session; {
	case s != nil:
		text := strings.Join(pathTexts(*s, names), ", ")
		if s.Outage != "" {
			text = strings.TrimSuffix(s.Outage+"; "+text, "; ")
		}
		rows = append(rows, checkRow{"session", sessionState(*s), text})
		if s.Switches > 0 {
			rows = append(rows, checkRow{"last move", now.Sub(s.Moved).Round(time.Second).String() + " ago", s.WhyMoved})
		}
	case !r.Finding.IsZero():
		rows = append(rows, checkRow{"session", "finding a route", "for " + now.Sub(r.Finding).Round(time.Second).String()})
	default:
		rows = append(rows, checkRow{"session", "none", ""})
	}
	if r.Err != nil {
		rows = append(rows, checkRow{"last failure", now.Sub(r.Ended).Round(time.Second).String() + " ago", says(r.Err)})
	}
	return rows
}

// says is an error in the words of who refused, where somebody did.
func says(err error) string {
	var c *control.Error
	var r *wire.Refused
	switch {
	case errors.As(err, &c):
		return c.Error()
	case errors.As(err, &r):
		return r.Error()
	}
	return strings.TrimPrefix(err.Error(), "session: ")
}

// codeText names the code of a refusal and whose list it is from; empty where there is none.
func codeText(err error) string {
	var r *wire.Refused
	if c := control.CodeOf(err); c != 0 {
		return fmt.Sprintf("%s (control %d)", c, uint16(c))
	}
	if errors.As(err, &r) {
		return fmt.Sprintf("%s (stream %d)", r.Code, uint16(r.Code))
	}
	return ""
}

// advice is what to do about what is in the way.
func advice(d node.Diagnosis, names called) string {
	first := d.Node
	for _, p := range d.Down {
		if d.Node != "" && p.Key.Short() == d.Node {
			first = names.of(p.Key) + " (" + p.LastError + ")"
		}
	}
	switch d.Cause {
	case node.CauseSilent:
		return "wait: a session without a route asks for another one for a minute; see whether the nodes of its path run"
	case node.CauseManagerAway:
		return "start the node manager, or correct NM_ADDR; `info` tells what this node is told"
	case node.CauseUnknown:
		return "start that node, and see that it is registered with the same node manager: `nodes` of the manager lists those that are"
	case node.CauseNotMember:
		return "have the manager let the key in: `allow KEY`; its `policy` lists who may be there"
	case node.CauseNoLinks:
		if len(d.Down) > 0 {
			return "see that the neighbours run and can be reached: `links` says why there is no link and when it is tried again"
		}
		return "give this node a neighbour, --peer KEY@HOST:PORT or CONNECT true; `links` then says whether they are there"
	case node.CauseNoPath:
		return "link the two parts of the network: `topology` of the manager shows who reaches whom, `links` here what is missing"
	case node.CauseFirstLink:
		return "mend the link to " + first + ": `links` says when it is tried again"
	case node.CauseRefused:
		return "ask node " + first + " why: its log says more"
	case node.CauseNodeAway:
		return "see that node " + first + " is connected to the node manager: `info` there"
	case node.CauseGreeting:
		return "see whether the far node hangs or the path loses records: `trace` to the nodes before it; then try again"
	case node.CauseGreetFailed, node.CauseBroke:
		return "try again: a node or link on the way was lost meanwhile"
	case node.CauseBusy:
		return "wait, or close what is not needed: a limit of a node or of the manager is reached"
	case node.CauseSlow:
		return "try again; `routes` of the manager shows what is laid, the logs on the way say more"
	case node.CauseOther:
		return "see the logs of this node and of the manager (--log-level debug)"
	}
	return ""
}
