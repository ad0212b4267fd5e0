package signal

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that travels as text, 1m30s.
type Duration time.Duration

// MaxDuration bounds every duration of a policy.
const MaxDuration = Duration(365 * 24 * time.Hour)

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the form that time.ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText refuses what is negative or above MaxDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 || Duration(v) > MaxDuration {
		return fmt.Errorf("duration %.40q: allowed: 0s to %v, as 500ms, 2s or 1m30s", text, time.Duration(MaxDuration))
	}
	*d = Duration(v)
	return nil
}

// Policy is what may change of an app while it runs: how it is watched, kept and stopped.
// The zero value keeps nothing: what ends stays down.
type Policy struct {
	Autostart bool     `json:"autostart,omitempty"` // start with the daemon, unless it was stopped by request before
	Restart   Restart  `json:"restart,omitempty"`   // empty: no
	Backoff   Backoff  `json:"backoff,omitzero"`
	Breaker   Breaker  `json:"breaker,omitzero"`
	StopAfter Duration `json:"stop_timeout,omitempty"` // for each polite rung of the stop ladder; 0: the server's own
	// StopSignal is sent in place of SIGTERM; empty: SIGTERM.
	StopSignal string       `json:"stop_signal,omitempty"`
	DependsOn  []Dependency `json:"depends_on,omitempty"` // in the order of the file; nil when there are none
	Ready      *Probe       `json:"ready,omitempty"`      // nil: registration, or for others being alive for a moment
	Health     *Probe       `json:"health,omitempty"`     // nil: not watched
	Log        LogCaps      `json:"log,omitzero"`
}

// Restart says after which ends an app is started again.
type Restart string

// The policies. OnFailure: an exit code other than 0, a signal, or failing health.
const (
	RestartNo        Restart = "no"
	RestartOnFailure Restart = "on-failure"
	RestartAlways    Restart = "always"
)

// Restarts lists the policies.
func Restarts() []Restart { return []Restart{RestartNo, RestartOnFailure, RestartAlways} }

// Backoff is the pause before a restart: Min, doubled each time up to Max, varied by a
// fifth. It begins anew once a run has lasted ten times the pause before it. Zero: 1 s and 60 s.
type Backoff struct {
	Min Duration `json:"min,omitempty"`
	Max Duration `json:"max,omitempty"`
}

// Defaults of a Backoff.
const (
	DefaultBackoffMin = Duration(time.Second)
	DefaultBackoffMax = Duration(time.Minute)
)

// OrDefault fills in what is zero. A Min above the default Max raises Max.
func (b Backoff) OrDefault() Backoff {
	if b.Min <= 0 {
		b.Min = DefaultBackoffMin
		if b.Max > 0 {
			b.Min = min(b.Min, b.Max)
		}
	}
	if b.Max <= 0 {
		b.Max = max(DefaultBackoffMax, b.Min)
	}
	return b
}

// Breaker ends restarting after Starts starts within Window. Starts zero: never.
type Breaker struct {
	Starts int      `json:"starts,omitempty"`
	Window Duration `json:"window,omitempty"`
}

// MaxBreakerStarts bounds Breaker.Starts.
const MaxBreakerStarts = 1000

// Reach is the longest time that b.Starts starts can take when each run ends at once: with a shorter
// Window the breaker never opens.
func (b Breaker) Reach(pause Backoff) Duration {
	pause = pause.OrDefault()
	var sum Duration
	for p, n := pause.Min, 1; n < b.Starts && sum <= MaxDuration; n++ {
		sum += p + p/5
		p = min(2*p, pause.Max)
	}
	return sum
}

// Condition is what an app waits for in one that it depends on.
type Condition string

// The conditions. Exited: it has ended with exit code 0.
const (
	OnStarted Condition = "started"
	OnReady   Condition = "ready"
	OnHealthy Condition = "healthy"
	OnExited  Condition = "exited"
)

// Conditions lists them.
func Conditions() []Condition { return []Condition{OnStarted, OnReady, OnHealthy, OnExited} }

// Dependency names an app that must have met a condition first.
type Dependency struct {
	App string    `json:"app"`
	On  Condition `json:"on"`
}

func (d Dependency) String() string {
	if d.On == OnReady {
		return d.App
	}
	return d.App + " (" + string(d.On) + ")"
}

// Probe is one way to find out whether an app is ready or healthy; exactly one of the first
// five is set. What is zero below them has a default.
type Probe struct {
	Signal  bool     `json:"signal,omitempty"`  // ready: it said so over signal; health: it answers a ping
	TCP     string   `json:"tcp,omitempty"`     // HOST:PORT that takes a connection
	HTTP    string   `json:"http,omitempty"`    // URL that answers a GET with status 2xx or 3xx; redirects are not followed
	Command []string `json:"command,omitempty"` // program and arguments that exit with code 0; no shell
	Log     string   `json:"log,omitempty"`     // regular expression that a new line of the log matches; not for health

	Interval  Duration `json:"interval,omitempty"`  // between two tries; ready: 500 ms, health: 10 s
	Timeout   Duration `json:"timeout,omitempty"`   // of one try, 2 s
	Threshold int      `json:"threshold,omitempty"` // ready: successes in a row, 1; health: failures in a row that make it unhealthy, 3
	Within    Duration `json:"within,omitempty"`    // ready: how long `up` waits for it, 15 s
}

// String names what is looked at.
func (p *Probe) String() string {
	switch {
	case p == nil:
		return ""
	case p.TCP != "":
		return "tcp " + p.TCP
	case p.HTTP != "":
		return "http " + p.HTTP
	case len(p.Command) > 0:
		return "command " + p.Command[0]
	case p.Log != "":
		return fmt.Sprintf("log %q", p.Log)
	}
	return "signal"
}

// Limits of probes.
const (
	MinProbeInterval  = Duration(50 * time.Millisecond)
	MaxProbeThreshold = 100
	MaxProbePattern   = 1 << 10 // bytes
)

// LogCaps bound what is kept of an app's output. Zero: 10 MiB and 5 files.
type LogCaps struct {
	Size  uint64 `json:"size,omitempty"`  // bytes of one file
	Count int    `json:"count,omitempty"` // files, the current one included
}

// Bounds and defaults of LogCaps.
const (
	MinLogSize      = 4 << 10
	MaxLogSize      = 1 << 40
	MaxLogCount     = 100
	DefaultLogSize  = 10 << 20
	DefaultLogCount = 5
)

// OrDefault fills in what is zero.
func (l LogCaps) OrDefault() LogCaps {
	if l.Size == 0 {
		l.Size = DefaultLogSize
	}
	if l.Count == 0 {
		l.Count = DefaultLogCount
	}
	return l
}

// Limits bound what an app may use; zero: no bound. Memory, CPU and Pids hold for the whole
// tree where the daemon has a delegated cgroup, else as far as resource limits of single
// processes can hold them.
type Limits struct {
	Memory uint64  `json:"memory,omitempty"` // bytes
	CPU    float64 `json:"cpu,omitempty"`    // cores: 1.5 is one and a half
	Pids   uint64  `json:"pids,omitempty"`   // processes and threads
	Files  uint64  `json:"files,omitempty"`  // open files of each process
}

func (l Limits) String() string {
	var words []string
	if l.Memory > 0 {
		words = append(words, "memory "+SizeText(l.Memory))
	}
	if l.CPU > 0 {
		words = append(words, fmt.Sprintf("cpu %g cores", l.CPU))
	}
	if l.Pids > 0 {
		words = append(words, fmt.Sprintf("pids %d", l.Pids))
	}
	if l.Files > 0 {
		words = append(words, fmt.Sprintf("files %d", l.Files))
	}
	return strings.Join(words, ", ")
}

// SizeText writes bytes exactly, with the largest binary unit that allows it: 64MiB.
func SizeText(n uint64) string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := uint64(1) << (40 - 10*i); n >= size && n%size == 0 {
			return fmt.Sprintf("%d%s", n/size, unit)
		}
	}
	return fmt.Sprint(n)
}

// Bounds of Limits.
const (
	MinMemory = 1 << 20
	MaxMemory = 1 << 50
	MinCPU    = 0.01
	MaxCPU    = 4096
	MaxPids   = 1 << 22 // PID_MAX_LIMIT of Linux
	MinFiles  = 8
	MaxFiles  = 1 << 30
)

// Check tells what is wrong with a policy; nil: nothing. Signal names are not looked up.
func (p Policy) Check() error {
	if p.Restart != "" && !slices.Contains(Restarts(), p.Restart) {
		return fmt.Errorf("restart %.40q: allowed: no, on-failure, always", string(p.Restart))
	}
	for _, d := range []Duration{p.Backoff.Min, p.Backoff.Max, p.Breaker.Window, p.StopAfter} {
		if d < 0 || d > MaxDuration {
			return fmt.Errorf("duration %v: allowed: 0s to %v", d, MaxDuration)
		}
	}
	if b := p.Backoff.OrDefault(); b.Min > b.Max {
		return fmt.Errorf("backoff: min %v is above max %v", b.Min, b.Max)
	}
	if err := p.Breaker.check(p.Backoff); err != nil {
		return err
	}
	if p.Log.Count < 0 || p.Log.Count > MaxLogCount || p.Log.Size != 0 && (p.Log.Size < MinLogSize || p.Log.Size > MaxLogSize) {
		return fmt.Errorf("log: %d files of %d bytes: allowed: 1 to %d files of %d to %d bytes", p.Log.Count, p.Log.Size, MaxLogCount, MinLogSize, MaxLogSize)
	}
	for _, d := range p.DependsOn {
		if d.App == "" || !slices.Contains(Conditions(), d.On) {
			return fmt.Errorf("depends_on: %.64q %.40q: allowed: an app and started, ready, healthy or exited", d.App, string(d.On))
		}
	}
	if p.Ready != nil {
		if err := p.Ready.Check(); err != nil {
			return fmt.Errorf("ready: %w", err)
		}
	}
	if p.Health != nil {
		if p.Health.Log != "" || p.Health.Within != 0 {
			return errors.New("health: log and within are for ready only")
		}
		if err := p.Health.Check(); err != nil {
			return fmt.Errorf("health: %w", err)
		}
	}
	return nil
}

func (b Breaker) check(pause Backoff) error {
	if b.Starts < 0 || b.Starts > MaxBreakerStarts {
		return fmt.Errorf("breaker: starts %d: allowed: 0 (never) to %d", b.Starts, MaxBreakerStarts)
	}
	if b.Starts > 0 && b.Window < b.Reach(pause) {
		return fmt.Errorf("breaker: window %v: with this backoff %d starts take up to %v; allowed: at least that", b.Window, b.Starts, b.Reach(pause))
	}
	return nil
}

// Check tells what is wrong with a probe.
func (p Probe) Check() error {
	ways := 0
	for _, set := range []bool{p.Signal, p.TCP != "", p.HTTP != "", len(p.Command) > 0, p.Log != ""} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("%d of signal, tcp, http, command and log are given; allowed: exactly one", ways)
	}
	if p.HTTP != "" {
		if u, err := url.Parse(p.HTTP); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return fmt.Errorf("http %.80q: allowed: http://HOST[:PORT]/PATH or https://", p.HTTP)
		}
	}
	if p.TCP != "" && !isHostPort(p.TCP) {
		return fmt.Errorf("tcp %.80q: allowed: HOST:PORT", p.TCP)
	}
	if _, err := regexp.Compile(p.Log); err != nil || len(p.Log) > MaxProbePattern {
		return fmt.Errorf("log %.80q: allowed: a regular expression (RE2) of at most %d bytes", p.Log, MaxProbePattern)
	}
	if len(p.Command) > 0 && (p.Command[0] == "" || slices.ContainsFunc(p.Command, func(a string) bool { return strings.ContainsRune(a, 0) })) {
		return errors.New("command: allowed: a program and its arguments")
	}
	for _, d := range []Duration{p.Interval, p.Timeout} {
		if d != 0 && d < MinProbeInterval || d > MaxDuration {
			return fmt.Errorf("duration %v: allowed: %v to %v", d, MinProbeInterval, MaxDuration)
		}
	}
	if p.Within < 0 || p.Within > MaxDuration {
		return fmt.Errorf("within %v: allowed: 0s to %v", p.Within, MaxDuration)
	}
	if p.Threshold < 0 || p.Threshold > MaxProbeThreshold {
		return fmt.Errorf("threshold %d: allowed: 1 to %d", p.Threshold, MaxProbeThreshold)
	}
	return nil
}

// Check tells what is wrong with limits.
func (l Limits) Check() error {
	switch {
	case l.Memory != 0 && (l.Memory < MinMemory || l.Memory > MaxMemory):
		return fmt.Errorf("limits: memory %d: allowed: %d to %d bytes", l.Memory, uint64(MinMemory), uint64(MaxMemory))
	case l.CPU != 0 && !(l.CPU >= MinCPU && l.CPU <= MaxCPU):
		return fmt.Errorf("limits: cpu %g: allowed: %g to %d cores", l.CPU, MinCPU, MaxCPU)
	case l.Pids > MaxPids:
		return fmt.Errorf("limits: pids %d: allowed: 1 to %d", l.Pids, MaxPids)
	case l.Files != 0 && (l.Files < MinFiles || l.Files > MaxFiles):
		return fmt.Errorf("limits: files %d: allowed: %d to %d", l.Files, MinFiles, MaxFiles)
	}
	return nil
}

func isHostPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && host != "" && n > 0
}
