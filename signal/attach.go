package signal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// ErrShutdown is the cause of the end of Attach's context when the server asked for it.
var ErrShutdown = errors.New("signal: asked to shut down")

// linger is how long the connection outlives the context when nobody calls Wait.
const linger = 2 * time.Second

// Options describe a program to its signal server. The zero value is enough.
type Options struct {
	// Name is for diagnosis; the server knows the app by its own name. Cut to 64 bytes.
	Name string
	// Commands are what an operator may tell the program. At most 256; one without a name
	// (64 bytes), without Run, or of a name taken is left out and logged.
	Commands []Command
	// Private: what the program is told is nobody else's business. The arguments of its commands are left out of the record of
	// who did what and of the history of prompts.
	Private bool
	// OnShutdown cleans up when the server asks the program to end. The server hears that it
	// is done when it returns; ctx ends at the server's deadline. It is not called when the
	// program ends for another reason, and at most once.
	OnShutdown func(ctx context.Context) error
	// NotReady: the program calls Client.Ready itself. Otherwise it counts as ready when it registers.
	NotReady bool
	// Log takes what an operator of this program should know, for example that the server
	// refused it. nil: nothing is logged.
	Log *slog.Logger
}

// Attach makes this program manageable by the signal server that started it, and returns a
// context that ends when ctx ends, or with cause ErrShutdown when the server asked for
// it: OnShutdown has then returned and the server has the answer. The program then returns
// from main, best after FromContext(ctx).Wait().
//
// Attach does not wait for the network. A program that no server started, or that the
// server refuses, runs on by itself. When the connection is lost it is made again, after
// 100 ms doubling to 5 s. The environment variables are read and unset, and the token
// file is read, before Attach returns, so it comes before a change of root or user.
func Attach(ctx context.Context, o Options) context.Context {
	where, err := takeEnv()
	if err != nil {
		return alone(ctx, o, err)
	}
	return begin(ctx, newClient(where, o))
}

// begin starts the connection of a client.
func begin(ctx context.Context, c *Client) context.Context {
	ctx, c.cancel = context.WithCancelCause(context.WithValue(ctx, clientKey{}, c))
	go c.run(ctx)
	return ctx
}

// alone returns ctx with a client that does nothing, unless ctx has one already.
func alone(ctx context.Context, o Options, why error) context.Context {
	if !errors.Is(why, ErrAlone) {
		logger(o).Warn("running without signal server", "err", why)
	}
	if FromContext(ctx) != nil {
		return ctx
	}
	ended := make(chan struct{})
	close(ended)
	return context.WithValue(ctx, clientKey{}, &Client{err: why, ended: ended})
}

func logger(o Options) *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log.With("part", "signal")
}

type clientKey struct{}

// FromContext returns the client of a context that descends from Attach's, otherwise nil,
// whose methods do nothing.
func FromContext(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}

// Client is a program's end of its connection to the signal server. Its methods never wait
// for the network (Wait apart), keep working while there is no connection, and do nothing
// on a nil Client or when no server manages the program. Safe for concurrent use.
type Client struct {
	place    place
	options  Options
	commands map[string]Command
	log      *slog.Logger
	begun    time.Time
	linger   time.Duration // linger
	farewell time.Duration // farewellTime
	cancel   context.CancelCauseFunc
	wake     chan struct{} // something to send; capacity 1
	running  chan struct{} // a token per command under way

	leaving  sync.Once
	leave    chan struct{} // closed by Wait
	ended    chan struct{} // closed when run and what it started have returned
	cleaning sync.Once
	cleaned  chan struct{} // closed when the clean-up is over; cleanErr is then set
	cleanErr error
	told     sync.Once
	answered chan struct{} // closed when a shutdown was answered
	wg       sync.WaitGroup

	mu      sync.Mutex // guards the following
	outbox  outbox
	managed bool  // a server has, or may have, registered it
	err     error // why the program is not managed
}

func newClient(where place, o Options) *Client {
	c := &Client{
		place:    where,
		options:  o,
		commands: make(map[string]Command),
		log:      logger(o),
		begun:    time.Now(),
		linger:   linger,
		farewell: farewellTime,
		wake:     make(chan struct{}, 1),
		running:  make(chan struct{}, maxRunning),
		leave:    make(chan struct{}),
		ended:    make(chan struct{}),
		cleaned:  make(chan struct{}),
		answered: make(chan struct{}),
	}
	c.options.Name = cut(o.Name, MaxName)
	c.options.Commands = c.usable(o.Commands)
	c.outbox.ready = !o.NotReady
	return c
}

// usable leaves out the commands that could not be told and fills the index.
func (c *Client) usable(commands []Command) []Command {
	var good []Command
	for _, cmd := range commands {
		_, taken := c.commands[cmd.Name]
		if cmd.Name == "" || len(cmd.Name) > MaxName || cmd.Run == nil || taken || len(good) == MaxCommands {
			c.log.Warn("command left out", "app", c.options.Name, "command", cmd.Name)
			continue
		}
		cmd.Args, cmd.Help = cut(cmd.Args, MaxCommandDoc), cut(cmd.Help, MaxCommandDoc)
		c.commands[cmd.Name] = cmd
		good = append(good, cmd)
	}
	return good
}

// ID returns the number the server gave this program, 0 when none manages it.
func (c *Client) ID() ID {
	if c == nil {
		return 0
	}
	return c.place.id
}

// Err returns why no server manages this program, for example ErrAlone; nil while one
// does, or may yet.
func (c *Client) Err() error {
	if c == nil {
		return ErrAlone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// CleanUpErr returns why the clean-up of a shutdown failed, once Attach's context has ended
// with ErrShutdown; otherwise nil.
func (c *Client) CleanUpErr() error {
	if c == nil || c.cleaned == nil {
		return nil
	}
	select {
	case <-c.cleaned:
		return c.cleanErr
	default:
		return nil
	}
}

// Ready tells the server that the program does what it was started for. Only with Options.NotReady.
func (c *Client) Ready() {
	c.post(func(o *outbox) { o.ready = true })
}

// Status tells the server in one line what the program is doing. The last one counts; text
// is cut to 256 bytes.
func (c *Client) Status(text string) {
	c.post(func(o *outbox) { o.status, o.statusSent = cut(text, MaxStatus), false })
}

// Event tells of something that happened. fields is any value that encodes as JSON in at
// most 32 KiB, or nil; otherwise it is left out and logged. Up to 256 events wait for the
// connection; then the oldest is dropped and counted.
func (c *Client) Event(kind, text string, fields any) {
	if c.unmanaged() {
		return
	}
	e := EventParams{Kind: cut(kind, MaxEventKind), Text: cut(text, MaxEventText), Fields: c.encodeFields(kind, fields)}
	c.post(func(o *outbox) { o.addEvent(e) })
}

// Log adds a line to the program's log at the server, beside what it prints. The line is cut to
// 4 KiB. Up to 256 lines wait for the connection; then the oldest is dropped and counted.
func (c *Client) Log(line string) {
	c.post(func(o *outbox) { o.addLog(cut(line, MaxLogLine)) })
}

// Wait blocks until Attach's context has ended and what was queued is sent, for which it
// has half a second, and the connection closed. It returns at once when no server manages
// the program. Call it last in main.
func (c *Client) Wait() {
	if c == nil {
		return
	}
	if c.leave != nil {
		c.leaving.Do(func() { close(c.leave) })
	}
	<-c.ended
}

// post changes the outbox and wakes the sender.
func (c *Client) post(change func(*outbox)) {
	if c.unmanaged() {
		return
	}
	c.mu.Lock()
	change(&c.outbox)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Client) unmanaged() bool {
	return c == nil || c.wake == nil || c.Err() != nil
}
