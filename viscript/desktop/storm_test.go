package desktop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// storm makes inputs and reports of bytes, so that a fuzzer can steer it.
type storm struct {
	bytes []byte
	lines fakeLines
}

func (b *storm) next() int {
	if len(b.bytes) == 0 {
		return 0
	}
	c := b.bytes[0]
	b.bytes = b.bytes[1:]
	return int(c)
}

func (b *storm) coordinate() float32 {
	switch n := b.next(); n {
	case 255:
		return float32(math.NaN())
	case 254:
		return float32(math.Inf(1))
	case 253:
		return -1e30
	case 252:
		return 1e30
	default:
		return float32(n)*5 - 60 + float32(b.next())/64
	}
}

// blow does one thing to d.
func (b *storm) blow(d *Desktop, at time.Duration) {
	n := b.next()
	in := Input{At: at, Mods: Mods(b.next() % 16)}
	switch n % 24 {
	case 0, 1, 2, 3, 4, 5, 6:
		in.Kind, in.X, in.Y = Motion, b.coordinate(), b.coordinate()
	case 7, 8, 9, 10:
		in.Kind, in.X, in.Y, in.Button = Press, b.coordinate(), b.coordinate(), Button(b.next()%5)
	case 11, 12:
		in.Kind, in.X, in.Y, in.Button = Release, b.coordinate(), b.coordinate(), Button(b.next()%5)
	case 13:
		in.Kind, in.X, in.Y, in.DY = Wheel, b.coordinate(), b.coordinate(), b.coordinate()/20
	case 14, 15:
		in.Kind, in.Key, in.Rune = KeyDown, KeyCode(b.next()%40), rune(b.next())
	case 16:
		in.Kind, in.Rune = Char, rune(b.next()*b.next()*40)
	case 17:
		in.Kind, in.X, in.Y, in.Scale = Resized, b.coordinate(), b.coordinate(), float32(b.next())/64
	case 18:
		c := chords[b.next()%len(chords)]
		in.Kind, in.Key, in.Rune, in.Mods = KeyDown, c.key, c.rune, c.mods
	case 19:
		in.Kind = InputKind(b.next() % 20)
	default:
		b.report(d, n)
		return
	}
	d.Handle(in)
}

func (b *storm) report(d *Desktop, n int) {
	id := TermID(fmt.Sprint(b.next() % 12))
	t := Term{ID: id, Title: "t\x1b界" + string(id), Cols: b.next()*3 - 9, Rows: b.next() - 9, Fixed: n%5 == 0, First: uint64(b.next()), Base: uint64(b.next() * 4),
		AltScreen: n%7 == 0, Mouse: MouseMode(n % 5), Version: uint64(n)}
	switch n % 24 {
	case 20:
		d.TermOpened(t)
	case 21:
		d.TermChanged(t)
	case 22:
		switch b.next() % 4 {
		case 0:
			d.TermClosed(id)
		case 1:
			d.Bell(id)
		case 2:
			d.Offer(id, Pos{uint64(b.next()), b.next()}, []Suggestion{{"a", "b"}, {"cc", ""}})
		default:
			d.Found(id, uint32(b.next()), Pos{uint64(b.next()), b.next()}, Pos{uint64(b.next()), b.next()}, true)
		}
	default:
		b.feed(d)
	}
}

func (b *storm) feed(d *Desktop) {
	p, m, l := sample()
	switch b.next() % 9 {
	case 0:
		d.Processes(p[:b.next()%3])
	case 1:
		m.Nodes = m.Nodes[:b.next()%4]
		d.Mesh(m)
	case 2:
		d.Logs(l)
	case 3:
		d.Notify(Notice{Title: fmt.Sprint(b.next()), Level: Level(b.next()), Action: "x"})
	case 4:
		d.Apps([]App{{"a", ""}, {"b", ""}}[:b.next()%3])
	case 5:
		d.OpenPanel(Content(b.next()), uint64(b.next()%3))
	case 6:
		d.AppPage(panel.App{ID: uint64(b.next() % 3), CPU: []float32{1, float32(math.NaN())}})
	case 7:
		_ = d.MoveTerm(b.next()*4-100, b.next()*4-100)
	default:
		d.Terms([]Term{{ID: "1", Cols: 20, Rows: 5}, {ID: "2", Cols: 30, Rows: 5}}[:b.next()%3])
	}
}

// run lets the whole storm blow and checks what must hold after each step.
func (b *storm) run(t *testing.T) {
	b.lines.text = map[TermID]map[uint64]string{"1": {0: "see https://a.example/x and {this} 世界", 1: `wrapped\`, 2: "line"}}
	b.lines.links = map[uint32]string{1: "https://b.example"}
	d := New(Config{Lines: &b.lines})
	var before, now scene.Scene
	for at := time.Duration(0); len(b.bytes) > 0; at += 50 * time.Millisecond {
		b.blow(d, at)
		if msg := d.broken(); msg != "" {
			t.Fatal(msg)
		}
		d.NextTick()
		for _, w := range d.windows {
			if w.term != nil && w.term.mark != nil && (w.term.mark.at.X < 0 || w.term.mark.at.X >= w.cols) {
				t.Fatal("the mark is beside the cells")
			}
		}
		for _, r := range d.Requests() {
			if (r.Kind == ResizeTerm || r.Kind == SendKey || r.Kind == SendMouse) && d.termWindow(r.Term) == nil {
				t.Fatalf("a request for a terminal that is gone: %+v", r)
			}
		}
		if at%(400*time.Millisecond) != 0 {
			continue
		}
		d.Scene(&now)
		b.checkScene(t, d, &before, &now)
		before, now = now, before
	}
	if err := d.Restore(d.Layout()); err != nil {
		t.Fatal(err)
	}
}

func (b *storm) checkScene(t *testing.T, d *Desktop, before, now *scene.Scene) {
	for _, r := range scene.Diff(nil, before, now) {
		if r.Intersect(now.Bounds).Empty() && r.Intersect(before.Bounds).Empty() {
			t.Fatalf("damage outside the window: %v", r)
		}
	}
	for i := range 8 {
		p := scene.Point{X: d.size.W * (float32(i) + 0.37) / 8, Y: d.size.H * float32((i*5+3)%8) / 8}
		if d.disagrees(now, p) {
			t.Fatalf("at %v is %+v, drawn is something else\n%s", p, d.At(p), now.AppendText(nil))
		}
	}
}

func TestStorm(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		bytes := make([]byte, 4000)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		(&storm{bytes: bytes}).run(t)
	}
}

func FuzzStorm(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 4 {
		bytes := make([]byte, 300)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		if len(bytes) <= 1<<14 {
			(&storm{bytes: bytes}).run(t)
		}
	})
}
