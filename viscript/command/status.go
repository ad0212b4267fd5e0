package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// statusWait is how long `up` waits for the members that are ready to say what they do.
const statusWait = time.Second

// printStatuses shows what the members say of themselves: an address, a line to try.
func (u *climb) printStatuses(ctx context.Context) {
	if u.JSON {
		return
	}
	for end := time.Now().Add(statusWait); ; {
		all, err := u.Host.List(ctx)
		if err != nil {
			return // up has done its work
		}
		members := slices.DeleteFunc(all, func(a signal.App) bool { return !live(a) || !u.has(a.ID) })
		silent := slices.ContainsFunc(members, func(a signal.App) bool { return a.Signal && a.Status == "" })
		if silent && time.Now().Before(end) && ctx.Err() == nil {
			time.Sleep(statusWait / 20)
			continue
		}
		for _, a := range members {
			if a.Status != "" {
				fmt.Fprintf(u.Out, "%s (ID %d): %s\n", term.Clean(nameOf(a)), a.ID, term.Clean(a.Status))
			}
		}
		return
	}
}

// has says whether the app is a member.
func (u *climb) has(id signal.ID) bool {
	return slices.ContainsFunc(u.answers, func(a memberAnswer) bool { return a.ID == id })
}
