//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/skycoin/viscript/signal"
)

// accept lets the daemon and viewers in until the socket is closed.
func (k *keeper) accept() {
	for {
		conn, err := k.socket.AcceptUnix()
		switch {
		case err == nil:
			cred, err := signal.PeerCredentials(conn)
			if err != nil || cred.UID != os.Getuid() {
				conn.Close()
				continue
			}
			k.serve(signal.NewFrames(conn), false)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, say
			time.Sleep(lastLook)
		}
	}
}

// serve serves one connection. A daemon's gets the keeper's notifications, from here on.
func (k *keeper) serve(frames *signal.Frames, daemon bool) {
	frames.SetWriteTimeout(keeperWrite)
	var peer *signal.Peer
	peer = signal.NewPeer(frames, signal.PeerOptions{
		Handle: func(ctx context.Context, method string, params json.RawMessage) (any, error) {
			return k.handle(ctx, peer, frames.Conn(), method, params)
		},
		Notify: k.heard,
	})
	if !k.enter(peer, daemon) {
		frames.Close()
		return
	}
	go func() {
		_ = peer.Run(context.Background()) // until the other side or the keeper ends it
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.conns, peer)
		delete(k.daemons, peer)
		delete(k.announced, peer)
	}()
}

func (k *keeper) enter(peer *signal.Peer, daemon bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.conns) >= maxKeeperConns {
		return false
	}
	k.conns[peer] = true
	if daemon {
		k.daemons[peer] = true
	}
	return true
}

func (k *keeper) handle(ctx context.Context, peer *signal.Peer, conn net.Conn, method string, params json.RawMessage) (any, error) {
	switch method {
	case methodTerminal:
		return struct{}{}, k.handTerminal(conn)
	case methodState:
		return k.state(peer), nil
	case methodStop:
		return decoded(params, k.answerStop)
	case methodBegin:
		return decoded(params, func(ladderParams) (any, error) { return struct{}{}, k.announce(peer) })
	case methodWant:
		return decoded(params, func(w Want) (any, error) { return struct{}{}, k.want(w) })
	case methodAsked:
		return struct{}{}, k.amend(func(r *Record) { r.Request = slices.Clone(params) })
	case methodAttach:
		return decoded(params, func(size signal.WindowSize) (any, error) {
			_ = k.out.resize(size)
			k.shows.Add(1)
			defer k.shows.Add(-1)
			return struct{}{}, k.show(ctx, peer)
		})
	case methodInput:
		return decoded(params, func(p outputParams) (any, error) { return struct{}{}, k.input(ctx, p.Data) })
	}
	return nil, signal.NoMethod(method)
}

// decoded reads the parameters into a fresh value.
func decoded[T any](params json.RawMessage, act func(T) (any, error)) (any, error) {
	var p T
	if err := signal.DecodeParams(params, &p); err != nil {
		return nil, err
	}
	return act(p)
}

// heard takes a notification.
func (k *keeper) heard(method string, params json.RawMessage) {
	switch method {
	case methodNext, methodHurry:
		var p ladderParams
		if signal.DecodeParams(params, &p) == nil {
			k.heardOf(p.Name, method == methodHurry)
		}
	case methodSay:
		var p signal.LogParams
		if signal.DecodeParams(params, &p) == nil {
			k.out.say(p.Line)
		}
	case methodSize:
		var size signal.WindowSize
		if signal.DecodeParams(params, &size) == nil {
			_ = k.out.resize(size)
		}
	}
}

// state makes the connection a daemon's.
func (k *keeper) state(peer *signal.Peer) keeperState {
	k.fileMu.Lock()
	record := k.record
	k.fileMu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns[peer] {
		k.daemons[peer] = true
	}
	return keeperState{
		Record: record, Ending: k.ending, Held: k.held, Lost: k.out.lost.Load(),
		Stopping: k.stopped,
	}
}

// tell sends a notification to every daemon; in practice there is one or none.
func (k *keeper) tell(method string, params any) {
	ctx, cancel := context.WithTimeout(context.Background(), keeperWrite)
	defer cancel()
	k.mu.Lock()
	peers := make([]*signal.Peer, 0, len(k.daemons))
	for p := range k.daemons {
		peers = append(peers, p)
	}
	k.mu.Unlock()
	for _, p := range peers {
		_ = p.Notify(ctx, method, params)
	}
}

// flush lets what was sent arrive, and ends the connections.
func (k *keeper) flush(conns map[*signal.Peer]bool) {
	ctx, cancel := context.WithTimeout(context.Background(), keeperWrite)
	defer cancel()
	for p := range conns {
		_ = p.Flush(ctx)
	}
}

func (k *keeper) want(w Want) error {
	if w != Up && w != Down && w != Again {
		return signal.Errorf(signal.CodeParams, "want %q: up, down or again", w)
	}
	return k.amend(func(r *Record) { r.Want = w })
}

// amend changes the record, on the disk first.
func (k *keeper) amend(change func(*Record)) error {
	k.fileMu.Lock()
	defer k.fileMu.Unlock()
	changed := k.record
	change(&changed)
	if err := k.at.writeRecord(changed); err != nil {
		return err
	}
	k.record = changed
	return nil
}

// show sends the output to a viewer until there is no more. One that reads slowly misses
// some and is told; one that does not read at all is cut off by the write deadline.
func (k *keeper) show(ctx context.Context, peer *signal.Peer) error {
	v := k.out.scroll.view()
	defer k.out.scroll.leave(v)
	buf := make([]byte, maxViewerPiece)
	for {
		n, missed, over := k.out.scroll.next(v, buf)
		if missed > 0 {
			if err := peer.Notify(ctx, methodOutput, outputParams{missedText(missed)}); err != nil {
				return err
			}
		}
		if n > 0 {
			if err := peer.Notify(ctx, methodOutput, outputParams{buf[:n]}); err != nil {
				return err
			}
			continue
		}
		if over {
			return peer.Notify(ctx, methodOver, nil)
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func missedText(n uint64) []byte {
	return fmt.Appendf(nil, "\r\n[viscript: %d bytes of output skipped]\r\n", n)
}

// input types at the app's terminal. It waits while the app does not read, as long as the
// viewer does.
func (k *keeper) input(ctx context.Context, data []byte) error {
	if !k.out.pty {
		return signal.Errorf(signal.CodeUnavailable, "the app has no terminal: it was not started with pty: true or start -a")
	}
	stop := context.AfterFunc(ctx, func() { _ = k.out.file.SetWriteDeadline(time.Now()) })
	defer stop()
	k.typing.Lock()
	defer k.typing.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_ = k.out.file.SetWriteDeadline(time.Now().Add(inputTime))
	_, err := k.out.file.Write(data)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return signal.Errorf(signal.CodeBusy, "the app does not read what is typed")
	}
	return err
}

// tellLost tells the daemon what the log does not have, now and then.
func (k *keeper) tellLost() {
	for range k.out.missed {
		k.tell(methodLost, lostParams{k.out.lost.Load()})
		time.Sleep(lostPause)
	}
}
