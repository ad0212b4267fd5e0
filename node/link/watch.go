package link

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/node/mark"
)

// Watching this host.
const (
	lookEvery  = time.Second // at the clocks; elsewhere than on Linux every second time at the addresses
	sleptAfter = 5 * time.Second
	settle     = 100 * time.Millisecond // changes come in bursts
	atMost     = time.Second            // between two words of the same kind
)

// Watch implements Watcher: changes of this host's addresses, of the state of its interfaces and of its default
// routes, and waking from sleep.
func (TCP) Watch(ctx context.Context, moved func(here []netip.Addr)) error {
	ctx, cancel := context.WithCancel(ctx)
	signs := make(chan sign, 1)
	ended := make(chan error, 1)
	system := watchSystem() // here: a network namespace belongs to the thread
	go func() { ended <- system(ctx, signs) }()
	w := watch{host: hostState, moved: moved, at: time.Now()}
	_, w.state = w.host()
	err := w.run(ctx, signs, ended)
	cancel()
	if err == nil {
		err = <-ended
	}
	return err
}

// sign is what the system says of a change.
type sign int

const (
	maybe   sign = 1 // look whether the addresses changed
	certain sign = 2 // a default route came or went
)

// hint passes a sign on, unless one waits already; a certain one is not lost.
func hint(signs chan sign, s sign) {
	select {
	case signs <- s:
		return
	default:
	}
	if s == certain {
		select {
		case <-signs:
		default:
		}
		select {
		case signs <- s:
		default:
		}
	}
}

// system sends a sign for each change that may matter, until ctx ends.
type system func(ctx context.Context, signs chan sign) error

// poll asks for a look at the addresses every two seconds, where the system announces nothing.
func poll(ctx context.Context, signs chan sign) error {
	for pause(ctx, 2*lookEvery) {
		hint(signs, maybe)
	}
	return nil
}

// watch compares this host with what it was.
type watch struct {
	host  func() (here []netip.Addr, state string) // hostState
	moved func([]netip.Addr)
	state string
	at    time.Time // of the last look at the clocks
	said  time.Time
}

func (w *watch) run(ctx context.Context, signs <-chan sign, ended <-chan error) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var s sign
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case now := <-tick.C:
			if slept(now.Round(0).Sub(w.at.Round(0)), now.Sub(w.at)) {
				s = certain
			}
			w.at = now
		case s = <-signs:
			if !pause(ctx, max(settle, atMost-time.Since(w.said))) {
				return nil
			}
		}
		if s != 0 {
			w.look(s)
		}
	}
}

func (w *watch) look(s sign) {
	here, state := w.host()
	if state == w.state && s != certain {
		return
	}
	w.state, w.said = state, time.Now()
	w.moved(here)
}

// slept reports whether the wall clock went on by more than the one that stops in sleep.
func slept(wall, awake time.Duration) bool { return wall-awake > sleptAfter }

// hostState returns this host's addresses, and a text that changes when they or the state of an interface do.
func hostState() (here []netip.Addr, state string) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, ""
	}
	var lines []string
	tunnels := mark.Tunnels()
	for _, i := range all {
		if tunnels[i.Name] { // it lies on top of us
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			here = append(here, p.Addr().Unmap().WithZone(""))
			lines = append(lines, i.Name+" "+i.Flags.String()+" "+p.String())
		}
	}
	slices.Sort(lines)
	return here, strings.Join(lines, "\n") + hostDetail()
}

// pause waits; false: ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
