//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// A terminal ends, and with SIGHUP its app, when nobody holds its other side any more. So whoever
// watches an app holds that side too: it outlives the keeper. methodTerminal, on a connection of
// its own, is answered by a notification methodTerminal whose first byte carries the descriptor
// (unix(7), SCM_RIGHTS), and then {}.

// terminalTime is how long a keeper may take to hand over; one that took longer is asked again.
const terminalTime = 2 * time.Second

// holdTerminal gets the terminal of a kept app. Without it the app is as well kept, but ends with its keeper.
func (p *Process) holdTerminal(ctx context.Context) {
	p.mu.Lock()
	wanted := p.record.Pty && p.terminal == nil && p.custody == Kept
	p.mu.Unlock()
	for wanted && ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, terminalTime)
		f, err := askTerminal(asking, p.at)
		late := asking.Err() != nil
		cancel()
		if err == nil {
			p.mu.Lock()
			p.terminal = f
			p.mu.Unlock()
		}
		wanted = err != nil && late
	}
}

// takeTerminal gives it to the caller, who closes it; nil: there is none.
func (p *Process) takeTerminal() *os.File {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.terminal
	p.terminal = nil
	return f
}

func (p *Process) closeTerminal() {
	if f := p.takeTerminal(); f != nil {
		f.Close()
	}
}

func askTerminal(ctx context.Context, at place) (*os.File, error) {
	conn, err := signal.DialSocket(ctx, at.path(socketExt))
	if err != nil {
		return nil, err
	}
	c := &rightsConn{UnixConn: conn}
	frames := signal.NewFrames(c)
	defer frames.Close()
	stop := context.AfterFunc(ctx, func() { frames.Close() })
	defer stop()
	if err := frames.Send([]byte(`{"jsonrpc":"2.0","id":0,"method":"` + methodTerminal + `"}`)); err != nil {
		return nil, err
	}
	for range maxNotes {
		frame, err := frames.Recv()
		var answer struct {
			Method string `json:"method"`
		}
		if err == nil {
			err = json.Unmarshal(frame, &answer)
		}
		if err != nil || answer.Method != methodTerminal {
			c.closeAll(0)
			return nil, errors.Join(errNoTerminal, err)
		}
		if len(c.got) > 0 {
			c.closeAll(1)
			return os.NewFile(uintptr(c.got[0]), "terminal"), nil // its poller is the runtime's: it does not block
		}
	}
	return nil, errNoTerminal
}

var errNoTerminal = errors.New("process: the keeper hands over no terminal")

// maxRights bounds the descriptors taken with one read: the kernel drops what is above.
const maxRights = 4

// rightsConn keeps the descriptors that come with what is read. It belongs to one goroutine.
type rightsConn struct {
	*net.UnixConn
	got []int
}

func (c *rightsConn) Read(p []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxRights))
	n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
	if messages, parseErr := unix.ParseSocketControlMessage(oob[:oobn]); parseErr == nil {
		for _, m := range messages {
			fds, _ := unix.ParseUnixRights(&m)
			for _, fd := range fds {
				syscall.CloseOnExec(fd)
			}
			c.got = append(c.got, fds...)
		}
	}
	return n, err
}

// closeAll closes what came from the n-th on.
func (c *rightsConn) closeAll(n int) {
	for _, fd := range c.got[min(n, len(c.got)):] {
		unix.Close(fd)
	}
}

// handTerminal is the keeper's side. Nothing else is written on this connection meanwhile.
func (k *keeper) handTerminal(conn net.Conn) error {
	to, ok := conn.(*net.UnixConn)
	if !ok || !k.out.pty {
		return signal.Errorf(signal.CodeUnavailable, "the app has no terminal")
	}
	frame := signal.AppendFrame(nil, []byte(`{"jsonrpc":"2.0","method":"`+methodTerminal+`"}`))
	return k.out.control(func(fd int) error {
		n, _, err := to.WriteMsgUnix(frame, unix.UnixRights(fd), nil)
		if err == nil && n < len(frame) {
			err = errors.New("a short write")
		}
		return err
	})
}
