package resolver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// Where systemd-resolved is, and its bus.
const (
	resolvedDir = "/run/systemd/resolve"
	systemBus   = "/run/dbus/system_bus_socket"
)

// Address families as the calls have them: those of Linux.
const inet4, inet6 = 2, 10

// Link tells systemd-resolved (org.freedesktop.resolve1) that all names are asked of servers on one interface. It
// forgets that by itself when the interface goes.
type Link struct {
	Dev     string        `json:"dev"`
	Servers []netip.Addr  `json:"servers"`
	bus     string        // "": the system's; tests have their own
	limit   time.Duration // of a call over bus
}

// Resolved tells whether systemd-resolved answers on this host.
func Resolved() bool {
	_, err := os.Stat(resolvedDir)
	_, busErr := os.Stat(systemBus)
	return err == nil && busErr == nil
}

// String is the change in words.
func (l Link) String() string { return "resolvers of systemd-resolved on " + l.Dev }

// Do sets the servers, and makes the interface the one for all names.
func (l Link) Do() error {
	dev, err := net.InterfaceByName(l.Dev)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	if err = l.call(l.calls(int32(dev.Index))); errors.Is(err, errUnknownService) {
		return nil // it runs no more
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	return nil
}

// Undo makes it forget what was set.
func (l Link) Undo() error {
	dev, err := net.InterfaceByName(l.Dev)
	if err != nil {
		return nil // it forgot already
	}
	err = l.call([]call{method("RevertLink", "i", appendInt(nil, int32(dev.Index)))})
	if err != nil && !errors.Is(err, errUnknownService) && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", l, err)
	}
	return nil
}

func (l Link) call(calls []call) error {
	if l.bus != "" {
		return callBus(l.bus, l.limit, calls)
	}
	return callBus(systemBus, busTime, calls)
}

// calls are what Do says: the servers, "." as the domain that they are for, and that they are for all that has no other.
func (l Link) calls(index int32) []call {
	var servers []byte
	for _, s := range l.Servers {
		family := int32(inet4)
		if s.Is6() {
			family = inet6
		}
		b := s.AsSlice()
		servers = appendInt(pad(servers, 8), family)
		servers = append(binary.LittleEndian.AppendUint32(servers, uint32(len(b))), b...)
	}
	domains := appendInt(pad(appendString(nil, "."), 4), 1) // for routing, not for searching
	return []call{
		method("SetLinkDNS", "ia(iay)", appendArray(appendInt(nil, index), servers)),
		method("SetLinkDomains", "ia(sb)", appendArray(appendInt(nil, index), domains)),
		method("SetLinkDefaultRoute", "ib", appendInt(appendInt(nil, index), 1)),
	}
}

func method(member, signature string, body []byte) call {
	return call{"org.freedesktop.resolve1", "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager", member, signature, body}
}

func appendInt(b []byte, n int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// appendArray adds an array of structures: its length, then, from the next multiple of 8, the elements.
func appendArray(b, elements []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(elements)))
	return append(pad(b, 8), elements...)
}
