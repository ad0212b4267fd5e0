package term

import "encoding/binary"

// AppendUpdate appends what the last call of Terminal.Snapshot changed in s, for a Snapshot in
// another process that got all updates before: the first one of a fresh Snapshot is complete.
// Numbers are uvarints: snapshotWire; Version, Epoch, Cols, Rows, First, Top, X, Y; the modes, see
// numbers; Title and Directory, each a length and bytes; 0 or, if the colours changed, 1 and all of
// them; the number of lines, and for each its place on the screen and the row. Links beyond the first
// 8 MiB are dropped, so that no update has more than 48 MiB.
func (s *Snapshot) AppendUpdate(dst []byte) []byte {
	dst = append(dst, snapshotWire)
	for _, v := range [...]uint64{s.Version, s.Epoch, uint64(s.Cols), uint64(s.Rows), s.First, s.Top, uint64(s.X), uint64(s.Y)} {
		dst = binary.AppendUvarint(dst, v)
	}
	for _, v := range s.Modes.numbers() {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	dst = appendString(appendString(dst, s.Title), s.Directory)
	if !s.recolored {
		dst = append(dst, 0)
	} else {
		dst = append(dst, 1)
		for _, c := range s.Colors.list() {
			dst = binary.AppendUvarint(dst, uint64(*c))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Damage)))
	for _, y := range s.Damage {
		if len(dst) > maxLinked { // many cells can have the same few long links
			s.Lines[y].DropExtras()
		}
		dst = s.Lines[y].AppendWire(binary.AppendUvarint(dst, uint64(y)))
	}
	return dst
}

// maxLinked is after how many bytes of an update its rows go without links.
const maxLinked = 8 << 20

// Apply brings s up to date with p, which AppendUpdate wrote, all of it; Damage is then that of the
// update. After ErrWire s is undefined.
func (s *Snapshot) Apply(p []byte) error {
	in := wireReader{p: p}
	if in.byte() != snapshotWire {
		return ErrWire
	}
	s.Version, s.Epoch = in.uint64(), in.uint64()
	s.Cols, s.Rows = in.number(MaxCols), in.number(MaxRows)
	s.First, s.Top = in.uint64(), in.uint64()
	s.X, s.Y = in.number(MaxCols), in.number(MaxRows)
	s.Modes.read(&in)
	s.Title, s.Directory = in.string(maxTitle*4), in.string(maxDir*4)
	if s.recolored = in.number(1) == 1; s.recolored {
		for _, c := range s.Colors.list() {
			*c = Color(in.color())
		}
	}
	if in.bad || s.Cols == 0 || s.X >= s.Cols || s.Y >= s.Rows || s.First > s.Top || s.Modes.Mouse > MouseMotion || s.Modes.Cursor > SteadyBar {
		return ErrWire
	}
	s.setRows()
	return s.applyLines(&in)
}

func (s *Snapshot) applyLines(in *wireReader) error {
	s.Damage = s.Damage[:0]
	for n := in.number(s.Rows); n > 0 && !in.bad; n-- {
		y := in.number(s.Rows - 1)
		if k := len(s.Damage); in.bad || k > 0 && y <= s.Damage[k-1] {
			return ErrWire
		}
		rest, err := s.Lines[y].Parse(in.p)
		if err != nil || len(s.Lines[y].Cells) != s.Cols {
			return ErrWire
		}
		s.Lines[y].Version = s.Version
		s.Damage, in.p = append(s.Damage, y), rest
	}
	for y := range s.Lines {
		if len(s.Lines[y].Cells) != s.Cols {
			return ErrWire // a new size without all lines
		}
	}
	if in.bad || len(in.p) > 0 {
		return ErrWire
	}
	return nil
}

// setRows makes Lines as long as the screen.
func (s *Snapshot) setRows() {
	for len(s.Lines) < s.Rows {
		s.Lines = append(s.Lines, Row{})
	}
	s.Lines = s.Lines[:s.Rows]
}

// list is every colour, the palette last.
func (c *Colors) list() []*Color {
	all := []*Color{&c.Foreground, &c.Background, &c.Cursor}
	for i := range c.Palette {
		all = append(all, &c.Palette[i])
	}
	return all
}

// flags are the modes that are on or off, the first one in the lowest bit; append only.
func (m *Modes) flags() [11]*bool {
	return [...]*bool{
		&m.CursorVisible, &m.Reverse, &m.AltScreen, &m.AltScroll, &m.AppCursor, &m.AppKeypad, &m.BackarrowBS,
		&m.BracketedPaste, &m.FocusEvents, &m.MouseSGR, &m.Synchronized,
	}
}

// numbers are the flags in one, cursor style, modifyOtherKeys and mouse mode.
func (m *Modes) numbers() [4]int {
	set := 0
	for i, f := range m.flags() {
		if *f {
			set |= 1 << i
		}
	}
	return [...]int{set, int(m.Cursor), int(m.OtherKeys), int(m.Mouse)}
}

func (m *Modes) read(in *wireReader) {
	flags := m.flags()
	set := in.number(1<<len(flags) - 1)
	for i, f := range flags {
		*f = set&(1<<i) != 0
	}
	m.Cursor, m.OtherKeys, m.Mouse = CursorStyle(in.number(255)), uint8(in.number(2)), MouseMode(in.number(255))
}
