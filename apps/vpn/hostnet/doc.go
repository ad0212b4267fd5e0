// Package hostnet is what a VPN changes on its host: addresses of the TUN interface, routes and rules, a firewall
// table, a few kernel settings and the host's resolvers. It has no part in packets or peers. Linux only: elsewhere
// everything answers errors.ErrUnsupported.
//
//	h, err := hostnet.Open(hostnet.Config{Dir: stateDir, Log: log})
//	err = h.Client(ctx, hostnet.Client{Tun: "vpn0", Addresses: ..., MTU: 1500, Full: true, KillSwitch: true, DNS: ...})
//	go h.Run(ctx, func(c hostnet.Change) { ... })   // repairs what others break; tells of new networks and of wake-ups
//	report, err := h.Undo()                          // the host is as it was; or h.Leave(), and it stays as it is
//
// Everything is written down in a journal in Dir before it is done, so that it can be undone after a crash: by the next
// Open and Client or Server of the same Dir, which take over what is still right and undo the rest, or by [Down], which
// is `viscript vpn down`. What somebody else changed meanwhile is left alone and told in the [Report].
//
// What the kernel gets from us is told apart by its name or number: firewall tables begin with [TablePrefix], routes and
// rules have the protocol route.Protocol, tables are [FirstTable] and up, rules have priorities from [FirstPriority].
package hostnet

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Names and numbers of what we put into the kernel. Append-only: what an older version left must be found.
const (
	TablePrefix   = "viscript_vpn_" // and the name of the TUN interface
	FirstTable    = 30300           // routing tables: one per VPN client of this host
	maxTables     = 16
	FirstPriority = 29990
)

// DownCommand is what removes everything, for texts to people.
const DownCommand = "viscript vpn down"

// ErrBusy is in the chain when another VPN of this host has what only one can have.
var ErrBusy = errors.New("hostnet: another VPN holds the host's routes")

// Config is what a Host needs.
type Config struct {
	Dir        string       // the role's state folder; it holds the journal
	ResolvConf string       // "": /etc/resolv.conf
	Log        *slog.Logger // nil: none

	nameTime time.Duration // how long a name server may take to answer Check, in tests; 0: five seconds
}

// Report tells what an undoing did.
type Report struct {
	Undone []string `json:"undone"` // in words, in the order of doing
	Left   []string `json:"left"`   // what was left alone, and why: others had changed it
	Failed []string `json:"failed"` // what could not be undone; it stays in the journal
}

// Err is nil unless something could not be undone.
func (r Report) Err() error {
	if len(r.Failed) == 0 {
		return nil
	}
	return fmt.Errorf("hostnet: changes of the host that could not be undone: %d, first: %s; try again with: %s", len(r.Failed), r.Failed[0], DownCommand)
}

// Change is something that happened to the host.
type Change int

// Changes that Run tells of.
const (
	Moved    Change = iota // addresses or routes of the host changed: another network, perhaps
	Woke                   // the host slept
	Repaired               // something of ours had vanished and was put back
	TunGone                // the TUN interface is no more: nothing can be repaired
)

// String is the change in words.
func (c Change) String() string {
	return [...]string{"the network changed", "the host woke up", "repaired", "the TUN interface is gone"}[c]
}
