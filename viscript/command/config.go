package command

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/skycoin/viscript/signal"
)

// Config is what the console knows of config.yaml. It is never changed after it was made.
type Config struct {
	File     string // absolute path of the file; "" when there is none
	Apps     map[string]App
	Groups   map[string]Group
	Settings Settings
}

// App is a program that can be started by its name.
type App struct {
	Name        string
	Desc        string
	Path        string   // as written: absolute, or relative to the folder of the file, or in PATH
	Help        string   // its parameters, for `help APP`
	Daemon      bool     // has no use for a terminal
	DefaultArgs []string // used when none are typed

	Dir      string            // working folder, relative to the folder of the file; "": that folder
	Env      map[string]string // nil when there is none
	EnvFiles []string          // relative to the folder of the file
	User     string            // who it runs as; "": as the daemon
	Pty      bool              // a terminal of its own in place of pipes
	Limits   signal.Limits
	signal.Policy
}

// Group is a list of apps that are started and stopped together.
type Group struct {
	Name    string
	Members []Member
}

// Member is one app of a group. Args nil: the app's default ones.
type Member struct {
	App  string
	Name string // what tells it from the other members; the app's name if none was given
	Args []string
}

// Settings are those of 2017.
type Settings struct {
	VerboseInput  bool   // log each key of the prompt
	VerifyParsing bool   // print the words of each line before it is run
	RunHeadless   bool   // as --headless
	StopAll       bool   // apps with daemon: true end with the daemon too
	WatchConfig   bool   // reload when the file changes
	Metrics       string // where Prometheus finds the daemon's numbers, HOST:PORT on a loopback address; "" off
}

// Folder is where relative paths begin; "" without a file.
func (c *Config) Folder() string {
	if c.File == "" {
		return ""
	}
	return filepath.Dir(c.File)
}

// Request is what starts app with args; nil stands for the default ones. The program is
// looked for in the folder of the config file, then by the last element of its path in PATH.
func (c *Config) Request(app App, args []string) (signal.StartRequest, error) {
	path, err := c.resolve(app)
	if err != nil {
		return signal.StartRequest{}, err
	}
	if args == nil {
		args = app.DefaultArgs
	}
	r := signal.StartRequest{
		App: app.Name, Path: path, Args: slices.Clone(args), Dir: c.inFolder(app.Dir), Env: maps.Clone(app.Env),
		Daemon: app.Daemon, User: app.User, Pty: app.Pty, Limits: app.Limits, Configured: true, Policy: app.Policy,
	}
	for _, f := range app.EnvFiles {
		r.EnvFiles = append(r.EnvFiles, c.inFolder(f))
	}
	return r, nil
}

// memberRequest is what starts a member of a group.
func (c *Config) memberRequest(group string, m Member) (signal.StartRequest, error) {
	app, ok := c.Apps[m.App]
	if !ok {
		return signal.StartRequest{}, fmt.Errorf("there is no app %q", m.App)
	}
	r, err := c.Request(app, m.Args)
	r.Group, r.Member = group, m.Name
	return r, err
}

// inFolder makes a path of the file absolute; "" is the folder itself.
func (c *Config) inFolder(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.Folder(), path)
}

func (c *Config) resolve(app App) (string, error) {
	path := app.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Folder(), path)
	}
	err := executable(path)
	if err == nil {
		return filepath.Abs(path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("app %q: %w", app.Name, err)
	}
	if filepath.IsAbs(app.Path) {
		return "", fmt.Errorf("app %q: there is no program %s", app.Name, path)
	}
	base := filepath.Base(app.Path)
	if found, err := exec.LookPath(base); err == nil {
		return filepath.Abs(found)
	}
	return "", fmt.Errorf("app %q: there is no program %s, and no %s in PATH (%s)", app.Name, path, base, os.Getenv("PATH"))
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder, not a program", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable (chmod +x %s)", path, Quote(path))
	}
	return nil
}

// Need is what a member waits for: the one at this position to meet a condition.
type Need struct {
	At int
	On signal.Condition
}

// StartOrder returns the members in the order in which they can be started: after all members
// whose apps theirs depends on, also by way of apps that are not in the group, otherwise as
// listed. needs[i] holds what member i of the result waits for; all of it stands before i.
func (c *Config) StartOrder(g Group) (members []Member, needs [][]Need) {
	placed := make([]int, len(g.Members)) // position in the result, -1: not there yet
	for i := range placed {
		placed[i] = -1
	}
	for len(members) < len(g.Members) {
		before := len(members)
		for i, m := range g.Members {
			if placed[i] >= 0 {
				continue
			}
			if need, ok := c.placeable(g, i, placed); ok {
				placed[i] = len(members)
				members, needs = append(members, m), append(needs, need)
				break
			}
		}
		if len(members) == before {
			break // a cycle; the reader of the file refuses them
		}
	}
	return members, needs
}

// placeable says whether all that member i depends on is placed, and where.
func (c *Config) placeable(g Group, i int, placed []int) (need []Need, ok bool) {
	deps := c.dependencies(g, g.Members[i].App)
	for j, m := range g.Members {
		for _, d := range deps {
			if d.App != m.App {
				continue
			}
			if placed[j] < 0 {
				return nil, false
			}
			need = append(need, Need{placed[j], d.On})
		}
	}
	return need, true
}

// dependencies are the conditions in apps of the group that name waits for. Through an app
// outside the group it waits for what that app would have waited for.
func (c *Config) dependencies(g Group, name string) (found []signal.Dependency) {
	inGroup := func(app string) bool {
		return slices.ContainsFunc(g.Members, func(m Member) bool { return m.App == app })
	}
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, d := range c.Apps[name].DependsOn {
			switch {
			case !inGroup(d.App):
				visit(d.App)
			case !slices.Contains(found, d):
				found = append(found, d)
			}
		}
	}
	visit(name)
	return found
}
