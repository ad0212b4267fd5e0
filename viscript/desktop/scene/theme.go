package scene

// A Theme is the colors of everything that is drawn. Text is always on the color it is named after.
type Theme struct {
	Name string

	Desktop Color // behind the windows

	Frame, FrameFocused           Color // the border of a window
	Tab, TabText                  Color
	TabFocused, TabFocusedText    Color
	GridBack, GridText, GridLink  Color // a terminal's own default colors
	Cursor                        Color
	Selection, Match, MatchOthers Color // translucent, over the grid
	Dim                           float32

	Bar, BarText                     Color // taskbar, search bar
	Button, ButtonText               Color
	ButtonHot, ButtonHotText         Color // under the pointer
	ButtonFocused, ButtonFocusedText Color
	Menu, MenuText                   Color
	MenuHot, MenuHotText             Color
	Divider                          Color

	Panel, PanelText, PanelFaint Color
	Good, Warn, Bad              Color    // text on Panel, Menu and GridBack
	Series                       [8]Color // lines of graphs and names of apps, on Panel
	Route                        Color    // what is highlighted in the map
	Focus                        Color    // the ring around what the keyboard is on
}

// Dark is light text on dark ground.
func Dark() Theme {
	return Theme{
		Name:    "dark",
		Desktop: 0x0b0f14ff,
		Frame:   0x2a323dff, FrameFocused: 0x4c8dd6ff,
		Tab: 0x1b222bff, TabText: 0x9aa7b6ff, TabFocused: 0x1f4a7dff, TabFocusedText: 0xf2f6fbff,
		GridBack: 0x10151bff, GridText: 0xd8dee6ff, GridLink: 0x6db3ffff, Cursor: 0xf0c674ff,
		Selection: 0x4c8dd660, Match: 0xf0a03058, MatchOthers: 0xf0a03030, Dim: 0.35,
		Bar: 0x151b23ff, BarText: 0xc9d2dcff,
		Button: 0x232c37ff, ButtonText: 0xc9d2dcff, ButtonHot: 0x33404fff, ButtonHotText: 0xffffffff,
		ButtonFocused: 0x1f4a7dff, ButtonFocusedText: 0xffffffff,
		Menu: 0x1b222bff, MenuText: 0xd8dee6ff, MenuHot: 0x2b5f9eff, MenuHotText: 0xffffffff, Divider: 0x39444fff,
		Panel: 0x131920ff, PanelText: 0xd8dee6ff, PanelFaint: 0x93a1b1ff,
		Good: 0x7ccf8aff, Warn: 0xe8b75cff, Bad: 0xff8a80ff,
		Series: [8]Color{0x6db3ffff, 0x7ccf8aff, 0xe8b75cff, 0xd79bf0ff, 0x5fd0d0ff, 0xff9e80ff, 0xb4c46aff, 0xf08fb8ff},
		Route:  0xf0c674ff, Focus: 0xf0c674ff,
	}
}

// Light is dark text on light ground.
func Light() Theme {
	return Theme{
		Name:    "light",
		Desktop: 0xc8d0d9ff,
		Frame:   0xa3aeb9ff, FrameFocused: 0x1d5fa8ff,
		Tab: 0xe4e9eeff, TabText: 0x4b5866ff, TabFocused: 0x1d5fa8ff, TabFocusedText: 0xffffffff,
		GridBack: 0xfcfcfaff, GridText: 0x1c232bff, GridLink: 0x0b57a4ff, Cursor: 0x9a4a00ff,
		Selection: 0x3b82d650, Match: 0xe0900070, MatchOthers: 0xe0900038, Dim: 0.25,
		Bar: 0xdde3e9ff, BarText: 0x26303aff,
		Button: 0xf1f4f7ff, ButtonText: 0x26303aff, ButtonHot: 0xffffffff, ButtonHotText: 0x000000ff,
		ButtonFocused: 0x1d5fa8ff, ButtonFocusedText: 0xffffffff,
		Menu: 0xf7f9fbff, MenuText: 0x1c232bff, MenuHot: 0x1d5fa8ff, MenuHotText: 0xffffffff, Divider: 0xc2cad2ff,
		Panel: 0xf7f9fbff, PanelText: 0x1c232bff, PanelFaint: 0x56636fff,
		Good: 0x1c6b2dff, Warn: 0x7f5300ff, Bad: 0xb3261eff,
		Series: [8]Color{0x0b57a4ff, 0x1c6b2dff, 0x7f5300ff, 0x7b2fa0ff, 0x006a6aff, 0xa53c12ff, 0x57630aff, 0xa01f60ff},
		Route:  0x9a4a00ff, Focus: 0x9a4a00ff,
	}
}

// HighContrast is for eyes that need it: pure colors, nothing dimmed below 7 to 1.
func HighContrast() Theme {
	return Theme{
		Name:    "contrast",
		Desktop: 0x000000ff,
		Frame:   0x909090ff, FrameFocused: 0xffff00ff,
		Tab: 0x333333ff, TabText: 0xffffffff, TabFocused: 0xffff00ff, TabFocusedText: 0x000000ff,
		GridBack: 0x000000ff, GridText: 0xffffffff, GridLink: 0x80d8ffff, Cursor: 0xffff00ff,
		Selection: 0x0060ff80, Match: 0xa0600080, MatchOthers: 0xa0600050, Dim: 0.2,
		Bar: 0x000000ff, BarText: 0xffffffff,
		Button: 0x1a1a1aff, ButtonText: 0xffffffff, ButtonHot: 0xffffffff, ButtonHotText: 0x000000ff,
		ButtonFocused: 0xffff00ff, ButtonFocusedText: 0x000000ff,
		Menu: 0x000000ff, MenuText: 0xffffffff, MenuHot: 0xffff00ff, MenuHotText: 0x000000ff, Divider: 0xffffffff,
		Panel: 0x000000ff, PanelText: 0xffffffff, PanelFaint: 0xd0d0d0ff,
		Good: 0x60ff60ff, Warn: 0xffd040ff, Bad: 0xff9090ff,
		Series: [8]Color{0x80d8ffff, 0x60ff60ff, 0xffd040ff, 0xf0a0ffff, 0x40ffffff, 0xffb080ff, 0xd0e060ff, 0xffa0d0ff},
		Route:  0xffff00ff, Focus: 0xffff00ff,
	}
}

// Themes are all of them, in the order in which a key goes through them.
func Themes() []Theme { return []Theme{Dark(), Light(), HighContrast()} }

// Named is the theme of that name, Dark if there is none.
func Named(name string) Theme {
	for _, t := range Themes() {
		if t.Name == name {
			return t
		}
	}
	return Dark()
}

// A Pair is a text and what it is written on, both opaque.
type Pair struct {
	Name       string
	Text, Back Color
}

// Pairs are all that t is used for; each has a contrast of at least 4.5.
func (t *Theme) Pairs() []Pair {
	sel, match, other := t.Selection.Over(t.GridBack), t.Match.Over(t.GridBack), t.MatchOthers.Over(t.GridBack)
	pairs := []Pair{
		{"tab", t.TabText, t.Tab}, {"focused tab", t.TabFocusedText, t.TabFocused},
		{"grid", t.GridText, t.GridBack}, {"link", t.GridLink, t.GridBack}, {"cursor", t.Cursor, t.GridBack},
		{"dimmed grid", t.GridText.Mix(t.GridBack, t.Dim), t.GridBack},
		{"selection", t.Selection.Over(t.GridText), sel},
		{"match", t.Match.Over(t.GridText), match}, {"other matches", t.MatchOthers.Over(t.GridText), other},
		{"bar", t.BarText, t.Bar}, {"bad on bar", t.Bad, t.Bar},
		{"button", t.ButtonText, t.Button}, {"hot button", t.ButtonHotText, t.ButtonHot}, {"focused button", t.ButtonFocusedText, t.ButtonFocused},
		{"menu", t.MenuText, t.Menu}, {"hot menu", t.MenuHotText, t.MenuHot},
		{"panel", t.PanelText, t.Panel}, {"faint", t.PanelFaint, t.Panel}, {"faint menu", t.PanelFaint, t.Menu}, {"route", t.Route, t.Panel},
	}
	for _, back := range []Color{t.Panel, t.Menu, t.GridBack} {
		pairs = append(pairs, Pair{"good", t.Good, back}, Pair{"warn", t.Warn, back}, Pair{"bad", t.Bad, back})
	}
	for _, c := range t.Series {
		pairs = append(pairs, Pair{"series", c, t.Panel})
	}
	return pairs
}
