package hostnet

import (
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/skycoin/viscript/apps/vpn/hostnet/journal"
	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
)

// Verdict is one line of a leak test.
type Verdict struct {
	Name   string `json:"name"` // "tunnel", "route", "ipv6", "dns", "kill switch"
	Result Result `json:"result"`
	Text   string `json:"text"` // what was seen, in words
}

// Result is how a line of a leak test came out.
type Result string

// Results.
const (
	Pass Result = "pass"
	Fail Result = "fail"
	Off  Result = "off" // not asked for: nothing to test
)

// Failed tells whether one of the verdicts is a Fail.
func Failed(list []Verdict) bool {
	for _, v := range list {
		if v.Result == Fail {
			return true
		}
	}
	return false
}

// NameServer is the first name server in the tunnel of the VPN client whose state folder is dir; os.ErrNotExist is in the
// chain where there is none.
func NameServer(dir string) (netip.Addr, error) {
	j, _, err := journal.Read[step](dir)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, s := range j.Done {
		if s.Resolver == nil {
			continue
		}
		if list := resolver.Servers(s.Resolver.Ours); len(list) > 0 {
			return list[0], nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no name server in the tunnel: %w", fs.ErrNotExist)
}
