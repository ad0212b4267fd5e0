// Package x11lazy lets one executable have a window where there is X and run where there is none: it defines
// the functions of libX11 and libGL that GLFW and the GL binding call by name as jumps through a table, so the
// linker needs neither library, and Load opens them and fills the table.
//
//	if err := x11lazy.Load(); err != nil { ... } // before anything of GLFW
//
// On architectures without jumps of their own the libraries are linked as usual and Load does nothing.
package x11lazy
