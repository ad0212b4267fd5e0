package hostnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
	"github.com/skycoin/viscript/apps/vpn/hostnet/journal"
	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
)

// Host is one VPN's hold on the network of its host. Safe for concurrent use.
type Host struct {
	cfg   Config
	lock  *os.File
	space uint64
	boot  string

	mu      sync.Mutex                  // guards the following, and everything that is done to the host
	done    plan                        // what the journal has
	planner func(h *Host) (plan, error) // of what is wanted now; nil: nothing is
	tun     string
	members map[string][]netip.Addr // of the sets of an exit's table
	inForce string                  // the text of the firewall table that we put in force last
	closed  bool
	warned  bool // of resolvers that are not ours

	afterStep func(n int) // tests stop here; nil
	older     string      // a setting that the kernel shall not have, for tests; "": none
}

// Open takes the journal of a state folder; one other process at a time may. What a crash left stays in force until
// Client or Server takes it over, or Undo.
func Open(cfg Config) (*Host, error) {
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = resolver.DefaultPath
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "hostnet")
	h := &Host{cfg: cfg}
	var err error
	if h.boot, h.space, err = identity(); err != nil {
		return nil, err
	}
	if h.lock, err = lockJournal(cfg.Dir); err != nil {
		return nil, err
	}
	if err := h.read(); err != nil {
		h.lock.Close()
		return nil, err
	}
	return h, nil
}

// read takes over what an earlier process did. After another boot, or from another network namespace, the kernel's part
// of it is out of reach or gone.
func (h *Host) read() error {
	j, there, err := journal.Read[step](h.cfg.Dir)
	if err != nil || !there {
		return err
	}
	gone := j.Boot != h.boot || j.Space != h.space
	for _, s := range j.Done {
		if s.Resolver != nil || !gone {
			h.done = append(h.done, s)
		}
	}
	h.cfg.Log.Warn("an earlier run did not undo what it changed on this host", "changes", len(h.done))
	if gone {
		return h.write(h.done)
	}
	return nil
}

// Client makes the host a VPN client's, or changes it to another configuration without a gap: what is wanted is done
// before what is not wanted any more is undone. After an error the host has a part of it: try again, or Undo.
func (h *Host) Client(ctx context.Context, c Client) error {
	if err := c.Check(); err != nil {
		return err
	}
	return h.want(ctx, c.Tun, func(h *Host) (plan, error) {
		at, err := h.look(c.Tun)
		if err != nil {
			return nil, err
		}
		if at.table, err = h.freeTable(c.Full); err != nil {
			return nil, err
		}
		if len(c.DNS) > 0 {
			err = h.lookResolvers(&at, c.DNS)
		}
		return planClient(c, at), err
	})
}

// Server makes the host an exit, or changes it.
func (h *Host) Server(ctx context.Context, s Server) error {
	if err := s.Check(); err != nil {
		return err
	}
	return h.want(ctx, s.Tun, func(h *Host) (plan, error) {
		at, err := h.look(s.Tun)
		if err != nil {
			return nil, err
		}
		return planServer(s, at), nil
	})
}

func (h *Host) want(ctx context.Context, tun string, planner func(*Host) (plan, error)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return os.ErrClosed
	}
	h.planner, h.tun = planner, tun
	return h.applyLocked(ctx)
}

// applyLocked makes the host what is wanted.
func (h *Host) applyLocked(ctx context.Context) error {
	wanted, err := h.planner(h)
	if err != nil {
		return err
	}
	stale := slices.DeleteFunc(slices.Clone(h.done), func(s step) bool { return wanted.has(s) })
	if err := h.write(append(slices.Clone(stale), wanted...)); err != nil {
		return err
	}
	for i, s := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := h.do(s); err != nil {
			return fmt.Errorf("%w; what was done is undone by: %s", err, DownCommand)
		}
		if h.afterStep != nil {
			h.afterStep(i)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	report := h.undo(stale)
	for _, text := range report.Left {
		h.cfg.Log.Warn("left alone", "what", text)
	}
	return report.Err()
}

// has tells whether the plan is about what s is about.
func (p plan) has(s step) bool {
	return slices.ContainsFunc(p, func(o step) bool { return o.key() == s.key() })
}

// write puts steps into the journal.
func (h *Host) write(steps plan) error {
	if err := journal.Write(h.cfg.Dir, journal.Journal[step]{Boot: h.boot, Space: h.space, Done: steps}); err != nil {
		return fmt.Errorf("writing down what changes on this host: %w", err)
	}
	h.done = steps
	return nil
}

// Undo makes the host what it was, and lets go of it. What could not be undone stays in the journal for [Down].
func (h *Host) Undo() (Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return Report{}, os.ErrClosed
	}
	report := h.undo(h.done)
	h.closeLocked()
	return report, report.Err()
}

// Leave lets go of the host as it is: a kill switch stays. Idempotent, and nothing after Undo.
func (h *Host) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closeLocked()
	}
}

func (h *Host) closeLocked() {
	h.closed, h.planner = true, nil
	h.lock.Close()
}

// undo takes steps back, the last first, and out of the journal.
func (h *Host) undo(steps plan) (r Report) {
	var failed plan
	for i, s := range slices.Backward(steps) {
		left, err := h.takeBack(s)
		switch {
		case err != nil:
			r.Failed = append(r.Failed, fmt.Sprintf("%s: %v", s, err))
			failed = append(failed, s)
		case left != "":
			r.Left = append(r.Left, left)
		default:
			r.Undone = append(r.Undone, s.String())
		}
		if h.afterStep != nil {
			h.afterStep(i)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(h.done), func(s step) bool {
		return plan(steps).has(s) && !failed.has(s)
	})
	if err := h.write(rest); err != nil {
		r.Failed = append(r.Failed, err.Error())
	}
	return r
}

// do makes one step; one that is made already is no error.
func (h *Host) do(s step) error {
	switch {
	case s.Setting != nil:
		return s.Setting.do()
	case s.Table != nil:
		return h.replace(s.Table.full)
	case s.Link != nil:
		return s.Link.Up()
	case s.Route != nil:
		return s.Route.Add()
	case s.Rule != nil:
		return s.Rule.Add()
	case s.Resolved != nil:
		return s.Resolved.Do()
	default:
		return s.Resolver.Do()
	}
}

// replace puts the table in force, unless it is: what it counts and remembers of clients stays then.
func (h *Host) replace(t firewall.Table) error {
	text := t.String()
	if text == h.inForce {
		if ok, err := t.Present(); err == nil && ok {
			return nil
		}
	}
	err := t.Replace(h.members)
	if err == nil {
		h.inForce = text
	}
	return err
}

// takeBack undoes one step; left says what others changed, so that it was not.
func (h *Host) takeBack(s step) (left string, err error) {
	var there bool
	switch {
	case s.Setting != nil:
		return s.Setting.undo()
	case s.Table != nil:
		there, err = firewall.Remove(s.Table.Name)
	case s.Link != nil:
		_, err = s.Link.Remove()
		return "", err // it may have gone with its process
	case s.Route != nil:
		there, err = s.Route.Remove()
		there = there || s.Route.Kind == route.Unicast // so may its routes
	case s.Rule != nil:
		there, err = s.Rule.Remove()
	case s.Resolver != nil:
		return s.Resolver.Undo()
	case s.Resolved != nil:
		return "", s.Resolved.Undo()
	default:
		return "", errors.New("a change of unknown kind: made by another version")
	}
	if err == nil && !there {
		left = s.key() + " was removed by somebody else, or never made"
	}
	return left, err
}

// present tells whether one step is in force.
func (h *Host) present(s step) (bool, error) {
	switch {
	case s.Setting != nil:
		now, ok := readSetting(s.Setting.Path)
		return !ok || now == s.Setting.Value, nil
	case s.Table != nil:
		return s.Table.full.Present()
	case s.Link != nil:
		return s.Link.Present()
	case s.Route != nil:
		return s.Route.Present()
	case s.Rule != nil:
		return s.Rule.Present()
	case s.Resolved != nil:
		return true, nil // it keeps what it was told while the interface lasts
	default:
		return s.Resolver.Present()
	}
}

// look takes the snapshot for a plan.
func (h *Host) look(tun string) (at snapshot, err error) {
	if at.uplinks, at.onLink, err = route.Uplinks(); err != nil {
		return at, err
	}
	at.uplinks = slices.DeleteFunc(at.uplinks, func(u route.Uplink) bool { return u.Dev == tun })
	at.settings = func(path string) (string, bool) {
		if h.older != "" && filepath.Base(path) == h.older {
			return "", false
		}
		now, ok := readSetting(path)
		for _, s := range h.done { // as it was before us
			if s.Setting != nil && s.Setting.Path == path && s.Setting.Value == now {
				return s.Setting.Before, ok
			}
		}
		return now, ok
	}
	return at, nil
}

// resolvConf is the file that we may change; false: the one here is that of another network, as a network namespace that was given
// none of its own sees the host's. Where the path is a link, a namespace's own file lies over what the link leads to, and the link is
// still the host's.
func (h *Host) resolvConf() (path string, ok bool) {
	path = h.cfg.ResolvConf
	if path != resolver.DefaultPath || !sharedWithHostAbove(path) {
		return path, true
	}
	if target, err := filepath.EvalSymlinks(path); err == nil && !sharedWithHostAbove(target) {
		return target, true
	}
	if !h.warned {
		h.warned = true
		h.cfg.Log.Warn("leaving the resolvers alone: they are those of another network namespace; give this one its own (/etc/netns/NAME/resolv.conf)", "what", h.cfg.ResolvConf)
	}
	return path, false
}

// lookResolvers adds to a snapshot how DNS would be set, if it can be.
func (h *Host) lookResolvers(at *snapshot, servers []netip.Addr) (err error) {
	path, ok := h.resolvConf()
	if !ok {
		return nil
	}
	_, guest := hostAbove() // the bus here is the host's, which numbers interfaces of its own
	at.resolved = !guest && resolver.Resolved() && path == resolver.DefaultPath
	at.resolver, err = h.planResolver(path, servers)
	return err
}

// planResolver says how DNS would be set by the file at path. What was there before us stays that, unless somebody wrote meanwhile.
func (h *Host) planResolver(path string, servers []netip.Addr) (*resolver.Change, error) {
	now, err := resolver.Plan(path, servers)
	if err != nil {
		return nil, fmt.Errorf("reading the host's resolvers: %w", err)
	}
	for _, s := range h.done {
		if s.Resolver == nil || s.Resolver.Path != now.Path {
			continue
		}
		if again, ok := s.Resolver.Renew(servers, now); ok {
			return &again, nil
		}
	}
	return &now, nil
}

// freeTable finds a routing table for us: the one we have, else one that nobody uses. Only one VPN of a host can have
// everything.
func (h *Host) freeTable(full bool) (int, error) {
	rules, err := route.Rules()
	if err != nil {
		return 0, err
	}
	ours := func(r route.Rule) bool { return h.done.has(step{Rule: &r}) }
	used := map[int]bool{}
	for _, r := range rules {
		if full && r.Specific && !ours(r) {
			return 0, fmt.Errorf("%w: stop it, or if it is none any more: %s", ErrBusy, DownCommand)
		}
		if ours(r) && r.Table != route.Main {
			return r.Table, nil
		}
		used[r.Table] = true
	}
	routes, err := route.Routes(0)
	if err != nil {
		return 0, err
	}
	for _, r := range routes {
		if h.done.has(step{Route: &r}) {
			return r.Table, nil
		}
		used[r.Table] = true
	}
	for n := FirstTable; n < FirstTable+maxTables; n++ {
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: %d VPN clients run already, or left their routes: %s", ErrBusy, maxTables, DownCommand)
}

// lockJournal makes sure that one process at a time has the journal of a folder.
func lockJournal(dir string) (*os.File, error) {
	path := filepath.Join(dir, journal.FileName+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("the VPN of %s is running: %w", dir, fs.ErrExist)
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}
