package command

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/signal"
)

// Complete returns what the last word of line (the text before the cursor) could become, in
// order, each written as it has to be typed, and the offset in line at which that word begins.
// It asks the host for IDs and for commands of apps, so ctx should end soon.
func (t *Table) Complete(ctx context.Context, e *Env, line string) (from int, candidates []string) {
	s := scan(line)
	if s.err != nil && s.err != errQuote {
		return len(line), nil
	}
	prev, word := s.words, ""
	if s.open {
		prev, word = s.words[:len(s.words)-1], s.words[len(s.words)-1]
	}
	for _, k := range t.candidates(ctx, e, prev) {
		if strings.HasPrefix(k, word) && !slices.Contains(candidates, Quote(k)) {
			candidates = append(candidates, Quote(k))
		}
	}
	return s.start, candidates
}

func (t *Table) candidates(ctx context.Context, e *Env, prev []string) []string {
	if len(prev) == 0 {
		var names []string
		for _, c := range t.commands {
			names = append(names, c.Name)
		}
		names = append(names, t.typed(e.listed(ctx))...)
		slices.Sort(names)
		return names
	}
	cmd := t.Lookup(prev[0])
	if cmd == nil {
		return t.completeWord(ctx, e, prev)
	}
	if cmd.complete == nil {
		return nil
	}
	return cmd.complete(ctx, e, prev[1:])
}

// plain drops the flags from the words before the cursor.
func plain(prev []string) []string {
	return slices.DeleteFunc(slices.Clone(prev), func(w string) bool { return strings.HasPrefix(w, "-") })
}

func completeStart(_ context.Context, e *Env, prev []string) []string {
	if len(plain(prev)) > 0 {
		return nil
	}
	return e.appNames()
}

func completeGroup(_ context.Context, e *Env, prev []string) []string {
	if len(prev) > 0 {
		return nil
	}
	return e.groupNames()
}

// completeID offers the IDs of running apps and the names that stand for one.
func completeID(ctx context.Context, e *Env, prev []string) []string {
	if len(prev) > 0 {
		return nil
	}
	return idWords(e.liveApps(ctx))
}

// completeAnyID offers the IDs of ended apps too; not behind -n, where a number of lines stands.
func completeAnyID(ctx context.Context, e *Env, prev []string) []string {
	if len(prev) > 0 && prev[len(prev)-1] == "-n" {
		return nil
	}
	if i := slices.Index(prev, "-n"); i >= 0 {
		prev = slices.Delete(slices.Clone(prev), i, min(i+2, len(prev)))
	}
	if len(plain(prev)) > 0 {
		return nil
	}
	return idWords(e.Host.List(ctx))
}

// idWords are the IDs of apps, and behind them, in order, the names that FindApp understands.
func idWords(apps []signal.App, err error) (found []string) {
	if err != nil {
		return nil
	}
	var known []string
	for _, a := range apps {
		found = append(found, strconv.FormatUint(uint64(a.ID), 10))
		if _, err := pick(apps, nameOf(a)); err == nil {
			known = append(known, nameOf(a))
		}
	}
	slices.Sort(known)
	return append(found, slices.Compact(known)...)
}

func completeTell(ctx context.Context, e *Env, prev []string) []string {
	switch len(prev) {
	case 0:
		return completeID(ctx, e, prev)
	case 1:
		c := &call{Env: e, cmd: &Command{Name: "tell"}, args: prev}
		id, err := c.id(ctx, 0)
		if err != nil {
			return nil
		}
		commands, err := e.Host.Commands(ctx, id)
		if err != nil {
			return nil
		}
		var names []string
		for _, k := range commands {
			names = append(names, k.Name)
		}
		return names
	case 2:
		return e.toldNames(ctx, prev)
	}
	return nil
}

// toldNames completes the first argument of an app's command.
func (e *Env) toldNames(ctx context.Context, prev []string) []string {
	c := &call{Env: e, cmd: &Command{Name: "tell"}, args: prev}
	id, err := c.id(ctx, 0)
	if err != nil {
		return nil
	}
	commands, err := e.Host.Commands(ctx, id)
	if err != nil {
		return nil
	}
	for _, k := range commands {
		if k.Name == prev[1] {
			return e.argNames(ctx, id, k.Names)
		}
	}
	return nil
}
