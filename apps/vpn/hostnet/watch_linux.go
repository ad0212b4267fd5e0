package hostnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
)

// Times of the watch.
const (
	settleTime = 300 * time.Millisecond // after a change others usually follow
	clockEvery = time.Second
	checkEvery = 5               // looks at the clock; for what the kernel does not tell of: firewall, settings, resolv.conf
	sleepJump  = 5 * time.Second // the clock that runs while the host sleeps gained this on the other
	maxRepairs = 10              // within repairTime; more would be a fight with somebody
	repairTime = time.Minute
)

// watchGroups are the kernel's announcements that we want (rtnetlink(7)); rules of IPv6 have no name among them.
const watchGroups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
	unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE | unix.RTMGRP_IPV4_RULE | 1<<(unix.RTNLGRP_IPV6_RULE-1)

// Run watches the host until ctx ends: it puts back what vanished and tells of changes. A repair that others undo again
// and again is given up for a while, and logged. told is called by one goroutine at a time, and may be nil.
func (h *Host) Run(ctx context.Context, told func(Change)) error {
	if told == nil {
		told = func(Change) {}
	}
	f, err := announcements()
	if err != nil {
		return fmt.Errorf("watching the network: %w", err)
	}
	signs := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		listen(ctx, f, signs)
	}()
	w := watcher{h: h, told: told, drift: clockDrift()}
	w.place = w.whereabouts()
	w.run(ctx, signs)
	f.Close()
	<-ended
	return nil
}

// announcements opens the kernel's word of changes, of the network namespace of this process.
func announcements() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: watchGroups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// listen makes signs of announcements until f is closed or ctx ends. What they say does not matter: we look ourselves.
func listen(ctx context.Context, f *os.File, signs chan<- struct{}) {
	buf := make([]byte, 64<<10)
	for {
		_, err := f.Read(buf)
		if errors.Is(err, os.ErrClosed) || ctx.Err() != nil {
			return
		}
		select {
		case signs <- struct{}{}: // also for ENOBUFS: there was more than fits
		default:
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(settleTime):
			}
		}
	}
}

// watcher is of Run's goroutine.
type watcher struct {
	h       *Host
	told    func(Change)
	drift   time.Duration
	place   string
	repairs []time.Time
	tunGone bool
}

func (w *watcher) run(ctx context.Context, signs <-chan struct{}) {
	clock := time.NewTicker(clockEvery)
	defer clock.Stop()
	var settled <-chan time.Time
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-signs:
			if settled == nil { // not put off by the next one: a host that changes all the time is looked at too
				settled = time.After(settleTime)
			}
		case <-settled:
			settled = nil
			w.look(ctx)
		case <-clock.C:
			if w.woke() {
				w.told(Woke)
				w.look(ctx)
			} else if n%checkEvery == 0 {
				w.look(ctx)
			}
		}
	}
}

// look repairs, and tells what is new.
func (w *watcher) look(ctx context.Context) {
	if place := w.whereabouts(); place != w.place {
		w.place = place
		w.told(Moved)
	}
	missing, tunGone := w.h.missing()
	if tunGone != w.tunGone {
		w.tunGone = tunGone
		if tunGone {
			w.told(TunGone)
		}
	}
	if len(missing) == 0 || tunGone || !w.mayRepair(time.Now()) {
		return
	}
	w.h.cfg.Log.Warn("putting back what vanished from this host", "what", strings.Join(missing, "; "))
	if err := w.h.repair(ctx); err != nil {
		w.h.cfg.Log.Error("putting it back", "err", err)
		return
	}
	w.told(Repaired)
}

// mayRepair bounds the repairs in any repairTime.
func (w *watcher) mayRepair(now time.Time) bool {
	w.repairs = slices.DeleteFunc(w.repairs, func(t time.Time) bool { return now.Sub(t) > repairTime })
	if len(w.repairs) >= maxRepairs {
		return false
	}
	w.repairs = append(w.repairs, now)
	if len(w.repairs) == maxRepairs {
		w.h.cfg.Log.Error("somebody undoes our changes of this host again and again; leaving it alone for a while", "took", repairTime)
	}
	return true
}

// whereabouts are the host's addresses and ways out, ours in the tunnel excepted.
func (w *watcher) whereabouts() string {
	w.h.mu.Lock()
	tun := w.h.tun
	w.h.mu.Unlock()
	var words []string
	links, _ := net.Interfaces()
	for _, l := range links {
		if l.Name == tun || l.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, _ := l.Addrs()
		for _, a := range addrs {
			words = append(words, l.Name+" "+a.String())
		}
	}
	uplinks, _, _ := route.Uplinks()
	for _, u := range uplinks {
		if u.Dev != tun {
			words = append(words, fmt.Sprint(u))
		}
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}

// woke tells whether the host slept since the last call.
func (w *watcher) woke() bool {
	before := w.drift
	w.drift = clockDrift()
	return w.drift-before > sleepJump
}

// clockDrift is how long the host slept since it started: one clock counts that, the other does not.
func clockDrift() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}

// missing lists what is wanted and not in force, by what the host would need now: another uplink may need more.
func (h *Host) missing() (list []string, tunGone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.planner == nil {
		return nil, false
	}
	if _, err := net.InterfaceByName(h.tun); err != nil {
		return nil, true
	}
	wanted, err := h.planner(h)
	if err != nil {
		return nil, false // the same question is asked again soon
	}
	for _, s := range wanted {
		if ok, err := h.present(s); err == nil && !ok {
			list = append(list, s.key())
		}
	}
	for _, s := range h.done {
		if !wanted.has(s) {
			list = append(list, "no longer wanted: "+s.key())
		}
	}
	return list, false
}

// repair does all of it again; what is in force is left as it is.
func (h *Host) repair(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.planner == nil {
		return nil
	}
	return h.applyLocked(ctx)
}
