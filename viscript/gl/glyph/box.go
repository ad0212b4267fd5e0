package glyph

// The weights of an arm of a box character.
const (
	none = iota
	light
	heavy
	double
)

// arms are the weights up, right, down and left of U+2500 on; 0000 is drawn otherwise.
const arms = "0101" + "0202" + "1010" + "2020" + "0000" + "0000" + "0000" + "0000" + "0000" + "0000" + "0000" + "0000" + // 2500
	"0110" + "0210" + "0120" + "0220" + "0011" + "0012" + "0021" + "0022" + // 250c
	"1100" + "1200" + "2100" + "2200" + "1001" + "1002" + "2001" + "2002" + // 2514
	"1110" + "1210" + "2110" + "1120" + "2120" + "2210" + "1220" + "2220" + // 251c
	"1011" + "1012" + "2011" + "1021" + "2021" + "2012" + "1022" + "2022" + // 2524
	"0111" + "0112" + "0211" + "0212" + "0121" + "0122" + "0221" + "0222" + // 252c
	"1101" + "1102" + "1201" + "1202" + "2101" + "2102" + "2201" + "2202" + // 2534
	"1111" + "1112" + "1211" + "1212" + "2111" + "1121" + "2121" + "2112" + // 253c
	"2211" + "1122" + "1221" + "2212" + "1222" + "2122" + "2221" + "2222" + // 2544
	"0000" + "0000" + "0000" + "0000" + "0303" + "3030" + "0310" + "0130" + // 254c
	"0330" + "0013" + "0031" + "0033" + "1300" + "3100" + "3300" + "1003" + // 2554
	"3001" + "3003" + "1310" + "3130" + "3330" + "1013" + "3031" + "3033" + // 255c
	"0313" + "0131" + "0333" + "1303" + "3101" + "3303" + "1313" + "3131" + // 2564
	"3333" + "0000" + "0000" + "0000" + "0000" + "0000" + "0000" + "0000" + // 256c
	"0001" + "1000" + "0100" + "0010" + "0002" + "2000" + "0200" + "0020" + // 2574
	"0201" + "1020" + "0102" + "2010" // 257c

// A band is a line's pixels across it, from a up to b.
type band struct{ a, b int }

// An axis is where lines lie along one side of the cell.
type axis struct {
	size         int
	light, heavy band
	lo, hi       band // of a double line
}

func newAxis(size, t int) axis {
	at := func(width int) band { return band{(size - width) / 2, (size-width)/2 + width} }
	l := at(t)
	return axis{size: size, light: l, heavy: band{l.a - t/2, l.a - t/2 + 2*t}, lo: band{l.a - t, l.a}, hi: band{l.b, l.b + t}}
}

// mirrored is x seen from the other end.
func (x axis) mirrored() axis {
	m := func(b band) band { return band{x.size - b.b, x.size - b.a} }
	return axis{x.size, m(x.light), m(x.heavy), m(x.hi), m(x.lo)}
}

func (x *axis) band(weight int) band {
	if weight == heavy {
		return x.heavy
	}
	return x.light
}

// lines draws the arms of box character i.
func (c *canvas) lines(i, t int) {
	var w [4]int // up, right, down, left
	for k := range w {
		w[k] = int(arms[4*i+k] - '0')
	}
	xs, ys := newAxis(c.w, t), newAxis(c.h, t)
	flipX := func(f func(a, b, p, q int)) func(a, b, p, q int) {
		return func(a, b, p, q int) { f(c.w-b, c.w-a, p, q) }
	}
	flipY := func(f func(a, b, p, q int)) func(a, b, p, q int) {
		return func(a, b, p, q int) { f(c.h-b, c.h-a, p, q) }
	}
	right := func(a, b, p, q int) { c.fill(a, p, b, q, 255) }
	down := func(a, b, p, q int) { c.fill(p, a, q, b, 255) }
	arm(right, xs, ys, w[1], w[0], w[2], w[3])
	arm(flipX(right), xs.mirrored(), ys, w[3], w[0], w[2], w[1])
	arm(down, ys, xs, w[2], w[3], w[1], w[0])
	arm(flipY(down), ys.mirrored(), xs, w[0], w[3], w[1], w[2])
}

// arm draws one arm from the middle to the far end of axis along; across is the other axis. before and
// after are the arms at its sides, toward the low and the high end of across; opposite is the one behind.
func arm(fill func(a, b, p, q int), along, across axis, weight, before, after, opposite int) {
	switch weight {
	case none:
	case double:
		for _, l := range [...]struct {
			line       band
			near, away int
		}{{across.lo, before, after}, {across.hi, after, before}} {
			fill(doubleStart(&along, l.near, l.away), along.size, l.line.a, l.line.b)
		}
	default:
		b := across.band(weight)
		fill(singleStart(&along, before, after, opposite), along.size, b.a, b.b)
	}
}

// doubleStart is where one line of a double arm begins: near is the arm on its side, away the other.
func doubleStart(along *axis, near, away int) int {
	switch {
	case near == double:
		return along.hi.a
	case near != none:
		return along.band(near).a
	case away == double:
		return along.lo.a
	}
	return along.light.a
}

func singleStart(along *axis, before, after, opposite int) int {
	switch {
	case before == double && after == double && opposite == none:
		return along.hi.a
	case before == double || after == double:
		return along.lo.a
	case before == heavy || after == heavy:
		return along.heavy.a
	}
	return along.light.a
}
