package term

import "math"

const (
	// maxCluster is the longest text of one cell in bytes: a family of four with skin tones has
	// 41. What is combined beyond it is dropped.
	maxCluster = 48
	// minClusters is how many clusters are kept before the unused ones are looked for.
	minClusters = 1024
	// maxExtras and maxExtraBytes bound the links and underline colours that are remembered. The
	// oldest are forgotten first: text keeps, but loses its link.
	maxExtras     = 4096
	maxExtraBytes = 1 << 20
	maxURI        = 2048
	maxLinkID     = 250
)

// clusters numbers the texts of more than one code point that are on a screen.
type clusters struct {
	list   []string
	byText map[string]uint32
	limit  int // at this length the unused ones are dropped
}

func newClusters() clusters {
	return clusters{byText: map[string]uint32{}, limit: minClusters}
}

func (c *clusters) intern(text []byte) uint32 {
	if n, ok := c.byText[string(text)]; ok {
		return n
	}
	n := uint32(len(c.list))
	s := string(text)
	c.list = append(c.list, s)
	c.byText[s] = n
	return n
}

// sweep keeps the clusters that screens show, under new numbers. The limit is then such that the
// cost of the next sweep is shared by enough new clusters.
func (c *clusters) sweep(screens ...*screen) {
	old := c.list
	*c = newClusters()
	area := 0
	for _, s := range screens {
		for i := range s.lines {
			for x := range s.lines[i].cells[:s.lines[i].used] {
				cell := &s.lines[i].cells[x]
				if cell.text&clustered != 0 {
					cell.text = cell.text&^textMask | c.intern([]byte(old[cell.text&textMask]))
				}
			}
		}
		area += len(s.lines) * s.cols
	}
	c.limit = max(minClusters, 2*len(c.list), area/4)
}

// extras numbers links and underline colours, from 1 on; a number is never used twice.
type extras struct {
	list    []extra // numbers first+1 and on
	byValue map[extra]uint32
	first   uint32
	bytes   int
}

func (e *extras) intern(v extra) uint32 {
	if v == (extra{}) {
		return 0
	}
	if n, ok := e.byValue[v]; ok {
		return n
	}
	if e.first > math.MaxUint32-2*maxExtras {
		return 0 // after four thousand million different links there are no more
	}
	if len(e.list) >= maxExtras || e.bytes > maxExtraBytes {
		e.forget(len(e.list) / 2)
	}
	e.list = append(e.list, v)
	e.bytes += len(v.uri) + len(v.id)
	n := e.first + uint32(len(e.list))
	if e.byValue == nil {
		e.byValue = map[extra]uint32{}
	}
	e.byValue[v] = n
	return n
}

func (e *extras) forget(n int) {
	for _, v := range e.list[:n] {
		delete(e.byValue, v)
		e.bytes -= len(v.uri) + len(v.id)
	}
	left := copy(e.list, e.list[n:])
	clear(e.list[left:])
	e.list = e.list[:left]
	e.first += uint32(n)
}

// get: false if number n was forgotten.
func (e *extras) get(n uint32) (extra, bool) {
	if n <= e.first || n-e.first > uint32(len(e.list)) {
		return extra{}, false
	}
	return e.list[n-e.first-1], true
}
