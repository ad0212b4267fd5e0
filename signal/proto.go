package signal

import (
	"encoding/json"
)

// Protocol is the version that hello names. A server that does not speak it answers CodeProtocol.
const Protocol = 1

// Environment of a child. Attach reads them once and unsets them.
const (
	EnvClient    = "SIGNAL_CLIENT"         // true, 1, yes or on: the program was started by a signal server
	EnvAddress   = "SIGNAL_SERVER_ADDRESS" // HOST:PORT of the server on a loopback address
	EnvID        = "SIGNAL_CLIENT_ID"      // the program's ID in decimal
	EnvTokenFile = "SIGNAL_TOKEN_FILE"     // path of the file with the token of this start
	EnvSocket    = "SIGNAL_SOCKET"         // path of the server's Unix socket, preferred over EnvAddress
)

// Methods a process calls to register, in this order. Append-only, as all names here.
const (
	MethodHello    = "hello"    // HelloParams -> HelloResult
	MethodRegister = "register" // RegisterParams -> RegisterResult
)

// Methods a registered process calls, as notifications.
const (
	MethodReady  = "ready"  // no parameters
	MethodStatus = "status" // StatusParams
	MethodEvent  = "event"  // EventParams
	MethodLog    = "log"    // LogParams
)

// Methods the server calls on a registered process.
const (
	MethodPing     = "ping"     // no parameters -> {}
	MethodTop      = "top"      // no parameters -> Top
	MethodShutdown = "shutdown" // ShutdownParams -> ShutdownResult
	MethodCommands = "commands" // no parameters -> CommandsResult
	MethodCommand  = "command"  // CommandParams -> CommandResult
)

// Methods an operator calls, on the Unix socket only. Closing the connection abandons the
// requests that are under way on it.
const (
	MethodAppStart     = "app.start"      // StartRequest -> App
	MethodAppList      = "app.list"       // no parameters -> []App
	MethodAppPing      = "app.ping"       // AppParams -> PingReport
	MethodAppUsage     = "app.usage"      // AppParams -> Usage
	MethodAppStop      = "app.stop"       // AppParams -> StopReport
	MethodAppKill      = "app.kill"       // AppParams -> StopReport
	MethodAppRestart   = "app.restart"    // AppParams -> App
	MethodAppWaitReady = "app.wait_ready" // AppParams -> {}
	MethodAppAwait     = "app.await"      // AwaitParams -> {}
	MethodAppRequest   = "app.request"    // AppParams -> StartRequest
	MethodAppSetPolicy = "app.set_policy" // SetPolicyParams -> {}
	MethodAppCommands  = "app.commands"   // AppParams -> []Command
	MethodAppTell      = "app.tell"       // TellParams -> the command's result as it is
	MethodAppLogs      = "app.logs"       // LogsParams -> {}; before the answer: MethodOutput notifications
	MethodAppAttach    = "app.attach"     // AttachParams -> {}; before the answer: MethodOutput notifications
	MethodAppInput     = "app.input"      // InputParams -> {}, to the app that the connection is attached to
	MethodReexec       = "daemon.reexec"  // no parameters -> {}; then the daemon becomes the program that is on the disk now
	MethodEvents       = "events"         // EventsParams -> {}; before the answer: MethodEntry notifications
	MethodExec         = "exec"           // ExecRequest -> ExecResult; before the answer: MethodOutput notifications
)

// MethodAppSize is a notification of an operator that is attached: WindowSize.
const MethodAppSize = "app.size"

// Notifications to an operator while a streaming request of theirs is under way; one
// connection carries one such request at a time.
const (
	MethodOutput = "output" // Output
	MethodEntry  = "entry"  // Event
)

// Limits of parts of messages. A server cuts or refuses what is above them.
const (
	NonceLen      = 32       // bytes of a nonce
	ProofLen      = 32       // bytes of a proof
	TokenLen      = 32       // bytes of a token
	MaxName       = 64       // bytes of an app's or command's name
	MaxStatus     = 256      // bytes of a status line
	MaxLogLine    = 4 << 10  // bytes of a log line
	MaxEventText  = 1 << 10  // bytes of an event's text
	MaxEventKind  = 64       // bytes of an event's kind
	MaxFields     = 32 << 10 // bytes of an event's fields
	MaxOutput     = 32 << 10 // bytes of data in one MethodOutput
	MaxCommands   = 256      // commands of one app
	MaxCommandDoc = 1 << 10  // bytes of a command's Args and of its Help
	MaxWords      = 16       // commands of one app that are words of the console
	MaxWordRest   = 8        // highest Rest of such a command
	MaxWordDoc    = 160      // bytes of such a command's Args and of its Help in App.Words
)

// HelloParams opens the registration of a process. Nonce is NonceLen random bytes.
type HelloParams struct {
	Protocol int `json:"protocol"`
	ID       ID  `json:"id"`
	Nonce    Hex `json:"nonce"`
}

// HelloResult shows that the server holds the token of this start:
// Proof is Proof(token, RoleServer, client nonce, server nonce).
type HelloResult struct {
	Protocol int `json:"protocol"`
	Nonce    Hex `json:"nonce"`
	Proof    Hex `json:"proof"`
}

// RegisterParams completes it. Proof is Proof(token, RoleClient, client nonce, server nonce).
type RegisterParams struct {
	Proof    Hex       `json:"proof"`
	Name     string    `json:"name,omitempty"`
	Pid      int       `json:"pid"`
	Commands []Command `json:"commands,omitempty"`
	Ready    bool      `json:"ready"`             // false: MethodReady follows
	Private  bool      `json:"private,omitempty"` // Options.Private
	Library  string    `json:"library,omitempty"` // who speaks, for diagnosis: "go/1"
}

// RegisterResult tells the process under which name the server knows it.
type RegisterResult struct {
	ID  ID     `json:"id"`
	App string `json:"app"`
}

// StatusParams is one line about what the app is doing, at most MaxStatus bytes.
type StatusParams struct {
	Text string `json:"text"`
}

// EventNotice is the Kind of an event that people are to be told at the prompt and in the window. Its text and fields are shown
// and passed on, and not written to the disk.
const EventNotice = "notice"

// EventParams is an event of the app's own. Fields is any JSON value or absent. Dropped counts
// the events lost since the one before because the queue was full.
type EventParams struct {
	Kind    string          `json:"kind"`
	Text    string          `json:"text"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Dropped uint64          `json:"dropped,omitempty"`
}

// LogParams is one line for the app's log, without its newline. Dropped counts the lines
// lost since the one before because the queue was full.
type LogParams struct {
	Line    string `json:"line"`
	Dropped uint64 `json:"dropped,omitempty"`
}

// Top is what a process says of itself. A library that cannot know a number leaves it out.
type Top struct {
	Goroutines     int     `json:"goroutines,omitempty"`
	HeapBytes      uint64  `json:"heap_bytes,omitempty"`       // live and not yet swept objects
	HeapObjects    uint64  `json:"heap_objects,omitempty"`     //
	GCRuns         uint64  `json:"gc_runs,omitempty"`          //
	GCPauseSeconds float64 `json:"gc_pause_seconds,omitempty"` // in total
	AllocatedBytes uint64  `json:"allocated_bytes,omitempty"`  // in total since the start
	StackBytes     uint64  `json:"stack_bytes,omitempty"`      //
	RuntimeBytes   uint64  `json:"runtime_bytes,omitempty"`    // all the runtime has mapped
	CgoCalls       uint64  `json:"cgo_calls,omitempty"`        // in total
	MaxProcs       int     `json:"max_procs,omitempty"`        //
	UptimeSeconds  float64 `json:"uptime_seconds,omitempty"`   // since Attach
}

// ShutdownParams asks for an orderly end. The process cleans up, answers within TimeoutMS
// (0: ten seconds), and then exits by itself.
type ShutdownParams struct {
	TimeoutMS int64  `json:"timeout_ms,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// ShutdownResult is empty: the answer says that the clean-up is done. CodeCleanup
// instead says that it failed or took too long; the process exits all the same.
type ShutdownResult struct{}

// CommandsResult lists what CommandParams may name.
type CommandsResult struct {
	Commands []Command `json:"commands"`
}

// CommandParams runs one of the app's commands within TimeoutMS (0: thirty seconds).
type CommandParams struct {
	Name      string   `json:"name"`
	Args      []string `json:"args"`
	TimeoutMS int64    `json:"timeout_ms,omitempty"`
}

// CommandResult is what the command answered, any JSON value.
type CommandResult struct {
	Result json.RawMessage `json:"result"`
}

// AppParams names one app.
type AppParams struct {
	ID ID `json:"id"`
}

// AwaitParams asks to be told when an app has met a condition: started, ready, healthy or exited.
type AwaitParams struct {
	ID ID        `json:"id"`
	On Condition `json:"on"`
}

// SetPolicyParams replaces what an app was started with.
type SetPolicyParams struct {
	ID      ID           `json:"id"`
	Request StartRequest `json:"request"`
}

// TellParams gives an app a command: Args[0] is its name.
type TellParams struct {
	ID   ID       `json:"id"`
	Args []string `json:"args"`
}

// AttachParams names the app whose terminal the operator's becomes, and how large that is.
type AttachParams struct {
	ID ID `json:"id"`
	WindowSize
}

// InputParams is what was typed: at most MaxOutput bytes, base64 on the wire.
type InputParams struct {
	Data []byte `json:"data"`
}

// LogsRequest chooses what of a log is shown: the last Lines lines (0: all), and with
// Follow what comes after until the request is abandoned or the app has ended.
type LogsRequest struct {
	Lines  int  `json:"lines,omitempty"`
	Follow bool `json:"follow,omitempty"`
}

// LogsParams is a LogsRequest for one app.
type LogsParams struct {
	ID ID `json:"id"`
	LogsRequest
}

// EventsParams asks for the events with a Seq above Since; with Follow also for those to come.
type EventsParams struct {
	Since  uint64 `json:"since,omitempty"`
	Follow bool   `json:"follow,omitempty"`
}

// ExecRequest is one console command: a whole Line, or Args that were split already.
type ExecRequest struct {
	Line    string   `json:"line,omitempty"`
	Args    []string `json:"args,omitempty"`
	JSON    bool     `json:"json,omitempty"`    // answer with one JSON value
	Columns int      `json:"columns,omitempty"` // width of the terminal, 0 when it is none
}

// ExecResult is the exit code of a console command.
type ExecResult struct {
	Code int `json:"code"`
}

// Streams of Output.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Output is a piece of what a streaming request prints: at most MaxOutput bytes, base64 on the wire.
type Output struct {
	Stream string `json:"stream"`
	Data   []byte `json:"data"`
}
