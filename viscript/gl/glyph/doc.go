// Package glyph draws characters into cells: 8-bit coverage, a cell exactly as many pixels as asked for. It
// knows no screen.
//
//	fonts, err := glyph.Open()
//	face := fonts.Face(14, 8, 16)                   // an em of 14 pixels in cells of 8 by 16
//	face.Draw(pixels, stride, "e", 1, glyph.Bold)   // into one cell
//
// Text comes from DejaVu Sans Mono in its four cuts, then from a bitmap font that has nearly everything else of
// the basic plane; what neither has becomes a box with its number. Lines and boxes (U+2500 to U+257F), blocks,
// braille and the separators of powerline are drawn, not taken from a font, so that neighbours meet exactly
// at every size.
package glyph
