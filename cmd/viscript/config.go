package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/metrics"
)

const (
	configName = "config.yaml"
	// maxConfig bounds config.yaml, in bytes.
	maxConfig = 1 << 20
	// maxConfigValues bounds the values read from it: aliases can make many of few bytes.
	maxConfigValues = 200_000
	// maxAllowed bounds the names an error lists as allowed.
	maxAllowed = 24
)

// nameForm is the form of the names of apps, groups and members: they become words of the console and parts of file names.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// findConfig returns the path of the configuration: the one given, else ./config.yaml, else the
// one in the user's config folder; "" when none of the latter is there.
func findConfig(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	places := []string{configName}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "viscript", configName))
	}
	for _, p := range places {
		_, err := os.Stat(p)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// loadConfig reads the file at path; "" is an empty configuration.
func loadConfig(path string) (*viscript.Config, error) {
	if path == "" {
		return &viscript.Config{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	cfg, err := parseConfig(path, text)
	if err != nil {
		return nil, err
	}
	if cfg.File, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	return cfg, nil
}

// parseConfig reads the text of a configuration; file is its name in errors.
func parseConfig(file string, text []byte) (*viscript.Config, error) {
	r := &configReader{
		file: file,
		cfg: &viscript.Config{
			Apps: map[string]viscript.App{}, Groups: map[string]viscript.Group{},
		},
		depends: map[string]*yaml.Node{},
	}
	root, err := r.document(text)
	if err != nil || root == nil {
		return r.cfg, err
	}
	err = r.mapping(root, "the file", rootKeys, func(k string, _, v *yaml.Node) error {
		switch k {
		case "apps":
			return r.apps(v)
		case "settings":
			return r.settings(v)
		}
		return nil // groups: when all apps are known
	})
	if err != nil {
		return nil, err
	}
	if err := r.checkDependencies(); err != nil {
		return nil, err
	}
	if groups := child(root, "groups"); groups != nil {
		if err := r.groups(groups); err != nil {
			return nil, err
		}
	}
	return r.cfg, nil
}

// configReader walks the nodes of a file, which know their lines.
type configReader struct {
	file    string
	cfg     *viscript.Config
	values  int
	order   []string              // names of apps as in the file
	depends map[string]*yaml.Node // of each app, its depends_on
}

func (r *configReader) apps(n *yaml.Node) error {
	return r.mapping(n, "apps", nil, func(name string, k, v *yaml.Node) error {
		if err := r.name(k, name); err != nil {
			return err
		}
		app, err := r.app(name, k, v)
		if err != nil {
			return err
		}
		r.cfg.Apps[name] = app
		r.order = append(r.order, name)
		return nil
	})
}

func (r *configReader) settings(n *yaml.Node) error {
	if target(n).Tag == "!!null" {
		return nil
	}
	return r.mapping(n, "settings", settingKeys, func(key string, k, v *yaml.Node) (err error) {
		s := &r.cfg.Settings
		switch key {
		case "verboseInput":
			s.VerboseInput, err = r.truth(k, v)
		case "verifyParsingByPrinting":
			s.VerifyParsing, err = r.truth(k, v)
		case "runHeadless":
			s.RunHeadless, err = r.truth(k, v)
		case "stopAllOnExit":
			s.StopAll, err = r.truth(k, v)
		case "watchConfig":
			s.WatchConfig, err = r.truth(k, v)
		case "metrics":
			if s.Metrics, err = r.text(k, v); err == nil && s.Metrics != "" {
				if bad := metrics.CheckAddr(s.Metrics); bad != nil {
					err = r.errorf(v, key, "%v", bad)
				}
			}
		}
		return err
	})
}

func (r *configReader) groups(n *yaml.Node) error {
	return r.mapping(n, "groups", nil, func(name string, k, v *yaml.Node) error {
		if err := r.name(k, name); err != nil {
			return err
		}
		v = target(v)
		if v.Kind != yaml.SequenceNode {
			return r.errorf(k, name, "is %s; want a list of members: - { app: NAME, args: [...] }", kind(v))
		}
		g := viscript.Group{Name: name}
		for _, item := range v.Content {
			m, err := r.member(name, item)
			if err != nil {
				return err
			}
			same := slices.ContainsFunc(g.Members, func(o viscript.Member) bool { return o.Name == m.Name })
			if same {
				return r.errorf(item, name, "two members are called %q; give each a `name` of its own", m.Name)
			}
			g.Members = append(g.Members, m)
		}
		r.cfg.Groups[name] = g
		return nil
	})
}

func (r *configReader) member(group string, n *yaml.Node) (m viscript.Member, err error) {
	err = r.mapping(n, fmt.Sprintf("a member of group %q", group), memberKeys, func(key string, k, v *yaml.Node) (err error) {
		switch key {
		case "app":
			if m.App, err = r.text(k, v); err == nil && !r.isApp(m.App) {
				err = r.errorf(v, key, "there is no app %q; allowed: %s", m.App, r.appList())
			}
		case "name":
			if m.Name, err = r.text(k, v); err == nil {
				err = r.name(v, m.Name)
			}
		case "args":
			m.Args, err = r.texts(k, v)
		}
		return err
	})
	if err == nil && m.App == "" {
		err = r.errorf(n, group, "a member has no app; allowed: %s", r.appList())
	}
	if m.Name == "" {
		m.Name = m.App
	}
	return m, err
}

func (r *configReader) isApp(name string) bool { _, ok := r.cfg.Apps[name]; return ok }

func (r *configReader) appList() string { return shorten(r.order) }

// shorten joins names, of many only the first.
func shorten(names []string) string {
	switch {
	case len(names) == 0:
		return "(none)"
	case len(names) > maxAllowed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxAllowed], ", "), len(names)-maxAllowed)
	}
	return strings.Join(names, ", ")
}

// cycle returns the path of a circle that can be reached from name, or nil. done holds the
// apps from which none can be.
func (r *configReader) cycle(name string, path []string, done map[string]bool) []string {
	if i := slices.Index(path, name); i >= 0 {
		return append(slices.Clone(path[i:]), name)
	}
	if done[name] {
		return nil
	}
	path = append(path, name)
	for _, d := range r.cfg.Apps[name].DependsOn {
		if c := r.cycle(d.App, path, done); c != nil {
			return c
		}
	}
	done[name] = true
	return nil
}

func arrows(path []string) string { return strings.Join(path, " -> ") }
