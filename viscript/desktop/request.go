package desktop

// A RequestKind is what is to be done elsewhere.
type RequestKind uint8

// The kinds and the fields they use. Those with a Term are about that terminal.
const (
	// For the daemon.
	NewTerm       RequestKind = iota + 1 // Text: command line, "" for a prompt
	CloseTerm                            // Term
	ResizeTerm                           // Term, Cols, Rows
	SendKey                              // Term, Key, Rune, Mods: encoded by the terminal's modes
	SendChar                             // Term, Rune
	SendMouse                            // Term, Mouse
	TellFocus                            // Term, On: reported if the program asked for it
	StartApp                             // Text: name; Term: where to type it, "" for a new terminal
	AppAction                            // App, Text: ping, restart or stop
	Act                                  // Text: the Action of a Notice
	Search                               // Term, Text, From, Back, Seq: answer with Found
	Complete                             // Term, Index, Text: the item that was taken
	EndCompletion                        // Term: the pop-up was dismissed
	Watch                                // Content, App, On: feed that panel, or stop
	// For the window itself.
	Copy  // Term, From, To, Block: text to the clipboard, to the primary selection with Primary
	Paste // Term: clipboard, or primary selection with Primary, to the terminal
	Visit // Text: an http, https, ftp or mailto address
)

// A Request is something for the daemon or for the window to do.
type Request struct {
	Kind       RequestKind
	Content    Content
	Key        KeyCode
	Mods       Mods
	On         bool
	Back       bool // search towards older lines
	Block      bool
	Primary    bool
	Rune       rune
	Seq        uint32
	Term       TermID
	Text       string
	App        uint64
	Index      int
	Cols, Rows int
	From, To   Pos
	Mouse      Mouse
}

// A MouseAction is what was done with a button, numbered as in package term.
type MouseAction uint8

// The actions.
const (
	MousePress MouseAction = iota
	MouseRelease
	MouseMotion
)

// A Mouse is an event at a cell, for the program in a terminal.
type Mouse struct {
	Action MouseAction
	Button Button
	X, Y   int // from 0
	Mods   Mods
}

// A Pos is a place between cells: column X of the line numbered Line, counted from the first line the
// terminal ever had.
type Pos struct {
	Line uint64
	X    int
}

// Before: p comes earlier in reading order.
func (p Pos) Before(q Pos) bool { return p.Line < q.Line || p.Line == q.Line && p.X < q.X }

// maxRequests is how many wait; when nobody takes them, new ones are dropped.
const maxRequests = 4096

// Requests are what is to be done since the last call, in order; they are valid until the next call.
// Take them after every input.
func (d *Desktop) Requests() []Request {
	out := d.requests
	d.requests, d.taken = d.taken[:0], out
	return out
}

// ask queues r. A resize or motion that has not been taken yet is replaced by the next of its kind.
func (d *Desktop) ask(r Request) {
	if n := len(d.requests); n > 0 {
		last := &d.requests[n-1]
		same := last.Kind == r.Kind && last.Term == r.Term
		if same && (r.Kind == ResizeTerm || r.Kind == SendMouse && r.Mouse.Action == MouseMotion && last.Mouse.Action == MouseMotion) {
			*last = r
			return
		}
	}
	if len(d.requests) < maxRequests {
		d.requests = append(d.requests, r)
	}
}
