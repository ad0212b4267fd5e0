package desktop

import (
	"slices"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A Level is how much a notice matters.
type Level uint8

// The levels.
const (
	Info Level = iota
	Warning
	Alarm
)

// A Notice is something that somebody should know.
type Notice struct {
	Title, Text string
	Level       Level
	Action      string // what a click asks the daemon to do, "" for nothing
}

// A notice is one that is shown, until it has faded.
type notice struct {
	Notice
	until time.Duration
}

const (
	maxNotices    = 5 // the oldest gives way
	noticeColumns = 42
	fadeTime      = time.Second
	fadeSteps     = 8
	infoTime      = 6 * time.Second
	alarmTime     = 20 * time.Second
	maxAction     = 1024
)

// Notify shows n for some seconds. The same one again only begins anew.
func (d *Desktop) Notify(n Notice) {
	n = n.shown()
	life := infoTime
	if n.Level != Info {
		life = alarmTime
	}
	d.Withdraw(n)
	if len(d.notices) >= maxNotices {
		d.notices = slices.Delete(d.notices, 0, 1)
	}
	d.notices = append(d.notices, notice{n, d.now + life})
}

// Withdraw takes n away if it is still there: it is no longer true.
func (d *Desktop) Withdraw(n Notice) {
	n = n.shown()
	d.notices = slices.DeleteFunc(d.notices, func(o notice) bool { return o.Notice == n })
}

// shown is n as it is kept.
func (n Notice) shown() Notice {
	n.Title, n.Text = panel.Text(n.Title), panel.Text(n.Text)
	if len(n.Action) > maxAction {
		n.Action = ""
	}
	return n
}

// noticeRect: the newest is at the top right, the older ones below it.
func (d *Desktop) noticeRect(i int) scene.Rect {
	w := min(float32(noticeColumns)*d.font.Advance+24, d.size.W)
	h := 2*d.font.Line + 16
	nth := float32(len(d.notices) - 1 - i)
	return scene.Rect{X: d.size.W - w - min(8, d.size.W-w), Y: 8 + nth*(h+8), W: w, H: h}
}

func noticeClose(r scene.Rect, f scene.Font) scene.Rect {
	return scene.Rect{X: r.Right() - f.Line - 8, Y: r.Y, W: f.Line + 8, H: f.Line + 8}
}

// opacity is 1 until a notice fades in a few steps.
func (n *notice) opacity(now time.Duration) float32 {
	left := n.until - now
	if left >= fadeTime {
		return 1
	}
	step := (max(0, left)*fadeSteps + fadeTime - 1) / fadeTime
	return float32(step) / fadeSteps
}

func (d *Desktop) actOn(i int) {
	if i < 0 || i >= len(d.notices) {
		return
	}
	if a := d.notices[i].Action; a != "" {
		d.ask(Request{Kind: Act, Text: a})
	}
	d.dismiss(i)
}

func (d *Desktop) dismiss(i int) {
	if i >= 0 && i < len(d.notices) {
		d.notices = slices.Delete(d.notices, i, i+1)
	}
}
