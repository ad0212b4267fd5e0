//go:build linux

package server

import (
	"slices"

	"github.com/skycoin/viscript/signal"
)

// wordsOf are the commands that an app offers as words of the console, cut to what a row of the table holds.
func wordsOf(commands []signal.Command) (words []signal.Command) {
	for _, c := range commands {
		taken := slices.ContainsFunc(words, func(w signal.Command) bool { return w.Name == c.Name })
		if !c.Word || taken || !isWord(c.Name) || len(words) == signal.MaxWords {
			continue
		}
		w := signal.Command{Name: c.Name, Args: oneLine(c.Args, signal.MaxWordDoc), Help: oneLine(c.Help, signal.MaxWordDoc), Word: true}
		if c.Rest > 0 && c.Rest <= signal.MaxWordRest {
			w.Rest = c.Rest
		}
		if isWord(c.Names) {
			w.Names = c.Names
		}
		words = append(words, w)
	}
	return words
}

// isWord says whether a person may type it: lower-case letters, digits, - and _, beginning with a letter.
func isWord(name string) bool {
	if name == "" || len(name) > signal.MaxName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
