package panel

import (
	"fmt"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// An App is what the page of one shows; samples are one a second, newest last.
type App struct {
	ID          uint64
	Name, State string
	Detail      string // what it says of itself
	Pid         int
	Up          time.Duration
	CPU         []float32 // percent of one core
	Memory      []float32 // bytes
	Descriptors []float32
	In, Out     []float32 // bytes a second
	Lines       []LogLine // the last ones
}

// AppPage draws four graphs of the last 15 minutes, buttons, and as many of the last lines as fit.
func AppPage(s *scene.Scene, v View, a *App, hits []Hit) Result {
	p := newPainter(s, v, hits)
	before := p.Clip(v.Body)
	defer p.Unclip(before)
	in := v.Body.Inset(gap)
	row := p.rowHeight()
	p.appHead(in, a)
	top := in.Y + 2*row + gap
	lines := max(2, int(in.H/row/4))
	graphs := scene.Rect{X: in.X, Y: top, W: in.W, H: in.Bottom() - top - float32(lines)*row - gap}
	w, h := (graphs.W-gap)/2, (graphs.H-gap)/2
	at := func(i, j float32) scene.Rect {
		return scene.Rect{X: graphs.X + i*(w+gap), Y: graphs.Y + j*(h+gap), W: w, H: h}
	}
	if h > 2*p.Font.Line {
		p.graph(at(0, 0), "CPU", 10, percentText, series{"", a.CPU})
		p.graph(at(1, 0), "memory", 1<<20, bytesText, series{"", a.Memory})
		p.graph(at(0, 1), "descriptors", 10, countText, series{"", a.Descriptors})
		p.graph(at(1, 1), "traffic", 1<<10, rateText, series{"in ", a.In}, series{"out ", a.Out})
	}
	y := in.Bottom() - float32(lines)*row
	tail := a.Lines[max(0, len(a.Lines)-lines):]
	for i := range tail {
		c := p.t.PanelText
		if tail[i].Error {
			c = p.t.Bad
		}
		p.label(in.X, y+float32(i)*row, tail[i].Time+" "+tail[i].Text, p.columns(in.W), scene.Regular, c)
	}
	return Result{p.hits, 0, 0}
}

func (p *painter) appHead(in scene.Rect, a *App) {
	x := p.Text(scene.Point{X: in.X, Y: in.Y}, scene.Fit(fmt.Sprintf("%d %s", a.ID, a.Name), p.columns(in.W)), p.Font, scene.Bold, p.t.PanelText)
	x = p.Text(scene.Point{X: x + p.Font.Advance, Y: in.Y}, a.State, p.Font, scene.Regular, p.stateColor(a.State))
	facts := ""
	if a.Pid > 0 {
		facts = fmt.Sprintf("pid %d, up %s", a.Pid, spanText(a.Up))
	}
	if a.Detail != "" {
		facts += "  " + a.Detail
	}
	x += p.Font.Advance
	p.label(x, in.Y, facts, p.columns(in.Right()-x), scene.Regular, p.t.PanelFaint)
	p.buttons(in.X, in.Y+p.rowHeight(), in.Right()+1, a.ID)
}
