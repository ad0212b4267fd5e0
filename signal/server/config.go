//go:build linux

package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Config is what a Server is made of.
type Config struct {
	// Dir is the state folder. It is made with mode 0700 when it is not there.
	Dir string
	// TCPAddr is where apps may connect that know the variables of 2017, HOST:PORT on a
	// loopback address; port 0 chooses one; empty: no TCP.
	TCPAddr string
	// Exec runs a console command for an operator and returns its exit code; nil: operators
	// get CodeUnavailable. ctx ends when the operator goes away.
	Exec func(ctx context.Context, r signal.ExecRequest, stdout, stderr io.Writer) int
	// Window serves an operator's connection as a window; nil: operators get CodeUnavailable. peer is
	// for telling and asking.
	Window func(p signal.WindowParams, peer *signal.Peer) (Window, error)
	// Env is added to the daemon's own environment for every child, KEY=VALUE.
	Env []string
	// Speaks tells which apps are known to register: these are not taken for running
	// before they have; of others Limits.Alive decides. nil: those whose program is the
	// daemon's own executable, as a role of it is.
	Speaks func(signal.StartRequest) bool
	// Ladder is how long each rung of a stop may take; zero: five seconds each.
	Ladder process.Ladder
	// StopAllOnExit: apps that were started as daemons end with the server too.
	StopAllOnExit bool
	// Reexec is called when an operator wants the daemon to start itself anew; it agrees at
	// once and acts later, by Handover. nil: operators get CodeUnavailable.
	Reexec func() error
	// Inherited is what the program that this one replaces has handed over; zero: nothing.
	Inherited Handed
	// Keeper is a command that runs process.Keep; nil: this executable with the argument keep.
	Keeper []string
	// Cgroup is the folder of a cgroup of version 2 that was delegated to the daemon, below which
	// apps with limits get cgroups of their own; empty, or one that cannot be used: limits
	// hold as resource limits, as far as those go.
	Cgroup string
	// Audit is told what operators ask; nil: nobody.
	Audit Audit
	// Log takes the server's own doings; nil: nobody.
	Log *slog.Logger
	// Limits that are zero have their defaults.
	Limits Limits
}

// A Window serves what an operator says and asks about terminals.
type Window interface {
	// Run tells what happens, until ctx ends or nothing will any more.
	Run(ctx context.Context) error
	// Ask answers a request, on a goroutine of its own.
	Ask(ctx context.Context, method string, params json.RawMessage) (any, error)
	// Say takes a notification. It runs on the goroutine that reads the connection and does not block.
	Say(method string, params json.RawMessage)
}

// Limits bound what others can make the server hold, and for how long they can make it wait.
type Limits struct {
	Connections int           // open at once, 4096
	Strangers   int           // of them, those that have not said who they are, 64; one more ends the oldest
	Operators   int           // 128
	Requests    int           // under way on one connection, 16
	Apps        int           // running at once, 4096
	History     int           // ended apps that stay in the table, 1000
	Greeting    time.Duration // to registration or the first operator request, 5 s
	Ping        time.Duration // 2 s
	Top         time.Duration // 2 s
	Command     time.Duration // 30 s
	Write       time.Duration // for one frame to an app, 5 s
	Alive       time.Duration // after which a program that does not register is taken for running, 1 s
	Answers     time.Duration // for what was asked before the end to be answered, 2 s
}

func (l *Limits) setDefaults() {
	def(&l.Connections, 4096)
	def(&l.Strangers, 64)
	def(&l.Operators, 128)
	def(&l.Requests, 16)
	def(&l.Apps, 4096)
	def(&l.History, 1000)
	def(&l.Greeting, 5*time.Second)
	def(&l.Ping, 2*time.Second)
	def(&l.Top, 2*time.Second)
	def(&l.Command, 30*time.Second)
	def(&l.Write, 5*time.Second)
	def(&l.Alive, time.Second)
	def(&l.Answers, 2*time.Second)
}

func (c *Config) setDefaults() {
	c.Limits.setDefaults()
	if c.Ladder == (process.Ladder{}) {
		c.Ladder = process.Ladder{Ask: 5 * time.Second, Term: 5 * time.Second, Kill: 5 * time.Second}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("part", "signal")
	if c.Speaks == nil {
		c.Speaks = isOwnProgram
	}
}

func isOwnProgram(r signal.StartRequest) bool {
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		return false
	}
	theirs, err := os.Stat(r.Path)
	return err == nil && os.SameFile(own, theirs)
}

func def[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}
