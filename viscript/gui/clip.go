package gui

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

// maxClips is how many offers of programs are kept; the oldest gives way.
const maxClips = 8

// maxClip bounds the text of one, in bytes.
const maxClip = 1 << 20

// clips are texts that programs want to have copied. They get into the clipboard only when the person says so:
// what is in it may be pasted into a shell. They are numbered from 1.
type clips struct {
	last  int
	texts map[int]clip
}

type clip struct {
	primary bool
	text    string
}

func (c *clips) add(text clip) (n int) {
	if c.texts == nil {
		c.texts = map[int]clip{}
	}
	c.last++
	c.texts[c.last] = text
	delete(c.texts, c.last-maxClips)
	return c.last
}

// offerClip asks the person whether what a program offers is to be copied.
func (p *Program) offerClip(d *desktop.Desktop, c signal.TermClipboard) {
	if len(c.Text) == 0 || len(c.Text) > maxClip || !utf8.Valid(c.Text) {
		return
	}
	text := string(c.Text)
	n := p.clips.add(clip{strings.Contains(c.Target, "p") && !strings.Contains(c.Target, "c"), text})
	d.Notify(desktop.Notice{Title: fmt.Sprintf("%s wants to copy; click to allow", c.ID), Text: strings.Join(strings.Fields(text), " "), Action: fmt.Sprint(actionClip, n)})
}

func (p *Program) takeClip(n int) {
	c, ok := p.clips.texts[n]
	if !ok || p.screen == nil {
		return
	}
	delete(p.clips.texts, n)
	p.screen.Copy(c.text, c.primary)
}

// copyText gets selected text from the daemon, which has all of it, into the clipboard.
func (p *Program) copyText(r desktop.Request) {
	p.askDaemon(func(ctx context.Context, l *link) {
		text, err := l.conn.Text(ctx, signal.TermRange{ID: string(r.Term), From: signal.TermPos(r.From), To: signal.TermPos(r.To), Block: r.Block})
		p.inbox.post(ctx, func(d *desktop.Desktop) {
			switch {
			case err != nil:
				d.Notify(desktop.Notice{Title: "Copying", Text: err.Error(), Level: desktop.Warning})
			case text != "" && p.screen != nil:
				p.screen.Copy(text, r.Primary)
			}
		})
	})
}
