package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/signal"
)

// AboutIDs explains the word ID in the synopsis of a command.
const AboutIDs = "ID: the number that list_apps shows, or in its place the name, where only one app has it."

// nameOf tells an app from the others: the name of its member of a group, else that of the app.
func nameOf(a signal.App) string {
	if a.Member != "" {
		return a.Member
	}
	return a.App
}

// called says whether a person may mean the app by word.
func called(a signal.App, word string) bool { return a.App == word || a.Member == word }

// FindApp returns the ID that word stands for: a number as it is, or the name of an app or of a
// member of a group if one app only has it. A name that no running app has means the last
// start of it.
func FindApp(ctx context.Context, h Lister, word string) (signal.ID, error) {
	if id, err := asID(word); id > 0 || err != nil {
		return id, err
	}
	all, err := h.List(ctx)
	if err != nil {
		return 0, err
	}
	return pick(all, word)
}

// asID is the ID that a number is; 0 for a name.
func asID(word string) (signal.ID, error) {
	n, err := strconv.ParseUint(word, 10, 64)
	switch {
	case err == nil && n > 0:
		return signal.ID(n), nil
	case strings.Trim(word, "-+.0123456789") == "":
		return 0, usagef("%q is no ID; `list_apps` shows the IDs", word)
	}
	return 0, nil
}

// findIn is FindApp among apps that are known.
func findIn(all []signal.App, word string) (signal.ID, error) {
	if id, err := asID(word); id > 0 || err != nil {
		return id, err
	}
	return pick(all, word)
}

// pick finds the app that a name stands for.
func pick(all []signal.App, word string) (signal.ID, error) {
	var running, ended []signal.App
	for _, a := range all {
		switch {
		case !called(a, word):
		case live(a):
			running = append(running, a)
		default:
			ended = append(ended, a)
		}
	}
	if len(running) == 0 && len(ended) > 0 {
		last := ended[len(ended)-1]
		same := func(a signal.App) bool { return nameOf(a) == nameOf(last) }
		if !slices.ContainsFunc(ended, func(a signal.App) bool { return !same(a) }) {
			return last.ID, nil
		}
		running = ended
	}
	if shown := shownAs(running, word); len(shown) == 1 {
		return shown[0].ID, nil
	}
	switch len(running) {
	case 0:
		return 0, errUnknown{word, all}
	case 1:
		return running[0].ID, nil
	}
	return 0, fmt.Errorf("%q is the name of %s: %s; give the ID of one", word, Count(len(running), "app"), listed(running))
}

// shownAs are those of apps that lists show by that name; others are only starts of the app that is called so, under names of
// their own.
func shownAs(apps []signal.App, word string) (shown []signal.App) {
	for _, a := range apps {
		if nameOf(a) == word {
			shown = append(shown, a)
		}
	}
	return shown
}

// errUnknown: no app has the name.
type errUnknown struct {
	word string
	all  []signal.App
}

func (e errUnknown) Error() string {
	var known []string
	for _, a := range e.all {
		for _, name := range []string{nameOf(a), a.App} {
			if _, err := pick(e.all, name); err == nil && live(a) {
				known = append(known, name)
			}
		}
	}
	slices.Sort(known)
	return fmt.Sprintf("%q is no ID and no app's name", e.word) + DidYouMean(e.word, slices.Compact(known), "`list_apps` shows both")
}

// maxListedApps bounds the apps an error lists.
const maxListedApps = 20

// listed names apps by ID and name.
func listed(apps []signal.App) string {
	var words []string
	for _, a := range apps[:min(len(apps), maxListedApps)] {
		words = append(words, fmt.Sprintf("%d (%s)", a.ID, nameOf(a)))
	}
	if len(apps) > maxListedApps {
		words = append(words, "...")
	}
	return strings.Join(words, ", ")
}

// id reads the argument at i as the ID or the name of an app.
func (c *call) id(ctx context.Context, i int) (signal.ID, error) {
	word := c.args[i]
	id, err := FindApp(ctx, c.Host, word)
	var unknown errUnknown
	if !errors.As(err, &unknown) {
		if ExitCode(err) == Usage {
			return 0, usagef("%s: %w", c.cmd.Name, err)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", c.cmd.Name, err)
		}
		return id, err
	}
	cfg := c.Config()
	if _, ok := cfg.Apps[word]; ok {
		return 0, fmt.Errorf("%s: no app %s runs; `start %s` starts it", c.cmd.Name, word, Quote(word))
	}
	for _, g := range sortedKeys(cfg.Groups) {
		if slices.ContainsFunc(cfg.Groups[g].Members, func(m Member) bool { return m.Name == word }) {
			return 0, fmt.Errorf("%s: %s of group %s does not run; `up %s` starts it", c.cmd.Name, word, g, Quote(g))
		}
	}
	return 0, usagef("%s: %w", c.cmd.Name, unknown)
}

// onlyID is for commands whose one argument is an ID.
func (c *call) onlyID(ctx context.Context) (signal.ID, error) {
	if err := c.count(1, 1); err != nil {
		return 0, err
	}
	return c.id(ctx, 0)
}

// Names knows the names of apps for events, which tell only their IDs. Not safe for concurrent use.
type Names struct {
	host    Lister
	members map[signal.ID]string
}

// NewNames makes one that asks h.
func NewNames(h Lister) *Names { return &Names{host: h} }

// Of is the name of the app of an event. It blocks while an ID that is new is looked up.
func (n *Names) Of(ctx context.Context, e signal.Event) string {
	if m := n.member(ctx, e); m != "" {
		return m
	}
	return e.App
}

// member is the name as a member of a group, "" for an app that is none.
func (n *Names) member(ctx context.Context, e signal.Event) string {
	if e.ID == 0 {
		return ""
	}
	if _, ok := n.members[e.ID]; !ok {
		n.members = map[signal.ID]string{e.ID: ""} // also when the app is not known any more
		all, _ := n.host.List(ctx)                 // without it the event is told as it is
		for _, a := range all {
			n.members[a.ID] = a.Member
		}
	}
	return n.members[e.ID]
}
