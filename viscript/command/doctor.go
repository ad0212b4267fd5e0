package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"

	"github.com/skycoin/viscript/signal"
)

// finding is one line of `doctor`.
type finding struct {
	OK   bool   `json:"ok"`
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"` // what to do about it
}

func good(format string, a ...any) finding { return finding{OK: true, What: fmt.Sprintf(format, a...)} }

func bad(fix, format string, a ...any) finding {
	return finding{What: fmt.Sprintf(format, a...), Fix: fix}
}

func doctor(ctx context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	all, err := c.Host.List(ctx)
	if err != nil {
		return err
	}
	found := slices.Concat(checkState(c.StateDir), checkConfig(c), checkPrograms(c.Config()),
		checkSignal(ctx, c.TCPAddr), checkPorts(ctx, c.Config(), all), checkLeftovers(c.StateDir, all), checkRun(ctx, c.StateDir, all),
		checkLimits(all), checkDisk(c.StateDir), checkStore(c.StateDir, all), checkClock(ctx, c), checkFailed(all))
	var rows [][]string
	problems := 0
	for _, f := range found {
		mark := "ok"
		if !f.OK {
			mark, problems = "problem", problems+1
		}
		rows = append(rows, []string{mark, f.What})
		if f.Fix != "" {
			rows = append(rows, []string{"", "  -> " + f.Fix})
		}
	}
	if err := c.answer(found, func(w io.Writer) { printTable(w, c.Columns, []string{"", ""}, rows) }); err != nil {
		return err
	}
	if problems > 0 {
		return fmt.Errorf("doctor: %d of %d checks found a problem", problems, len(found))
	}
	return nil
}

// checkState looks at the rights of the state folder and whether it can be written.
func checkState(dir string) []finding {
	info, err := os.Stat(dir)
	if err != nil {
		return []finding{bad("start the daemon with --state and a folder that can be made", "state folder: %v", err)}
	}
	var found []finding
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		found = append(found, bad("chmod 700 "+Quote(dir), "state folder %s is open to other users (%04o)", dir, mode))
	}
	if uid, ok := owner(info); ok && uid != os.Geteuid() {
		found = append(found, bad("use a state folder of your own (--state)", "state folder %s belongs to user %d", dir, uid))
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return append(found, bad("make room or rights, or use another --state", "state folder cannot be written: %v", err))
	}
	probe.Close()
	os.Remove(probe.Name())
	if len(found) == 0 {
		found = append(found, good("state folder %s", dir))
	}
	return found
}

func checkConfig(c *call) []finding {
	cfg := c.Config()
	if cfg.File == "" {
		return []finding{bad("viscript config example > config.yaml, then start the daemon there", "no config.yaml was found")}
	}
	if c.Check != nil {
		if err := c.Check(); err != nil {
			return []finding{bad("mend the file, then `reload`", "configuration: %v", err)}
		}
	}
	return []finding{good("configuration %s: %s, %s", cfg.File, Count(len(cfg.Apps), "app"), Count(len(cfg.Groups), "group"))}
}

func checkPrograms(cfg *Config) []finding {
	var found []finding
	for _, name := range sortedKeys(cfg.Apps) {
		if _, err := cfg.resolve(cfg.Apps[name]); err != nil {
			found = append(found, bad("build or install it, or change its path in "+cfg.File, "%v", err))
		}
	}
	if len(found) == 0 && len(cfg.Apps) > 0 {
		found = append(found, good("the programs of all apps are there"))
	}
	return found
}

// checkSignal dials the daemon's own port for programs.
func checkSignal(ctx context.Context, addr string) []finding {
	if addr == "" {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return []finding{bad("start the daemon anew, with another --signal if need be", "signal port: %v", err)}
	}
	conn.Close()
	return []finding{good("signal port %s answers", addr)}
}

// checkPorts tries the loopback addresses named in the arguments of groups that do not run.
func checkPorts(ctx context.Context, cfg *Config, all []signal.App) []finding {
	var found []finding
	for _, name := range sortedKeys(cfg.Groups) {
		g := cfg.Groups[name]
		if running(g, all) {
			continue
		}
		busy := busyPorts(ctx, cfg, g)
		for _, p := range busy {
			found = append(found, bad("end what uses it, or change the port in "+cfg.File, "group %s names %s, which is in use", name, p))
		}
		if len(busy) == 0 {
			found = append(found, good("group %s: its ports are free", name))
		}
	}
	return found
}

func running(g Group, all []signal.App) bool {
	return slices.ContainsFunc(all, func(a signal.App) bool {
		return live(a) && slices.ContainsFunc(g.Members, func(m Member) bool { return m.App == a.App })
	})
}

func busyPorts(ctx context.Context, cfg *Config, g Group) []string {
	var busy []string
	tried := map[netip.AddrPort]bool{}
	for _, m := range g.Members {
		args := m.Args
		if args == nil {
			args = cfg.Apps[m.App].DefaultArgs
		}
		for _, a := range args {
			addr, err := netip.ParseAddrPort(a)
			if err != nil || !addr.Addr().IsLoopback() || addr.Port() == 0 || tried[addr] {
				continue
			}
			tried[addr] = true
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
			if errors.Is(err, syscall.EADDRINUSE) {
				busy = append(busy, addr.String())
			}
			if err == nil {
				l.Close()
			}
		}
	}
	return busy
}

// tokenFile is a token in the run folder of the signal server: ID.token.
var tokenFile = regexp.MustCompile(`^([0-9]+)\.token$`)

// checkLeftovers looks for tokens of apps that have ended.
func checkLeftovers(dir string, all []signal.App) []finding {
	entries, err := os.ReadDir(filepath.Join(dir, "run"))
	if err != nil {
		return nil // no app was started yet
	}
	alive := map[string]bool{}
	for _, a := range all {
		if live(a) {
			alive[strconv.FormatUint(uint64(a.ID), 10)] = true
		}
	}
	var found []finding
	for _, e := range entries {
		if m := tokenFile.FindStringSubmatch(e.Name()); m != nil && !alive[m[1]] {
			path := filepath.Join(dir, "run", e.Name())
			found = append(found, bad("rm "+Quote(path), "%s is left over from an app that has ended", path))
		}
	}
	if len(found) == 0 {
		found = append(found, good("nothing is left over of ended apps"))
	}
	return found
}

func checkFailed(all []signal.App) []finding {
	var found []finding
	for _, a := range all {
		switch a.State {
		case signal.Failed:
			found = append(found, bad(fmt.Sprintf("why %d", a.ID), "app %d (%s) failed: %s", a.ID, nameOf(a), a.Reason))
		case signal.Unreachable:
			found = append(found, bad(fmt.Sprintf("restart %d", a.ID), "app %d (%s) runs but does not answer", a.ID, nameOf(a)))
		}
	}
	if len(found) == 0 {
		found = append(found, good("no app has failed"))
	}
	return found
}
