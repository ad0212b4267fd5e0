// Package scene is a picture as data: an ordered list of a few kinds of items in window units, each with
// its clip, drawn from first to last. Who draws it decides nothing; who makes it knows no device.
//
//	s.Begin(bounds, scale)
//	s.Rect(r, theme.Panel, 4)                  // rounded rectangle
//	s.Text(p, "taskbar", font, scene.Regular, theme.PanelText)
//	damage = scene.Diff(damage[:0], previous, s)
//
// A window unit is what the pointer is measured in; a framebuffer has Scale pixels for each. Text is
// drawn on a grid: column i of it stands at X + i*Advance, so its width is known without a font.
package scene
