// Package desktop is the console's window as pure state: terminals and panels that float, focus, taskbar,
// menu, selection, notifications. It draws nothing, knows no device and never blocks: what happens comes
// in, what is to be done and what is to be seen go out.
//
//	d := desktop.New(desktop.Config{Lines: snapshots})
//	d.Handle(desktop.Input{Kind: desktop.Resized, X: 1280, Y: 720, Scale: 1})
//	d.TermOpened(desktop.Term{ID: "1", Title: "prompt", Cols: 80, Rows: 24})  // the daemon reports
//	d.Handle(desktop.Input{Kind: desktop.Press, Button: desktop.Left, X: 40, Y: 40, At: now})
//	for _, r := range d.Requests() { ... }       // for the daemon, the clipboard
//	d.Scene(picture)                             // what to draw
//	at, ok := d.NextTick()                       // when to call again though nothing happened
//
// All is in window units (package scene). Time is a duration since any moment, given with each input.
// What comes from apps, other hosts or files is bounded and cleaned here. A Desktop is not safe for
// concurrent use; it belongs to the goroutine that draws.
package desktop
