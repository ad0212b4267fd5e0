package command

import (
	"errors"
	"fmt"
	"io/fs"
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
	DependsOn   []string // names of apps that must be ready before this one is started by `up`
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
	VerboseInput  bool // log each key of the prompt
	VerifyParsing bool // print the words of each line before it is run
	RunHeadless   bool // as --headless
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
	return signal.StartRequest{
		App: app.Name, Path: path, Args: slices.Clone(args), Dir: c.Folder(), Daemon: app.Daemon,
	}, nil
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

// StartOrder returns the members in the order in which they can be started: after all members
// whose apps theirs depends on, also by way of apps that are not in the group, otherwise as
// listed. needs[i] holds the positions, in the result, of what member i waits for.
func (c *Config) StartOrder(g Group) (members []Member, needs [][]int) {
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
			if need, ok := c.ready(g, i, placed); ok {
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

// ready says whether all that member i depends on is placed, and where.
func (c *Config) ready(g Group, i int, placed []int) (need []int, ok bool) {
	deps := c.dependencies(g.Members[i].App)
	for j, m := range g.Members {
		if !deps[m.App] {
			continue
		}
		if placed[j] < 0 {
			return nil, false
		}
		need = append(need, placed[j])
	}
	return need, true
}

// dependencies is the set of apps that name depends on, directly or not.
func (c *Config) dependencies(name string) map[string]bool {
	found := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		for _, d := range c.Apps[name].DependsOn {
			if !found[d] {
				found[d] = true
				visit(d)
			}
		}
	}
	visit(name)
	return found
}
