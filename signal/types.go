package signal

import (
	"context"
	"encoding/json"
	"time"
)

// ID is the number of a started app: counted up from 1, never reused, also not after a restart.
type ID uint64

// State of an app in the table.
type State string

// The states. Starting lasts until the child reported ready (or, for a program that does
// not speak signal, for a moment); Unreachable is a running child whose connection is gone.
// Waiting has no process and will have one: it is between two restarts. Unverified cannot be
// told from a stranger that has its number by now, and is never signalled.
const (
	Starting    State = "starting"
	Running     State = "running"
	Ready       State = "ready"
	Unreachable State = "unreachable"
	Waiting     State = "waiting"
	Unverified  State = "unverified"
	Stopping    State = "stopping"
	Exited      State = "exited"
	Failed      State = "failed"
)

// StartRequest asks the signal server to start a child. Paths are absolute and the
// arguments final: names, defaults and relative paths are the console's business.
type StartRequest struct {
	App  string            `json:"app"`
	Path string            `json:"path"`
	Args []string          `json:"args"`
	Dir  string            `json:"dir,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
	// Daemon apps are never attached to a terminal and go on when the daemon ends. Like the
	// Policy below it may change while the app runs.
	Daemon bool `json:"daemon,omitempty"`
	// EnvFiles are read at every start, in order; what Env names counts more than what they do.
	EnvFiles []string `json:"env_files,omitempty"`
	User     string   `json:"user,omitempty"` // NAME, UID, NAME:GROUP or UID:GID; empty: the daemon's own. Only root may name another
	Pty      bool     `json:"pty,omitempty"`  // a terminal of its own in place of pipes
	Limits   Limits   `json:"limits,omitzero"`

	// Where the request comes from, for those who compare it with a configuration. Configured:
	// an app of config.yaml; Group and Member: as which member `up` started it; Typed: with
	// arguments that a person typed.
	Configured bool   `json:"configured,omitempty"`
	Group      string `json:"group,omitempty"`
	Member     string `json:"member,omitempty"`
	Typed      bool   `json:"typed,omitempty"`

	Policy
}

// App is one row of the table of apps.
type App struct {
	ID       ID         `json:"id"`
	App      string     `json:"app"`
	Pid      int        `json:"pid"` // 0 when it does not run
	State    State      `json:"state"`
	Command  string     `json:"command"` // path and arguments, quoted where a shell would want it
	Started  time.Time  `json:"started"`
	Ended    *time.Time `json:"ended,omitempty"`
	ExitCode *int       `json:"exit_code,omitempty"` // 128+n when signal n ended it
	Reason   string     `json:"reason,omitempty"`    // why it ended or failed, in words
	Signal   bool       `json:"signal"`              // it registered as a signal client
	Status   string     `json:"status,omitempty"`    // the last status line it sent
	Log      string     `json:"log"`                 // path of its output log

	Restarts   int        `json:"restarts,omitempty"`    // starts after the first one that a policy made
	NextStart  *time.Time `json:"next_start,omitempty"`  // when the policy starts it again
	WaitsFor   string     `json:"waits_for,omitempty"`   // what it waits for, in words: "ready of app 3 (nodemanager)"
	LogDropped uint64     `json:"log_dropped,omitempty"` // bytes of output lost because the disk was full or slow
	Group      string     `json:"group,omitempty"`       // as in its StartRequest
	Member     string     `json:"member,omitempty"`
	Health     Health     `json:"health,omitempty"`
	Down       bool       `json:"down,omitempty"`    // it was stopped by request and stays down
	Limits     string     `json:"limits,omitempty"`  // in words: which limits hold, and by what
	Words      []Command  `json:"words,omitempty"`   // commands it offers as words of the console, at most MaxWords; while it is registered
	Private    bool       `json:"private,omitempty"` // what it is told is not to be recorded
}

// Health is what the health probe of an app last found; empty: none, or not known yet.
type Health string

// What a health probe finds.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// Usage is what `res_usage` shows: the kernel's word on the whole process tree, and, from
// a signal client, the app's own. Sizes in bytes; CPU percent of one core since the last question (or the start).
type Usage struct {
	ID             ID      `json:"id"`
	Pid            int     `json:"pid"`
	Processes      int     `json:"processes"`
	Threads        int     `json:"threads"`
	RSSBytes       uint64  `json:"rss_bytes"`
	PeakRSSBytes   uint64  `json:"peak_rss_bytes"`
	VirtualBytes   uint64  `json:"virtual_bytes"`
	CPUPercent     float64 `json:"cpu_percent"`
	CPUSeconds     float64 `json:"cpu_seconds"`
	ReadBytes      uint64  `json:"read_bytes"`
	WrittenBytes   uint64  `json:"written_bytes"`
	OpenFiles      int     `json:"open_files"`
	UptimeSeconds  float64 `json:"uptime_seconds"`
	VolSwitches    uint64  `json:"voluntary_switches"`
	InvolSwitches  uint64  `json:"involuntary_switches"`
	Goroutines     int     `json:"goroutines"` // 0 when the app does not tell
	HeapBytes      uint64  `json:"heap_bytes"`
	HeapObjects    uint64  `json:"heap_objects"`
	GCRuns         uint64  `json:"gc_runs"`
	GCPauseSeconds float64 `json:"gc_pause_seconds"`

	Tree []ProcessUsage `json:"tree,omitempty"` // parents before their children; at most MaxTree
}

// MaxTree is how many processes Usage.Tree names.
const MaxTree = 64

// ProcessUsage is one process of an app's tree. Sizes in bytes; CPUSeconds since its start.
type ProcessUsage struct {
	Pid        int     `json:"pid"`
	Parent     int     `json:"parent"`
	Name       string  `json:"name"` // as the kernel has it, at most 15 bytes
	Threads    int     `json:"threads"`
	RSSBytes   uint64  `json:"rss_bytes"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// Rung of the stop ladder that ended an app.
type Rung string

// The rungs, in order. RungGone: it had ended before.
const (
	RungGone     Rung = "gone"
	RungShutdown Rung = "shutdown"
	RungTerm     Rung = "term"
	RungKill     Rung = "kill"
)

// StopReport is the outcome of a stop.
type StopReport struct {
	ID        ID    `json:"id"`
	Pid       int   `json:"pid"`
	Rung      Rung  `json:"rung"`
	ExitCode  int   `json:"exit_code"`
	Survivors []int `json:"survivors,omitempty"` // pids that outlived SIGKILL (uninterruptible sleep)
}

// PingReport is the outcome of a ping.
type PingReport struct {
	ID    ID      `json:"id"`
	RTTms float64 `json:"rtt_ms"`
}

// Event is one entry of the stream of what happened. Seq counts up from 1 in one state folder.
type Event struct {
	Seq    uint64          `json:"seq"`
	Time   time.Time       `json:"time"`
	ID     ID              `json:"id,omitempty"`
	App    string          `json:"app,omitempty"`
	Kind   string          `json:"kind"` // started registered ready status exited failed stopped refused app
	Text   string          `json:"text"`
	Fields json.RawMessage `json:"fields,omitempty"` // of an app's own event
}

// Command is something an app can be told from the console: `tell ID NAME ARGS`.
type Command struct {
	Name string `json:"name"`
	Args string `json:"args,omitempty"` // how to write the arguments, for help
	Help string `json:"help"`
	// Word offers the command as a word of the console, `NAME ARGS` in place of `tell ID NAME ARGS`: at most MaxWords of one
	// app, of lower-case letters, digits, - and _, beginning with a letter. The console's own words are never replaced.
	Word bool `json:"word,omitempty"`
	// Names is another command of the app, which takes no arguments and answers with a list of strings: what the first
	// argument of this one may be, for completion. Empty: not known.
	Names string `json:"names,omitempty"`
	// Rest, where it is not 0: of a line typed with the word, this argument, counted from 1, is all that follows, as it was typed.
	Rest int `json:"rest,omitempty"`
	// Run answers with any value that encodes as JSON; a string is shown as it is, a struct or slice
	// as a table. It is called on its own goroutine; ctx ends at the caller's deadline.
	Run func(ctx context.Context, args []string) (any, error) `json:"-"`
}
