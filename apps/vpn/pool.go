package vpn

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// maxLeases bounds what a pool remembers; the client that was away for longest is forgotten first.
const maxLeases = 65536

var errNoAddress = errors.New("vpn: no address is left")

// pool gives each client's key addresses, always the same ones. IPv4 addresses are remembered in a file; an IPv6 address
// follows from the key. Not for concurrent use.
type pool struct {
	four, six netip.Prefix // invalid: not carried
	path      string       // "": nothing is kept
	byKey     map[identity.PubKey]*lease
	byAddr    map[netip.Addr]*lease
	next      netip.Addr // where to look for a free one
}

// lease is a client's IPv4 address.
type lease struct {
	Key  identity.PubKey `json:"key"`
	Addr netip.Addr      `json:"addr"`
	Seen time.Time       `json:"seen"`
	held bool            // a client is connected
}

// openPool reads what the file remembers; leases that do not fit the subnet any more are forgotten.
func openPool(four, six netip.Prefix, path string) (*pool, error) {
	if four.IsValid() && (!four.Addr().Is4() || four.Bits() > 30 || four.Bits() < 8) {
		return nil, fmt.Errorf("subnet %s: want IPv4, /8 to /30", four)
	}
	if six.IsValid() && (!six.Addr().Is6() || six.Addr().Is4In6() || six.Bits() > 64) {
		return nil, fmt.Errorf("subnet %s: want IPv6, /64 or more", six)
	}
	p := &pool{four: four, six: six, path: path, byKey: map[identity.PubKey]*lease{}, byAddr: map[netip.Addr]*lease{}}
	if four.IsValid() {
		p.four = four.Masked()
		p.next = p.gateway4().Next()
	}
	if six.IsValid() {
		p.six = six.Masked()
	}
	return p, p.load()
}

func (p *pool) load() error {
	if p.path == "" {
		return nil
	}
	b, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("addresses of clients: %w", err)
	}
	var list []*lease
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("addresses of clients: %s: %w; remove it to begin anew", p.path, err)
	}
	for _, l := range list {
		if l != nil && len(p.byKey) < maxLeases && p.free(l.Addr) && p.byKey[l.Key] == nil {
			p.byKey[l.Key], p.byAddr[l.Addr] = l, l
		}
	}
	return nil
}

// save writes the leases to the file, whole or not at all.
func (p *pool) save() error {
	if p.path == "" {
		return nil
	}
	list := make([]*lease, 0, len(p.byKey))
	for _, l := range p.byKey {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *lease) int { return a.Addr.Compare(b.Addr) })
	b, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("addresses of clients: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), ".leases-*")
	if err != nil {
		return fmt.Errorf("addresses of clients: %w", err)
	}
	_, err = f.Write(bytes.ReplaceAll(b, []byte("},{"), []byte("},\n{")))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("addresses of clients: %w", err)
	}
	return nil
}

// gateway4 and gateway6 are the server's own addresses: the first of each subnet.
func (p *pool) gateway4() netip.Addr { return p.four.Addr().Next() }
func (p *pool) gateway6() netip.Addr { return p.six.Addr().Next() }

// gateways are both, as far as they are carried, with their subnets.
func (p *pool) gateways() (list []netip.Prefix) {
	if p.four.IsValid() {
		list = append(list, netip.PrefixFrom(p.gateway4(), p.four.Bits()))
	}
	if p.six.IsValid() {
		list = append(list, netip.PrefixFrom(p.gateway6(), p.six.Bits()))
	}
	return list
}

// free reports whether a may be given to a client.
func (p *pool) free(a netip.Addr) bool {
	return p.four.IsValid() && p.four.Contains(a) && a != p.four.Addr() && a != p.gateway4() && a != broadcast(p.four) && p.byAddr[a] == nil
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// take gives the client its addresses of the wanted families. release must follow. Error: errNoAddress.
func (p *pool) take(key identity.PubKey, want4, want6 bool, now time.Time) (addrs []netip.Prefix, err error) {
	if want4 && p.four.IsValid() {
		l := p.byKey[key]
		if l == nil {
			if l, err = p.give(key); err != nil {
				return nil, err
			}
		}
		l.held, l.Seen = true, now.UTC().Truncate(time.Second)
		addrs = append(addrs, netip.PrefixFrom(l.Addr, 32))
	}
	if want6 && p.six.IsValid() {
		addrs = append(addrs, netip.PrefixFrom(p.six6(key), 128))
	}
	return addrs, nil
}

// give finds an address for a new client: a free one, or that of the client that was away for longest.
func (p *pool) give(key identity.PubKey) (*lease, error) {
	var l *lease
	if len(p.byKey) < maxLeases {
		a := p.next
		for range min(1<<(32-p.four.Bits()), maxLeases+4) {
			if !p.four.Contains(a) {
				a = p.gateway4().Next()
			}
			if p.free(a) {
				l = &lease{Key: key, Addr: a}
				break
			}
			a = a.Next()
		}
	}
	if l == nil {
		old := p.oldest()
		if old == nil {
			return nil, errNoAddress
		}
		delete(p.byKey, old.Key)
		l = &lease{Key: key, Addr: old.Addr}
	}
	p.next = l.Addr.Next()
	p.byKey[key], p.byAddr[l.Addr] = l, l
	return l, nil
}

func (p *pool) oldest() (old *lease) {
	for _, l := range p.byKey {
		if !l.held && (old == nil || l.Seen.Before(old.Seen)) {
			old = l
		}
	}
	return old
}

// release notes that the client is away.
func (p *pool) release(key identity.PubKey, now time.Time) {
	if l := p.byKey[key]; l != nil {
		l.held, l.Seen = false, now.UTC().Truncate(time.Second)
	}
}

// six6 is the client's IPv6 address: the subnet's first 64 bits and 64 of the key's hash, which is never one of the first addresses.
func (p *pool) six6(key identity.PubKey) netip.Addr {
	a := p.six.Addr().As16()
	h := sha256.Sum256(append([]byte("viscript vpn address 1"), key[:]...))
	copy(a[8:], h[:8])
	a[8] = a[8]&^0x03 | 0x80 // a local interface identifier, and not ::1
	return netip.AddrFrom16(a)
}
