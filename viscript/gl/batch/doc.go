// Package batch turns a scene and the cells of terminals into what a graphics device draws: instances of a
// rectangle, instances of a cell, the pixels of characters, and the regions that have changed. It calls no
// device, so it can be tested without one.
//
//	scene + grids -> Builder.Build -> Frame{Damage, Steps} -> package gl
//
// All is in pixels of the framebuffer, from the upper left corner.
package batch
