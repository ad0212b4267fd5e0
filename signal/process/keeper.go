//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	ossignal "os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Descriptors a keeper is started with, beside the standard ones.
const (
	keeperConn = 3 // to the daemon that starts it
	keeperLock = 4 // the lock of its id, taken
)

// A keeper is mostly idle: it trades a little time for memory.
const (
	keeperGC     = 50       // percent
	keeperMemory = 16 << 20 // bytes, above which it collects more often
)

// keeper is the process between the daemon and one app.
type keeper struct {
	boot   string
	at     place
	ladder Ladder // for SIGTERM
	out    *output
	child  *child
	held   []Held
	socket *net.UnixListener
	work   sync.WaitGroup // of what the keeper finishes before it ends
	shows  atomic.Int32   // viewers that are served
	typing sync.Mutex     // held while something is typed at the terminal

	fileMu  sync.Mutex // held while record or ending are written; guards the next two
	record  Record
	written *Ending // the last that reached the disk

	mu      sync.Mutex // guards the following
	daemons map[*signal.Peer]bool
	conns   map[*signal.Peer]bool
	climbs  map[string]*climbing
	stopped bool // somebody asked for the end
	// announced a stop that they may not live to ask for
	announced map[*signal.Peer]bool
	ending    *Ending
	closing   bool // the tree is empty
	closed    bool // no more connections
}

// Keep is the life of a keeper: what `viscript keep` runs. It returns the exit code of its
// process. Start starts it; it is of no use to a person.
func Keep() int {
	if err := keep(); err != nil {
		fmt.Fprintln(os.Stderr, "viscript keep:", err)
		return 1
	}
	return 0
}

func keep() error {
	debug.SetGCPercent(keeperGC)
	debug.SetMemoryLimit(keeperMemory)
	_ = os.WriteFile("/proc/self/comm", []byte("viscript-keep"), 0)
	conn, err := daemonConn()
	if err != nil {
		return err
	}
	defer conn.Close()
	frames := signal.NewFrames(conn)
	params, err := receiveStart(frames)
	if err != nil {
		return err
	}
	// Caught, not ignored: the app inherits what is ignored.
	events := make(chan os.Signal, 16)
	ossignal.Notify(events, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	k := &keeper{
		at: place{params.Run, params.ID}, ladder: params.Ladder,
		daemons: make(map[*signal.Peer]bool), conns: make(map[*signal.Peer]bool),
		climbs: make(map[string]*climbing), announced: make(map[*signal.Peer]bool),
	}
	if err := k.start(params); err != nil {
		return sendAnswer(frames, startAnswer{Error: err.Error()})
	}
	// Without the daemon, which may have been killed meanwhile, the app runs on all the same.
	_ = sendAnswer(frames, startAnswer{Record: k.record, Held: k.held})
	k.serve(frames, true)
	go k.accept()
	go k.tellLost()
	k.reap(events)
	k.close()
	return nil
}

// daemonConn takes over the descriptors from the daemon. Neither goes to the app.
func daemonConn() (net.Conn, error) {
	syscall.CloseOnExec(keeperLock)
	f := os.NewFile(keeperConn, "daemon")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, errors.New("it is started by the daemon, as the parent of one app")
	}
	return conn, nil
}

func receiveStart(frames *signal.Frames) (p startParams, err error) {
	_ = frames.SetReadDeadline(time.Now().Add(startPatience))
	frame, err := frames.Recv()
	if err != nil {
		return p, fmt.Errorf("hearing what to start: %w", err)
	}
	_ = frames.SetReadDeadline(time.Time{})
	if err := json.Unmarshal(frame, &p); err != nil {
		return p, fmt.Errorf("hearing what to start: %w", err)
	}
	return p, nil
}

func sendAnswer(frames *signal.Frames, a startAnswer) error {
	frame, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return frames.Send(frame)
}

// start opens the socket and the output, starts the app and writes its record.
func (k *keeper) start(p startParams) error {
	before, err := k.open(p)
	if err == nil {
		k.child, k.held, err = startChild(p, k.out.app)
	}
	if err != nil {
		if k.out != nil {
			k.out.close()
		}
		k.closeSocket()
		before()
		return err
	}
	k.record.App, k.record.Started = k.child.id, k.child.started
	k.out.start()
	if err := k.at.writeRecord(k.record); err != nil {
		// It runs: a daemon that comes later asks for the record over the socket.
		k.out.say(fmt.Sprintf("[viscript: %v]", err))
	}
	return nil
}

// open prepares all but the app, and writes a record without it: should the keeper be killed before
// it knows its app, whoever reads that looks for the app by its mark. before puts the record of
// the run before back.
func (k *keeper) open(p startParams) (before func(), err error) {
	before = func() {}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return before, fmt.Errorf("process: becoming a subreaper: %w", err)
	}
	if k.boot, err = bootID(); err != nil {
		return before, err
	}
	own, err := readStat(os.Getpid())
	if err != nil {
		return before, fmt.Errorf("process: reading our own start time: %w", err)
	}
	if k.out, err = openOutput(p.Log, p.Caps, p.Pty, p.Size); err != nil {
		return before, err
	}
	if k.socket, err = listen(k.at); err != nil {
		return before, err
	}
	k.record = Record{
		ID: p.ID, Boot: k.boot, Keeper: Identity{own.Pid, own.Start}, Started: time.Now(),
		Want: Up, Log: p.Log, Mark: p.Mark, Pty: p.Pty, Pipe: k.out.pipeName(), Caps: p.Caps, Request: p.Request,
	}
	old, err := k.at.readRecord()
	before = func() { _ = remove(k.at.path(recordExt)) }
	if err == nil {
		before = func() { _ = k.at.writeRecord(old) }
	}
	_ = k.at.writeRecord(k.record) // a full disk is no reason not to start
	return before, nil
}

// listen opens the socket of the id. The keeper's working folder is the run folder, so that
// its path fits an address of a socket, however long that of the folder is.
func listen(at place) (*net.UnixListener, error) {
	if err := os.Chdir(at.run); err != nil {
		return nil, fmt.Errorf("process: opening the socket: %w", err)
	}
	name := place{"", at.id}.path(socketExt)
	if err := remove(name); err != nil {
		return nil, fmt.Errorf("process: opening the socket: %w", err)
	}
	old := syscall.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("process: opening the socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

func (k *keeper) closeSocket() {
	if k.socket != nil {
		_ = remove(k.at.path(socketExt))
		k.socket.Close()
	}
}

// reap waits for children, which are all processes of the tree whose parents have ended, until
// there are none: then the tree is empty.
func (k *keeper) reap(events <-chan os.Signal) {
	for !k.child.reap(k.childEnded) {
		if e := <-events; e == syscall.SIGTERM || e == syscall.SIGINT {
			k.work.Go(func() { k.stop(stopParams{Ladder: k.ladder}) })
		}
	}
}

// childEnded is called once.
func (k *keeper) childEnded() {
	k.work.Go(func() {
		k.out.drain()
		k.mu.Lock()
		k.ending = &Ending{App: k.child.id, Boot: k.boot, Exit: k.child.exit, Stopped: k.stopped || len(k.announced) > 0}
		e := *k.ending
		k.mu.Unlock()
		k.tell(methodEnded, e)
		close(k.child.told)
		k.writeEnding()
	})
}

// writeEnding writes what is known of the end. It reaches the disk before the keeper ends.
func (k *keeper) writeEnding() {
	k.fileMu.Lock()
	defer k.fileMu.Unlock()
	k.mu.Lock()
	e := k.ending
	k.mu.Unlock()
	if e == nil || e == k.written { // a stop that has ended may be faster than the end itself
		return
	}
	k.written = e
	if err := k.at.writeEnding(*e); err != nil {
		k.out.say(fmt.Sprintf("[viscript: the exit code is not recorded: %v]", err))
	}
}

// close ends the keeper: the tree is empty, all is told and written.
func (k *keeper) close() {
	k.mu.Lock()
	k.closing = true
	k.mu.Unlock()
	k.work.Wait()
	k.closeSocket()
	select {
	case <-k.out.recorded:
	case <-time.After(flushTime):
	}
	if lost := k.out.lost.Load(); lost > 0 { // also what was lost since it was last told
		k.tell(methodLost, lostParams{lost})
	}
	for end := time.Now().Add(partingTime); k.shows.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	k.mu.Lock()
	k.closed = true
	conns := k.conns
	k.conns = make(map[*signal.Peer]bool)
	k.mu.Unlock()
	k.flush(conns)
	// Before the connections end with the process: who sees that sees the id free.
	_ = remove(k.at.path(lockExt))
	_ = syscall.Flock(keeperLock, syscall.LOCK_UN)
}

// partingTime is how long viewers have to take the last of the output.
const partingTime = time.Second
