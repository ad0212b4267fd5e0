package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skycoin/viscript/signal"
)

// maxSuggestWord bounds the words that are compared, since the comparison is quadratic.
const maxSuggestWord = 64

// suggest returns up to three of known that a person may have meant by word: those that begin
// with it, else those at most a third of its letters away.
func suggest(word string, known []string) []string {
	type near struct {
		name string
		away int
	}
	if len(word) > maxSuggestWord {
		return nil
	}
	var found []near
	for _, k := range known {
		a := distance(strings.ToLower(word), strings.ToLower(k))
		if len(word) >= 2 && strings.HasPrefix(strings.ToLower(k), strings.ToLower(word)) {
			a = 0
		}
		if a <= max(1, len(word)/3) && a < len(k) {
			found = append(found, near{k, a})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.away - b.away })
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// DidYouMean is the hint behind an error about a word: "; did you mean A or B? (all)", or "; all" where
// nothing known is near. all says where everything is found.
func DidYouMean(word string, known []string, all string) string {
	return ask(suggest(word, known), all)
}

func ask(names []string, all string) string {
	if len(names) == 0 {
		return "; " + all
	}
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", n)
	}
	return "; did you mean " + strings.Join(names, " or ") + "? (" + all + ")"
}

// elsewhere are words of other consoles and shells that stand for a command here.
var elsewhere = map[string]string{
	"exit": "quit", "logout": "quit", "bye": "quit", "halt": "quit", "q": "quit",
	"ps": "list_apps", "ls": "list_apps", "list": "list_apps", "status": "list_apps", "jobs": "list_apps",
	"stop": "shutdown", "end": "shutdown", "run": "start", "launch": "start",
	"man": "help", "usage": "res_usage", "stats": "res_usage", "tail": "logs", "journal": "events",
	"check": "doctor", "fg": "attach",
}

// unknown is the error for a word that is no command and no app's.
func (t *Table) unknown(word string, apps []signal.App) error {
	if word == "" {
		return usagef("the command is empty; `help` lists them all")
	}
	if meant := elsewhere[strings.ToLower(word)]; meant != "" {
		return usagef("unknown command %q%s", word, ask([]string{meant}, "`help` lists them all"))
	}
	known := append(t.names(), t.typed(apps)...)
	for _, o := range t.offers(apps) {
		if meant := suggest(word, []string{o.word.Name}); o.shared && len(meant) > 0 && !t.taken(o.word.Name) {
			return usagef("unknown command %q; did you mean %s? %s", word, o.word.Name, offeredBy(apps, t.offeredAs(apps, o.word.Name)))
		}
	}
	return usagef("unknown command %q%s", word, DidYouMean(word, known, "`help` lists them all"))
}

// distance counts insertions, deletions, changes and swaps of neighbours between a and b
// (optimal string alignment).
func distance(a, b string) int {
	if len(b) > 2*maxSuggestWord {
		return len(b)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
