package panel

import (
	"strconv"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A Process is an app as the list shows it.
type Process struct {
	ID          uint64
	Name, State string
	CPU         []float32 // percent of one core, a sample a second, newest last
	Memory      []float32 // bytes
}

// Processes draws a row for each app with its state, its load and buttons. A click on a row opens its
// page.
func Processes(s *scene.Scene, v View, list []Process, hits []Hit) Result {
	p := newPainter(s, v, hits)
	before := p.Clip(v.Body)
	defer p.Unclip(before)
	row := p.rowHeight()
	in := v.Body.Inset(gap)
	shown := max(1, int((in.H-row)/row))
	cols := processColumnsFor(p.columns(in.W))
	p.processHead(in, cols)
	first := max(0, min(v.Scroll, len(list)-shown))
	for i := first; i < min(len(list), first+shown); i++ {
		p.process(scene.Rect{X: in.X, Y: in.Y + row*float32(i-first+1), W: in.W, H: row}, cols, &list[i])
	}
	if len(list) == 0 {
		p.label(in.X, in.Y+row, "no apps are running", p.columns(in.W), scene.Oblique, p.t.PanelFaint)
	}
	p.scrollMark(v.Body, len(list), shown)
	return Result{p.hits, len(list), shown}
}

// processColumns are where the parts of a row begin, in characters; 0 for one that is left out.
type processColumns struct{ name, nameWidth, state, cpu, cpuSpark, mem, memSpark, buttons int }

const sparkColumns = 12

func processColumnsFor(columns int) processColumns {
	var c processColumns
	c.name = 6
	fixed := c.name + 1 + 10 + 9 + 11 // state, cpu, memory
	sparks, buttons := 0, 0
	if columns >= fixed+10+buttonColumns {
		buttons = buttonColumns + 1
	}
	if columns >= fixed+10+buttons+2*(sparkColumns+1) {
		sparks = sparkColumns + 1
	}
	c.nameWidth = max(4, min(columns-fixed-buttons-2*sparks, 40))
	at := c.name + c.nameWidth + 1
	take := func(n int) (from int) {
		if n == 0 || at+n > columns {
			return 0
		}
		from, at = at, at+n
		return from
	}
	c.state = take(10)
	c.cpu, c.cpuSpark = take(9), take(sparks)
	c.mem, c.memSpark = take(11), take(sparks)
	c.buttons = take(buttons)
	return c
}

func (p *painter) processHead(in scene.Rect, c processColumns) {
	at := func(col, width int, text string) {
		if col > 0 {
			p.label(in.X+float32(col)*p.Font.Advance, in.Y, text, width, scene.Bold, p.t.PanelFaint)
		}
	}
	p.label(in.X, in.Y, "ID", 5, scene.Bold, p.t.PanelFaint)
	at(c.name, c.nameWidth, "NAME")
	at(c.state, 9, "STATE")
	at(c.cpu, 8, "   CPU")
	at(c.mem, 10, "   MEMORY")
}

func (p *painter) process(r scene.Rect, c processColumns, a *Process) {
	x := func(col int) float32 { return r.X + float32(col)*p.Font.Advance }
	if p.Hover && r.Has(p.Over) {
		p.Rect(r, p.t.Divider.Alpha(0.35), 3)
	}
	p.hit(r, Open, a.ID, "")
	y := r.Y + 2
	p.label(r.X, y, strconv.FormatUint(a.ID, 10), 5, scene.Regular, p.t.PanelFaint)
	p.label(x(c.name), y, a.Name, c.nameWidth, scene.Regular, p.t.PanelText)
	if c.state > 0 {
		p.label(x(c.state), y, a.State, 9, scene.Regular, p.stateColor(a.State))
	}
	spark := func(col int) scene.Rect {
		return scene.Rect{X: x(col), Y: y + 1, W: sparkColumns * p.Font.Advance, H: p.Font.Line - 2}
	}
	if c.cpu > 0 {
		p.right(x(c.cpu+8), y, percentText(last(a.CPU)), p.t.PanelText)
	}
	if c.cpuSpark > 0 {
		p.spark(spark(c.cpuSpark), a.CPU, 10, p.t.Series[0])
	}
	if c.mem > 0 {
		p.right(x(c.mem+10), y, bytesText(last(a.Memory)), p.t.PanelText)
	}
	if c.memSpark > 0 {
		p.spark(spark(c.memSpark), a.Memory, 1<<20, p.t.Series[1])
	}
	if c.buttons > 0 {
		p.buttons(x(c.buttons), r.Y+1, r.Right()+1, a.ID)
	}
}
