package signal

// Methods about the daemon's terminals. An operator that has asked for MethodWindow is a window
// until that is answered: it says and asks what begins with "term.", and hears the rest.
const (
	MethodWindow = "window" // WindowParams -> {} when the window ends; before it what follows here
)

// What a window says, as notifications, in order. Those about a terminal that is gone are ignored.
const (
	MethodTermWatch  = "term.watch"  // TermWatch: send frames of a terminal, or no more
	MethodTermShown  = "term.shown"  // TermShown: that frame is on the screen, the next one may come
	MethodTermKey    = "term.key"    // TermKey
	MethodTermChar   = "term.char"   // TermChar
	MethodTermMouse  = "term.mouse"  // TermMouse
	MethodTermPaste  = "term.paste"  // TermPaste
	MethodTermFocus  = "term.focus"  // TermFocus
	MethodTermInput  = "term.input"  // TermInput: bytes as a terminal sends them, from a text client
	MethodTermResize = "term.resize" // TermResize
	MethodTermTake   = "term.take"   // TermTake: one of the suggestions of a MethodTermOffer
)

// What a window asks.
const (
	MethodTermNew    = "term.new"    // TermNew -> Term
	MethodTermClose  = "term.close"  // TermParams -> {}
	MethodTermSearch = "term.search" // TermSearch -> TermFound
	MethodTermLines  = "term.lines"  // TermLines -> TermRows
	MethodTermText   = "term.text"   // TermRange -> TermText
)

// What a window is told, as notifications, in order. The first one is MethodTermList.
const (
	MethodTermList      = "term.list"      // []Term: all there are, in the order in which they came
	MethodTermOpened    = "term.opened"    // Term
	MethodTermChanged   = "term.changed"   // Term; First, Base and Version alone are no reason to tell it
	MethodTermClosed    = "term.closed"    // TermParams
	MethodTermFrame     = "term.frame"     // TermFrame, of a terminal that is watched
	MethodTermBell      = "term.bell"      // TermParams
	MethodTermClipboard = "term.clipboard" // TermClipboard: a program offers text (OSC 52); never asked for
	MethodTermOffer     = "term.offer"     // TermOffer: suggestions for what is typed; none: no more
)

// What a window with Desktop is asked. It has two seconds.
const (
	MethodWindowList    = "window.list"    // no parameters -> []WindowTerm
	MethodWindowFocus   = "window.focus"   // TermParams -> {}
	MethodWindowDefocus = "window.defocus" // no parameters -> {}
	MethodWindowMove    = "window.move"    // WindowMove -> {}, the terminal that has the focus
)

// Limits about terminals.
const (
	MaxTerms      = 256       // at once
	MaxTermCols   = 1000      // of a terminal
	MaxTermRows   = 500       //
	MaxTermInput  = 32 << 10  // bytes of one TermInput
	MaxTermPaste  = 512 << 10 // bytes of one TermPaste
	MaxTermQuery  = 1 << 10   // bytes of the text that is searched for
	MaxTermPiece  = 512 << 10 // bytes of data in one TermFrame, TermRows and TermText
	MaxTermUpdate = 64 << 20  // bytes of an update, of which TermFrames are the pieces
	MaxTermOffer  = 200       // suggestions in one TermOffer
	MaxTermWords  = 4 << 10   // bytes of the command of a terminal
)

// What a terminal holds.
const (
	TermPrompt  = "prompt"  // the console's prompt
	TermCommand = "command" // a program on a pseudo terminal
)

// The modes of Term.Mouse: which events of the mouse the program wants (xterm).
const (
	TermMouseOff    = 0
	TermMousePress  = 1 // presses only, mode 9
	TermMouseClick  = 2 // presses and releases, mode 1000
	TermMouseDrag   = 3 // also motion while a button is held, mode 1002
	TermMouseMotion = 4 // also motion, mode 1003
)

// Term is a terminal of the daemon. Ids are t1, t2 and so on, never used again. Lines are numbered
// from the first one the terminal ever had.
type Term struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Holds   string `json:"holds"`             // TermPrompt or TermCommand
	Command string `json:"command,omitempty"` // the line that runs at a prompt, or the program
	Cols    int    `json:"cols"`
	Rows    int    `json:"rows"`
	Fixed   bool   `json:"fixed,omitempty"`  // cannot be resized
	Prompt  bool   `json:"prompt,omitempty"` // the console's prompt reads the keys
	First   uint64 `json:"first"`            // number of the oldest line there is
	Base    uint64 `json:"base"`             // number of the first line on the screen
	Alt     bool   `json:"alt,omitempty"`    // the alternate screen: no lines above
	Mouse   int    `json:"mouse,omitempty"`  // TermMouseOff to TermMouseMotion
	Version uint64 `json:"version"`          // grows with the content
	Viewers int    `json:"viewers"`          // windows that watch it
}

// WindowParams says what a window is.
type WindowParams struct {
	Name    string `json:"name,omitempty"`    // for people, at most MaxName bytes
	Desktop bool   `json:"desktop,omitempty"` // it places and focuses terminals, and is asked about that
}

// TermParams names one terminal, in full where a window says it.
type TermParams struct {
	ID string `json:"id"`
}

// TermWatch turns the frames of a terminal on or off. The first frame after On is complete.
type TermWatch struct {
	ID string `json:"id"`
	On bool   `json:"on"`
}

// TermShown says that the update with this Version is on the screen.
type TermShown struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"`
}

// TermFrame is a piece, of at most MaxTermPiece bytes, of an update of a terminal: what
// Snapshot.AppendUpdate of viscript/term writes since the frame before. The next update comes
// after MethodTermShown for this one: what happened meanwhile is in it.
type TermFrame struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"`
	Data    []byte `json:"data"`
	More    bool   `json:"more,omitempty"` // the update goes on in the next frame of this terminal
}

// TermKey is a key that writes no character, or one with Ctrl or Alt; numbers as in viscript/term.
// The daemon encodes it as the program in the terminal wants it.
type TermKey struct {
	ID   string `json:"id"`
	Key  uint8  `json:"key"`
	Rune rune   `json:"rune,omitempty"`
	Mods uint8  `json:"mods,omitempty"`
}

// TermChar is a character that was typed.
type TermChar struct {
	ID   string `json:"id"`
	Rune rune   `json:"rune"`
}

// TermMouse is an event of the mouse at a cell; numbers as in viscript/term.
type TermMouse struct {
	ID     string `json:"id"`
	Action uint8  `json:"action"`
	Button uint8  `json:"button"`
	X      int    `json:"x"` // from 0
	Y      int    `json:"y"`
	Mods   uint8  `json:"mods,omitempty"`
}

// TermPaste is text that was pasted, at most MaxTermPaste bytes, base64 on the wire.
type TermPaste struct {
	ID   string `json:"id"`
	Text []byte `json:"text"`
}

// TermFocus tells that a terminal has got or lost the keyboard.
type TermFocus struct {
	ID string `json:"id"`
	On bool   `json:"on"`
}

// TermInput is what a person's own terminal sent, at most MaxTermInput bytes, base64 on the wire.
type TermInput struct {
	ID   string `json:"id"`
	Data []byte `json:"data"`
}

// TermResize gives a terminal another size; of several windows' the last one counts.
type TermResize struct {
	ID   string `json:"id"`
	Cols int    `json:"cols"`
	Rows int    `json:"rows"`
}

// TermTake takes one of the suggestions of an offer; one that is old is ignored.
type TermTake struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// TermNew opens a terminal: a prompt, or a command with its arguments.
type TermNew struct {
	Args  []string `json:"args,omitempty"`  // none: a prompt
	Line  string   `json:"line,omitempty"`  // in place of Args: a line to split
	Shell bool     `json:"shell,omitempty"` // the user's shell, without Args
	Dir   string   `json:"dir,omitempty"`   // where it runs, "": the user's home
	Cols  int      `json:"cols,omitempty"`  // 0: 80
	Rows  int      `json:"rows,omitempty"`  // 0: 24
	Fixed bool     `json:"fixed,omitempty"`
}

// TermPos is a place before column X of a line.
type TermPos struct {
	Line uint64 `json:"line"`
	X    int    `json:"x"`
}

// TermSearch looks for text, without regard to case, before From (Back) or at or after it.
type TermSearch struct {
	ID   string  `json:"id"`
	Text string  `json:"text"`
	From TermPos `json:"from"`
	Back bool    `json:"back,omitempty"`
}

// TermFound is what a search found, To excluded.
type TermFound struct {
	Found bool    `json:"found"`
	From  TermPos `json:"from"`
	To    TermPos `json:"to"`
}

// TermLines asks for N lines from number From on, be they above the screen or on it.
type TermLines struct {
	ID   string `json:"id"`
	From uint64 `json:"from"`
	N    int    `json:"n"`
}

// TermRows are lines, as Row.AppendWire of viscript/term writes them: N of them, perhaps fewer than
// were asked for. Epoch is that of the frames: with another one lines have other numbers.
type TermRows struct {
	Epoch uint64 `json:"epoch"`
	N     int    `json:"n"`
	Data  []byte `json:"data"`
}

// TermRange asks for the text from From to To, To excluded; as a block the columns between.
type TermRange struct {
	ID    string  `json:"id"`
	From  TermPos `json:"from"`
	To    TermPos `json:"to"`
	Block bool    `json:"block,omitempty"`
}

// TermText is text, or its beginning: then More, and From is where the rest begins.
type TermText struct {
	Data []byte  `json:"data"`
	More bool    `json:"more,omitempty"`
	From TermPos `json:"from"`
}

// TermClipboard is what a program wants to be copied. Target holds "c" for the clipboard, "p" for
// the primary selection; empty: the clipboard.
type TermClipboard struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	Text   []byte `json:"text"` // as the program sent it, not cleaned
}

// TermOffer is how what is typed at a prompt could go on; At is where the word begins.
type TermOffer struct {
	ID    string           `json:"id"`
	At    TermPos          `json:"at"`
	Items []TermSuggestion `json:"items"`
}

// TermSuggestion is one of them.
type TermSuggestion struct {
	Text string `json:"text"`
	Help string `json:"help,omitempty"`
}

// WindowMove puts the terminal with the focus at a place, in characters of the desktop.
type WindowMove struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// WindowTerm is a terminal as a window shows it.
type WindowTerm struct {
	ID        string  `json:"id"`
	Title     string  `json:"title"`
	Focused   bool    `json:"focused"`
	Fixed     bool    `json:"fixed"`
	X         int     `json:"x"` // in characters of the desktop
	Y         int     `json:"y"`
	Cols      int     `json:"cols"`
	Rows      int     `json:"rows"`
	Zoom      float32 `json:"zoom"`
	Left      float32 `json:"left"` // of the frame, in window units
	Top       float32 `json:"top"`
	Width     float32 `json:"width"`
	Height    float32 `json:"height"`
	Depth     int     `json:"depth"`  // 0: on top
	Behind    uint64  `json:"behind"` // lines that are scrolled out below
	Selected  bool    `json:"selected"`
	Searching bool    `json:"searching"`
	Bell      bool    `json:"bell"` // it rang while it had no focus
}
