package command

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
)

// Exit codes of a command, and of `viscript exec`.
const (
	OK     = 0
	Failed = 1 // the command failed; the text on the error writer says why
	Usage  = 2 // unknown command or wrong arguments
)

// Env is what commands work on. One value may serve many commands at once.
type Env struct {
	Host    host.Host
	Hosts   []host.Named   // all the console knows, for `hosts`
	Config  func() *Config // the configuration of this moment, never nil
	Members *Members

	Reload  func() (Changes, error) // nil: there is nothing to reload
	Load    func() (*Config, error) // reads the file and changes nothing; nil: cannot
	Watch   FileWatch               // nil: there is nothing to watch
	Quit    func()                  // asks the console to end, returns at once; nil: refused
	Version string

	Terminals Terminals  // nil: none
	Lines     LineReader // nil: commands cannot ask for lines

	Now func() time.Time // nil: time.Now

	// For `doctor`.
	StateDir string
	Started  time.Time    // of the daemon, with its monotonic clock; zero: not known
	TCPAddr  string       // where the signal server listens for programs; "" none
	Check    func() error // reads the configuration file again; nil: not checked
}

// Changes is what a reload found different, each as `app NAME` or `group NAME`.
type Changes struct {
	File    string   `json:"file"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// Output is where a command writes.
type Output struct {
	Out, Err io.Writer
	JSON     bool
	Columns  int    // width of the terminal, 0 where there is none
	Terminal Lender // nil: none can be had
}

// call is one run of a command.
type call struct {
	*Env
	Output
	cmd  *Command
	args []string
}

// usageError is answered with exit code 2.
type usageError struct{ error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// Unwrap gives what was wrapped by %w.
func (e usageError) Unwrap() error { return e.error }

// width is that of the terminal, or as good as none.
func (c *call) width() int {
	if c.Columns > 0 {
		return c.Columns
	}
	return math.MaxInt
}

func (c *call) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// option is a flag of a command; flags may stand before and behind its arguments.
type option struct {
	name  string
	flag  *bool
	value func(string) error
}

// options takes the flags out of the arguments. "--" ends them.
func (c *call) options(known ...option) error {
	var rest []string
	for i := 0; i < len(c.args); i++ {
		a := c.args[i]
		if a == "--" {
			rest = append(rest, c.args[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		name, value, has := strings.Cut(a, "=")
		o := lookup(known, name)
		switch {
		case o == nil && name == "--json":
			return usagef("%s has no option --json: it stands before the command, `viscript exec --json %s`", c.cmd.Name, c.cmd.Name)
		case o == nil:
			return usagef("%s has no option %s; usage: %s", c.cmd.Name, Quote(a), c.cmd.Synopsis())
		case o.flag != nil && has:
			return usagef("%s: option %s takes no value", c.cmd.Name, name)
		case o.flag != nil:
			*o.flag = true
			continue
		case !has:
			if i++; i == len(c.args) {
				return usagef("%s: option %s needs a value", c.cmd.Name, name)
			}
			value = c.args[i]
		}
		if err := o.value(value); err != nil {
			return usagef("%s: option %s: %v", c.cmd.Name, name, err)
		}
	}
	c.args = rest
	return nil
}

func lookup(known []option, name string) *option {
	for i := range known {
		if known[i].name == name {
			return &known[i]
		}
	}
	return nil
}

// number is the value of an option that counts something.
func number[T int | uint64](to *T) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is not a number from 0 to %d", s, 1<<31-1)
		}
		*to = T(n)
		return nil
	}
}

// count checks how many arguments there are; most < 0: any number.
func (c *call) count(least, most int) error {
	switch {
	case len(c.args) < least:
		return usagef("%s: too few arguments; usage: %s", c.cmd.Name, c.cmd.Synopsis())
	case most >= 0 && len(c.args) > most:
		return usagef("%s: too many arguments; usage: %s", c.cmd.Name, c.cmd.Synopsis())
	}
	return nil
}

// find returns the row of an app.
func (c *call) find(ctx context.Context, id signal.ID) (signal.App, error) {
	all, err := c.Host.List(ctx)
	if err != nil {
		return signal.App{}, err
	}
	for _, a := range all {
		if a.ID == id {
			return a, nil
		}
	}
	return signal.App{}, noApp(id, all)
}

func noApp(id signal.ID, all []signal.App) error {
	running := slices.DeleteFunc(slices.Clone(all), func(a signal.App) bool { return !live(a) })
	if len(running) == 0 {
		return fmt.Errorf("there is no app with ID %d; none is running", id)
	}
	return fmt.Errorf("there is no app with ID %d; running: %s", id, listed(running))
}

// live says whether the app has a process.
func live(a signal.App) bool {
	return a.State != signal.Exited && a.State != signal.Failed
}

// liveApps returns those that have a process, in the order of their IDs.
func (e *Env) liveApps(ctx context.Context) ([]signal.App, error) {
	all, err := e.Host.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []signal.App
	for _, a := range all {
		if live(a) {
			found = append(found, a)
		}
	}
	return found, nil
}
