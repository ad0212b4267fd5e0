package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
)

// role is one kind of process that this executable can be.
type role struct {
	name  string
	links []string // names of 2017 by which the executable is called
	args  string   // for the usage line
	short string
	long  string
	count [2]int // least and most positional arguments
	flags func(*pflag.FlagSet)
	// build opens ports and files; what it returns runs until ctx ends.
	build func(ctx context.Context, e roleEnv, args []string) (*service, error)
	// instance names the state folder below the role's, from the arguments.
	instance func(args []string) string
	// more are commands below the role's: what is done with its state when it does not run; nil: none.
	more func() []*cobra.Command
}

// service is a built role.
type service struct {
	run      func(ctx context.Context) error
	commands []signal.Command
	private  bool // what it is told is not to be recorded
	// ready blocks until the service is of use, and says what it waits for; nil: it is at once.
	ready func(ctx context.Context, say func(string)) error
	// status is what the console shows of it; follow, if not nil, says something else while that is due.
	status string
	follow func(ctx context.Context, say func(string))
}

// roleEnv is what every role gets.
type roleEnv struct {
	dir     string // its own state folder
	key     *identity.Key
	pins    *secure.Pins
	network string
	signal  string // address of the daemon's signal server, "" without one
	log     *slog.Logger
}

// roleOptions are the flags of every role.
type roleOptions struct {
	state, network, level string
}

// roles lists what the executable can be, in the order of help.
func roles() []role {
	return []role{trackerRole(), managerRole(), nodeRole(), messengerRole(), chatRole(), socksServerRole(), socksClientRole(), vpnServerRole(), vpnClientRole(), demoPageRole(), demoNetRole()}
}

func addRoles(root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: "roles", Title: "Roles:"})
	for _, r := range roles() {
		root.AddCommand(r.command())
	}
	root.AddCommand(keyCommand())
}

// roleForName finds the role that argv[0] stands for.
func roleForName(name string) (string, bool) {
	for _, r := range roles() {
		for _, l := range r.links {
			if l == name {
				return r.name, true
			}
		}
	}
	return "", false
}

func (r role) command() *cobra.Command {
	var o roleOptions
	cmd := &cobra.Command{
		Use: r.name + " " + r.args, Short: r.short, Long: r.short + "\n\n" + r.long, GroupID: "roles",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) >= r.count[0] && len(args) <= r.count[1] {
				return nil
			}
			want := command.Count(r.count[1], "argument")
			if r.count[1] > r.count[0] {
				want = fmt.Sprintf("%d to %s", r.count[0], want)
			}
			return fmt.Errorf("%s takes %s, not %d\nusage: %s", r.name, want, len(args), cmd.UseLine())
		},
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.state, "state", "", "state `DIR` of this instance: its key and store (default the daemon's or user's state folder, ROLE/NAME)")
	f.StringVar(&o.network, "network", "", "network `ID`; members of different networks cannot talk")
	f.StringVar(&o.level, "log-level", "info", "`LEVEL` of the log on stderr: debug, info, warn or error")
	if r.flags != nil {
		r.flags(f)
	}
	if r.more != nil {
		cmd.AddCommand(r.more()...)
	}
	return cmd
}

// run is the life of a role: state folder, key, ports, registration with the daemon, service, goodbye.
func (r role) run(ctx context.Context, o roleOptions, args []string) error {
	calmMonitor() // may start the program anew
	forget := cutExecutable()
	ctx, stop := ossignal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	env, release, err := r.environment(o, args)
	if err != nil {
		return err
	}
	defer release()
	svc, err := r.build(ctx, env, args)
	if err != nil {
		return err
	}
	ctx = signal.Attach(ctx, signal.Options{Name: r.name, Commands: svc.commands, Private: svc.private, NotReady: true, Log: env.log})
	client := signal.FromContext(ctx)
	go announce(ctx, client, svc, env.log)
	env.log.Info("started", "role", r.name, "key", env.key.Public().Short(), "state", env.dir)
	defer started(forget)()
	err = svc.run(ctx)
	client.Wait()
	return err
}

// announce tells the daemon when the service is ready, and what there is to say of it.
func announce(ctx context.Context, client *signal.Client, svc *service, log *slog.Logger) {
	said := ""
	say := func(text string) {
		if text != said && ctx.Err() == nil {
			said = text
			client.Status(text)
			log.Info("status", "status", text)
		}
	}
	if svc.ready != nil {
		if err := svc.ready(ctx, say); err != nil && ctx.Err() == nil {
			say("not ready: " + err.Error())
			return
		}
	}
	if ctx.Err() != nil {
		return
	}
	say(svc.status)
	client.Ready()
	if svc.follow != nil {
		svc.follow(ctx, say)
	}
}

var unsafeInPath = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// folderName is the name of an instance's state folder.
func folderName(name string) string {
	if name = strings.Trim(unsafeInPath.ReplaceAllString(name, "_"), "."); name == "" {
		return "default"
	}
	return name
}

// environment prepares the state folder: made, locked, with its key.
func (r role) environment(o roleOptions, args []string) (e roleEnv, release func(), err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return e, nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", o.level)
	}
	e.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	e.network = o.network
	e.signal = os.Getenv(signal.EnvAddress)
	if e.dir, err = r.folder(o.state, args); err != nil {
		return e, nil, err
	}
	if release, err = lockFolder(e.dir, r.name); err != nil {
		return e, nil, err
	}
	e.key, err = identity.LoadOrCreate(filepath.Join(e.dir, identity.FileName))
	if err == nil {
		e.pins, err = secure.OpenPins(filepath.Join(e.dir, "pins"))
	}
	if err != nil {
		release()
		return e, nil, err
	}
	return e, release, nil
}

// folder is the state folder of this instance: what --state says, or ROLE/NAME in the daemon's or user's.
func (r role) folder(given string, args []string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	base := os.Getenv(envState)
	if base == "" {
		var err error
		if base, err = stateDir(""); err != nil {
			return "", err
		}
	}
	return filepath.Join(base, r.name, folderName(r.instance(args))), nil
}

// lockFolder makes dir, mode 0700, and takes it for this process.
func lockFolder(dir, role string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder %s: %w; give another one with --state", dir, err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder %s: %w; give another one with --state", dir, err)
	}
	err = lockFile(f)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := make([]byte, 16)
		n, _ := f.Read(holder)
		f.Close()
		return nil, fmt.Errorf("another %s (pid %s) uses the state folder %s: stop it, or give this one another name or --state",
			role, strings.TrimSpace(string(holder[:n])), dir)
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writePid(f))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

func writePid(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

// tell makes a console command of a function without arguments.
func tell(name, help string, f func(ctx context.Context) (any, error)) signal.Command {
	return signal.Command{Name: name, Help: help, Run: func(ctx context.Context, args []string) (any, error) {
		if len(args) > 0 {
			return nil, fmt.Errorf("%s takes no arguments", name)
		}
		return f(ctx)
	}}
}

// value is tell for a function that cannot fail.
func value[T any](name, help string, f func() T) signal.Command {
	return tell(name, help, func(context.Context) (any, error) { return f(), nil })
}
