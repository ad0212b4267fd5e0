package signal

// WindowSize is the size of a terminal in character cells. Zero in one of them: not known.
type WindowSize struct {
	Columns uint16 `json:"columns"`
	Rows    uint16 `json:"rows"`
}
