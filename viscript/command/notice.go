package command

import (
	"strings"

	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	// noticesAtOnce and noticesPerSecond bound what one app may tell people; the rest is among the events.
	noticesAtOnce    = 5
	noticesPerSecond = 0.5
	// maxPaced is of how many apps the pace is remembered.
	maxPaced = 256
)

// AppNotices picks what apps want people to be told out of their events (signal.EventNotice). Not safe for concurrent use; the zero
// value is ready.
type AppNotices struct {
	pace map[signal.ID]*rate.Limiter
}

// Of is the text of a notice, on one line and clean; false for other events, and for those of an app that tells too many.
func (n *AppNotices) Of(e signal.Event) (text string, ok bool) {
	text, ok = strings.CutPrefix(e.Text, signal.EventNotice+": ")
	if !ok || e.Kind != "app" || e.ID == 0 || text == "" {
		return "", false
	}
	l := n.pace[e.ID]
	if l == nil {
		if n.pace == nil || len(n.pace) >= maxPaced {
			n.pace = map[signal.ID]*rate.Limiter{}
		}
		l = rate.NewLimiter(noticesPerSecond, noticesAtOnce)
		n.pace[e.ID] = l
	}
	return term.Clean(text), l.Allow()
}
