package scene

import "math"

// A Color is 0xRRGGBBAA, in sRGB, alpha not multiplied in.
type Color uint32

// Parts are the components of c.
func (c Color) Parts() (r, g, b, a uint8) {
	return uint8(c >> 24), uint8(c >> 16), uint8(c >> 8), uint8(c)
}

// Alpha is c with that opacity, from 0 to 1.
func (c Color) Alpha(a float32) Color {
	return c&^0xff | Color(math.Round(float64(max(0, min(a, 1))*255)))
}

// Over is what is seen of c on an opaque back.
func (c Color) Over(back Color) Color {
	r, g, b, a := c.Parts()
	br, bg, bb, _ := back.Parts()
	mix := func(x, y uint8) Color { return Color((uint32(x)*uint32(a) + uint32(y)*uint32(255-a) + 127) / 255) }
	return mix(r, br)<<24 | mix(g, bg)<<16 | mix(b, bb)<<8 | 0xff
}

// Mix is the way from c (0) to d (1), alpha of c.
func (c Color) Mix(d Color, t float32) Color {
	return d.Alpha(t).Over(c|0xff)&^0xff | c&0xff
}

// Contrast is the ratio of two opaque colors as WCAG 2.1 defines it, from 1 to 21. Text wants 4.5.
func Contrast(a, b Color) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// luminance: WCAG 2.1, relative luminance.
func (c Color) luminance() float64 {
	r, g, b, _ := c.Parts()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func linear(v uint8) float64 {
	f := float64(v) / 255
	if f <= 0.04045 {
		return f / 12.92
	}
	return math.Pow((f+0.055)/1.055, 2.4)
}
