package metrics

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	// askedAtOnce bounds the apps that are measured at once.
	askedAtOnce = 16
	// maxFailed bounds the ended apps that are told one by one: those that failed, the newest ones.
	maxFailed = 100
)

// Host is the signal server whose apps are measured.
type Host interface {
	List(ctx context.Context) ([]signal.App, error)
	Usage(ctx context.Context, id signal.ID) (signal.Usage, error)
}

var states = []signal.State{
	signal.Starting, signal.Running, signal.Ready, signal.Unreachable, signal.Waiting, signal.Unverified,
	signal.Stopping, signal.Exited, signal.Failed,
}

// gather writes all there is to tell. An app that cannot be measured is told without its usage.
func (s *Server) gather(ctx context.Context) (*text, error) {
	began := time.Now()
	all, err := s.cfg.Host.List(ctx)
	if err != nil {
		return nil, err
	}
	t := &text{}
	writeStates(t, all)
	told := worthTelling(all)
	usage, failed := s.measure(ctx, told)
	writeApps(t, told)
	writeUsage(t, told, usage)
	t.family("viscript_build_info", gauge, "1, with the version of the daemon.")
	t.sample("viscript_build_info", 1, "version", s.cfg.Version, "go", runtime.Version())
	writeSelf(t)
	t.one("viscript_scrape_failures", gauge, "Apps that could not be measured for this answer.", float64(failed))
	t.one("viscript_scrape_seconds", gauge, "Time it took to gather this answer.", time.Since(began).Seconds())
	return t, nil
}

// worthTelling are the apps that run or will, and the last that failed.
func worthTelling(all []signal.App) []signal.App {
	var live, failed []signal.App
	for _, a := range all {
		switch a.State {
		case signal.Exited:
		case signal.Failed:
			failed = append(failed, a)
		default:
			live = append(live, a)
		}
	}
	return append(live, failed[max(0, len(failed)-maxFailed):]...)
}

// measure asks for the usage of the apps that have a process; nil where it was not had.
func (s *Server) measure(ctx context.Context, apps []signal.App) (usage []*signal.Usage, failed int) {
	usage = make([]*signal.Usage, len(apps))
	errs := make([]error, len(apps))
	slots := make(chan struct{}, askedAtOnce)
	var work sync.WaitGroup
	for i, a := range apps {
		if a.Pid == 0 {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			var u signal.Usage
			if u, errs[i] = s.cfg.Host.Usage(ctx, a.ID); errs[i] == nil {
				usage[i] = &u
			}
		})
	}
	work.Wait()
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	return usage, failed
}

func writeStates(t *text, all []signal.App) {
	count := map[signal.State]int{}
	for _, a := range all {
		count[a.State]++
	}
	t.family("viscript_apps", gauge, "Apps in the table by state.")
	for _, s := range states {
		t.sample("viscript_apps", float64(count[s]), "state", string(s))
	}
}

func writeApps(t *text, apps []signal.App) {
	write := func(name, kind, help string, value func(signal.App) (float64, bool), more func(signal.App) []string) {
		t.family(name, kind, help)
		for _, a := range apps {
			if v, ok := value(a); ok {
				labels := labels(a)
				if more != nil {
					labels = append(labels, more(a)...)
				}
				t.sample(name, v, labels...)
			}
		}
	}
	write("viscript_app_state", gauge, "1, with the state the app is in.",
		func(signal.App) (float64, bool) { return 1, true },
		func(a signal.App) []string { return []string{"state", string(a.State)} })
	write("viscript_app_up", gauge, "1 while the app has a process.",
		func(a signal.App) (float64, bool) {
			if a.Pid != 0 {
				return 1, true
			}
			return 0, true
		}, nil)
	write("viscript_app_start_time_seconds", gauge, "Start of the app, Unix time.",
		func(a signal.App) (float64, bool) { return unix(a.Started), !a.Started.IsZero() }, nil)
	write("viscript_app_restarts_total", counter, "Starts after the first one that the restart policy made.",
		func(a signal.App) (float64, bool) { return float64(a.Restarts), true }, nil)
	write("viscript_app_log_dropped_bytes_total", counter, "Output lost because the disk was full or slow.",
		func(a signal.App) (float64, bool) { return float64(a.LogDropped), true }, nil)
	write("viscript_app_exit_code", gauge, "Exit code of an app that failed; 128+n when signal n ended it.",
		func(a signal.App) (float64, bool) {
			if a.ExitCode == nil {
				return 0, false
			}
			return float64(*a.ExitCode), true
		}, nil)
}

func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func labels(a signal.App) []string {
	return []string{"id", strconv.FormatUint(uint64(a.ID), 10), "app", a.App}
}

func writeUsage(t *text, apps []signal.App, usage []*signal.Usage) {
	write := func(name, kind, help string, value func(*signal.Usage) float64) {
		t.family(name, kind, help)
		for i, u := range usage {
			if u != nil {
				t.sample(name, value(u), labels(apps[i])...)
			}
		}
	}
	write("viscript_app_cpu_seconds_total", counter, "CPU time of the app's processes.", func(u *signal.Usage) float64 { return u.CPUSeconds })
	write("viscript_app_resident_memory_bytes", gauge, "Memory of the app's processes.", func(u *signal.Usage) float64 { return float64(u.RSSBytes) })
	write("viscript_app_processes", gauge, "Processes of the app.", func(u *signal.Usage) float64 { return float64(u.Processes) })
	write("viscript_app_threads", gauge, "Threads of the app's processes.", func(u *signal.Usage) float64 { return float64(u.Threads) })
	write("viscript_app_open_files", gauge, "Open files of the app's processes.", func(u *signal.Usage) float64 { return float64(u.OpenFiles) })
	write("viscript_app_read_bytes_total", counter, "Bytes the app's processes have read.", func(u *signal.Usage) float64 { return float64(u.ReadBytes) })
	write("viscript_app_written_bytes_total", counter, "Bytes the app's processes have written.", func(u *signal.Usage) float64 { return float64(u.WrittenBytes) })
}

// writeSelf tells of the daemon's own process; what the system does not tell is left out.
func writeSelf(t *text) {
	t.one("go_goroutines", gauge, "Goroutines of the daemon.", float64(runtime.NumGoroutine()))
	sample := []rtmetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	rtmetrics.Read(sample)
	for i, name := range []string{"go_heap_objects_bytes", "go_memory_bytes"} {
		if sample[i].Value.Kind() == rtmetrics.KindUint64 {
			help := "Memory in live and not yet swept objects."
			if i == 1 {
				help = "Memory mapped by the Go runtime."
			}
			t.one(name, gauge, help, float64(sample[i].Value.Uint64()))
		}
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	t.one("go_gc_runs_total", counter, "Runs of the garbage collector.", float64(gc.NumGC))
	if rss, ok := ownPages(); ok {
		t.one("process_resident_memory_bytes", gauge, "Resident memory of the daemon.", rss)
	}
	if cpu, ok := ownCPU(); ok {
		t.one("process_cpu_seconds_total", counter, "CPU time of the daemon.", cpu)
	}
	if dir, err := os.ReadDir("/proc/self/fd"); err == nil {
		t.one("process_open_fds", gauge, "Open descriptors of the daemon.", float64(len(dir)))
	}
}

// ownPages reads resident memory in bytes, proc(5).
func ownPages() (float64, bool) {
	line, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(line))
	if err != nil || len(f) < 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[1], 10, 64)
	return float64(n) * float64(os.Getpagesize()), err == nil
}

// ownCPU reads user and system time in seconds, proc(5): fields 14 and 15, in ticks of 10 ms.
func ownCPU() (float64, bool) {
	line, err := os.ReadFile("/proc/self/stat")
	f := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	if err != nil || len(f) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseUint(f[11], 10, 64)
	system, err2 := strconv.ParseUint(f[12], 10, 64)
	return float64(user+system) / 100, err1 == nil && err2 == nil
}
