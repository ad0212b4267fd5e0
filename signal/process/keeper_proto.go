//go:build linux

package process

import (
	"encoding/json"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

// The protocol of a keeper: the frames and messages of package signal, over run/ID.sock and
// over the socket pair it is started with. On the latter one frame each way comes first,
// startParams and startAnswer. Keepers live through upgrades of the daemon, so names and
// members are added, never changed or taken away, and unknown ones are ignored.
const (
	// state: -> keeperState, and from then on the notifications below come.
	methodState = "state"
	methodStop  = "stop"  // stopParams -> Report. It goes on when the connection ends
	methodBegin = "begin" // ladderParams -> {}: a stop will follow, the app is being asked
	methodNext  = "next"  // notification, ladderParams: the question was in vain, go on with SIGTERM
	methodHurry = "hurry" // notification, ladderParams: go to SIGKILL at once
	methodWant  = "want"  // Want -> {}: written to the record
	methodAsked = "asked" // what the app was started with, Spec.Request -> {}: written to the record
	methodSay   = "say"   // notification, signal.LogParams: a line for the log
	// attach: signal.WindowSize -> {}; before the answer, outputs, and over at their end.
	methodAttach = "attach"
	methodInput  = "input" // outputParams -> {}: typed at the terminal
	methodSize   = "size"  // notification, signal.WindowSize
	// terminal: -> {}; before the answer, once more as a notification with a descriptor (terminal.go)
	methodTerminal = "terminal"

	// To the daemon.
	methodEnded = "ended" // Ending
	methodLost  = "lost"  // lostParams

	// To a viewer.
	methodOutput = "output" // outputParams
	methodOver   = "over"   // there will be no more
)

// startParams is what the keeper starts, and where it keeps it.
type startParams struct {
	ID         uint64              `json:"id"`
	Run        string              `json:"run"`
	Path       string              `json:"path"`
	Args       []string            `json:"args"`
	Dir        string              `json:"dir"`
	Env        []string            `json:"env"`
	Log        string              `json:"log"`
	Caps       signal.LogCaps      `json:"caps"`
	Mark       string              `json:"mark"`
	Pty        bool                `json:"pty"`
	Size       signal.WindowSize   `json:"size"`
	Limits     signal.Limits       `json:"limits"`
	Cgroup     string              `json:"cgroup"`
	Controls   []string            `json:"controls"` // controllers of the cgroup
	Credential *syscall.Credential `json:"credential"`
	StopSignal int                 `json:"stop_signal"`
	Ladder     Ladder              `json:"ladder"` // for a keeper that is told to end by SIGTERM
	Request    json.RawMessage     `json:"request"`
}

// startAnswer is the record that the keeper wrote, or why nothing was started.
type startAnswer struct {
	Record Record `json:"record"`
	Held   []Held `json:"held,omitempty"`
	Error  string `json:"error,omitempty"`
}

// keeperState is what a daemon that comes later needs.
type keeperState struct {
	Record   Record  `json:"record"`
	Ending   *Ending `json:"ending,omitempty"`
	Stopping bool    `json:"stopping,omitempty"`
	Lost     uint64  `json:"lost,omitempty"`
	Held     []Held  `json:"held,omitempty"`
}

// stopParams asks for the ladder. With Ask the daemon asks the app itself, meanwhile.
type stopParams struct {
	Ladder Ladder `json:"ladder"`
	Ask    bool   `json:"ask"`
	ladderParams
}

// ladderParams names a ladder, so that what is said of it may come before it is begun.
type ladderParams struct {
	Name string `json:"name"`
}

type lostParams struct {
	Lost uint64 `json:"lost"` // bytes, in all
}

type outputParams struct {
	Data []byte `json:"data"`
}

// Bounds of what others may ask of a keeper.
const (
	maxKeeperConns = 64
	maxViewerPiece = 8 << 10         // bytes of one output
	keeperWrite    = 5 * time.Second // for one frame: a viewer that takes longer is cut off
	startPatience  = time.Minute     // from the start of a keeper to its word that the app runs
	inputTime      = 5 * time.Second // for what is typed to be read by the app
	lostPause      = time.Second     // between two notifications of lost output
)
