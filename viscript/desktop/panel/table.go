package panel

import "github.com/skycoin/viscript/viscript/desktop/scene"

// Table draws two columns of text, the first as wide as its longest entry.
func Table(s *scene.Scene, v View, rows [][2]string, hits []Hit) Result {
	p := newPainter(s, v, hits)
	before := p.Clip(v.Body)
	defer p.Unclip(before)
	in := v.Body.Inset(gap)
	h := p.rowHeight()
	shown := max(1, int(in.H/h))
	first := max(0, min(v.Scroll, len(rows)-shown))
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r[0])+2)
	}
	for i := first; i < min(len(rows), first+shown); i++ {
		y := in.Y + h*float32(i-first)
		p.label(in.X, y, rows[i][0], wide, scene.Bold, p.t.PanelText)
		x := in.X + float32(wide)*p.Font.Advance
		p.label(x, y, rows[i][1], p.columns(in.Right()-x), scene.Regular, p.t.PanelText)
	}
	p.scrollMark(v.Body, len(rows), shown)
	return Result{p.hits, len(rows), shown}
}
