package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// wordAt stands between a word that an app offers and whose word is meant: msg@ann. A word of ours is never an app's
// without it.
const wordAt = "@"

// offered is a word that a running app offers.
type offered struct {
	app    signal.App
	word   signal.Command
	shared bool // other apps offer it too, or the console has a word of that name: it needs wordAt
}

// typed is what a person types for it.
func (o offered) typed(apps []signal.App) string {
	if !o.shared {
		return o.word.Name
	}
	return o.word.Name + wordAt + shortName(apps, o.app)
}

// shortName is the app's name where that is enough, else its ID.
func shortName(apps []signal.App, a signal.App) string {
	if id, err := pick(apps, nameOf(a)); err == nil && id == a.ID && Quote(nameOf(a)) == nameOf(a) {
		return nameOf(a)
	}
	return fmt.Sprint(a.ID)
}

// offers lists the words of running apps, by name and then by ID.
func (t *Table) offers(apps []signal.App) (list []offered) {
	count := map[string]int{}
	for _, a := range apps {
		if !live(a) {
			continue
		}
		for _, w := range a.Words {
			count[w.Name]++
			list = append(list, offered{app: a, word: w})
		}
	}
	for i, o := range list {
		list[i].shared = count[o.word.Name] > 1 || t.taken(o.word.Name)
	}
	slices.SortStableFunc(list, func(a, b offered) int { return strings.Compare(a.word.Name, b.word.Name) })
	return list
}

// taken says whether the word is the console's own, or one that people type by habit and that it answers with advice.
func (t *Table) taken(word string) bool { return t.byName[word] != nil || elsewhere[word] != "" }

// typed are the words of running apps, as they are typed.
func (t *Table) typed(apps []signal.App) (words []string) {
	for _, o := range t.offers(apps) {
		words = append(words, o.typed(apps))
	}
	return words
}

// findWord is the word that is meant. Errors: nothing is called so (errNoWord), or several are.
func (t *Table) findWord(apps []signal.App, typed string) (offered, error) {
	name, whose, at := strings.Cut(typed, wordAt)
	found := t.offeredAs(apps, name)
	if len(found) == 0 || !at && t.taken(name) {
		return offered{}, errNoWord
	}
	if at {
		id, err := findIn(apps, whose)
		if err != nil {
			return offered{}, err
		}
		for _, o := range found {
			if o.app.ID == id {
				return o, nil
			}
		}
		return offered{}, fmt.Errorf("app %d does not offer %s; %s", id, name, offeredBy(apps, found))
	}
	if len(found) > 1 {
		return offered{}, fmt.Errorf("%s offer %s: say whose; %s", Count(len(found), "app"), name, offeredBy(apps, found))
	}
	return found[0], nil
}

// offeredAs lists the words of one name.
func (t *Table) offeredAs(apps []signal.App, name string) []offered {
	return slices.DeleteFunc(t.offers(apps), func(o offered) bool { return o.word.Name != name })
}

var errNoWord = usagef("no app offers this word")

func offeredBy(apps []signal.App, found []offered) string {
	var words []string
	for _, o := range found[:min(len(found), maxListedApps)] {
		words = append(words, o.word.Name+wordAt+shortName(apps, o.app))
	}
	if len(found) > maxListedApps {
		words = append(words, "...")
	}
	return "there are " + strings.Join(words, ", ")
}

// listed are all apps; none, where that cannot be told: a console without its host knows its own words.
func (e *Env) listed(ctx context.Context) []signal.App {
	if e.Host == nil {
		return nil
	}
	apps, err := e.Host.List(ctx)
	if err != nil {
		return nil
	}
	return apps
}

// runWord runs a word that an app offers, as tell does.
func (t *Table) runWord(ctx context.Context, env *Env, words []string, o Output) error {
	apps := env.listed(ctx)
	w, err := t.findWord(apps, words[0])
	if err == errNoWord {
		return t.unknown(words[0], apps)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	return tell(ctx, &call{Env: env, Output: o, cmd: w.describe(apps), args: append([]string{fmt.Sprint(w.app.ID), w.word.Name}, words[1:]...)})
}

// describe is the word as a command of the table would be.
func (o offered) describe(apps []signal.App) *Command {
	name := fmt.Sprintf("%d (%s)", o.app.ID, nameOf(o.app))
	return &Command{
		Name: o.typed(apps), Args: term.Clean(o.word.Args), Help: term.Clean(o.word.Help),
		More: term.Clean(fmt.Sprintf("offered by app %s; also: tell %d %s", name, o.app.ID, o.word.Name)),
	}
}

// Line cuts a line into words as Split does, but for a word of an app that takes the rest of the line as it was typed.
func (t *Table) Line(apps []signal.App, line string) ([]string, error) {
	first := scanWords(line, 1)
	if first.err != nil || first.rest == 0 || t.byName[first.words[0]] != nil {
		return Split(line)
	}
	w, err := t.findWord(apps, first.words[0])
	if err != nil || w.word.Rest == 0 {
		return Split(line)
	}
	head := scanWords(line, w.word.Rest)
	if head.err != nil || head.rest == 0 || len(line) > maxLine {
		return Split(line)
	}
	if rest := strings.TrimSpace(line[head.rest:]); rest != "" {
		return append(head.words, unquoted(rest)), nil
	}
	return head.words, nil
}

// unquoted takes off quotes around the whole of a text.
func unquoted(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && strings.IndexByte(s[1:], s[0]) == n-2 {
		return s[1 : n-1]
	}
	return s
}

// Told is what a line tells an app, as `tell ID COMMAND ARGS`, where it does: with tell, or by a word that one offers. private: what
// stands behind COMMAND is not to be recorded; so it is also for an app that does not run, since it may be.
func (t *Table) Told(apps []signal.App, words []string) (as []string, private bool) {
	if len(words) == 0 {
		return nil, false
	}
	if c := t.Lookup(words[0]); c != nil {
		if c.Name != "tell" || len(words) < 3 {
			return nil, false
		}
		id, err := findIn(apps, words[1])
		return words, err != nil || isPrivate(apps, id)
	}
	w, err := t.findWord(apps, words[0])
	if err == errNoWord {
		return nil, false
	}
	if err != nil {
		return append([]string{"tell", "?"}, words...), true
	}
	return append([]string{"tell", fmt.Sprint(w.app.ID), w.word.Name}, words[1:]...), w.app.Private
}

// isPrivate says whether what the app is told is not to be recorded.
func isPrivate(apps []signal.App, id signal.ID) bool {
	i := slices.IndexFunc(apps, func(a signal.App) bool { return a.ID == id })
	return i < 0 || apps[i].Private
}

// wordHelp lists the words of apps behind our own.
func (c *call) wordHelp(w io.Writer, list []offered, apps []signal.App) {
	if len(list) == 0 {
		return
	}
	var rows [][]string
	for _, o := range list {
		d := o.describe(apps)
		rows = append(rows, []string{d.Synopsis(), term.Clean(nameOf(o.app)), d.Help})
	}
	fmt.Fprintln(w)
	printTable(w, c.Columns, []string{"OF APPS", "APP", ""}, rows)
}

// WordHelp is what the words of running apps are for, by what is typed.
func (t *Table) WordHelp(apps []signal.App) map[string]string {
	help := map[string]string{}
	for _, o := range t.offers(apps) {
		d := o.describe(apps)
		help[d.Name] = fmt.Sprintf("%s: %s", term.Clean(nameOf(o.app)), d.Help)
	}
	return help
}

// completeWord offers what the first argument of an app's word may be.
func (t *Table) completeWord(ctx context.Context, e *Env, prev []string) []string {
	w, err := t.findWord(e.listed(ctx), prev[0])
	if err != nil || len(prev) != 1 {
		return nil
	}
	return e.argNames(ctx, w.app.ID, w.word.Names)
}

// maxArgNames bounds what is offered for an argument.
const maxArgNames = 1000

// argNames asks an app for what an argument may be.
func (e *Env) argNames(ctx context.Context, id signal.ID, command string) (names []string) {
	if command == "" {
		return nil
	}
	answer, err := e.Host.Tell(ctx, id, []string{command})
	if err != nil || json.Unmarshal(answer, &names) != nil {
		return nil
	}
	return slices.DeleteFunc(names[:min(len(names), maxArgNames)], func(n string) bool { return term.Clean(n) != n })
}
