package apphost

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

// Pipe is the part of a Stream that is pumped.
type Pipe interface {
	io.Writer
	io.WriterTo // nil after the peer's FIN
	CloseWrite() error
	Close() error
	Reset(wire.Code)
}

// pump joins an app's connection and a stream until both directions are over. confirm, on the accepting
// side, is what the app's CONFIRM does; nil: the stream is confirmed already.
func pump(nc net.Conn, r *app.Reader, w *app.Writer, st Pipe, confirm func()) {
	var wg sync.WaitGroup
	wg.Go(func() { down(nc, w, st) })
	up(nc, r, st, confirm)
	wg.Wait()
}

// up moves frames of the app to the stream until the app closes, resets or hangs up.
func up(nc net.Conn, r *app.Reader, st Pipe, confirm func()) {
	fin := false
	for {
		kind, body, err := r.Next()
		switch {
		case err != nil && fin:
			st.Close() // the app said FIN and went: it reads no more either
			return
		case err != nil:
			st.Reset(wire.CodeCancelled)
			return
		case kind == app.Confirm && confirm != nil:
			confirm()
		case kind == app.Data && !fin:
			if _, err := st.Write(body); err != nil {
				return // down tells the app
			}
		case kind == app.Fin && !fin:
			fin = true
			st.CloseWrite()
		case kind == app.Reset:
			st.Reset(app.ParseErr(body).Code)
			nc.Close()
			return
		default:
			st.Reset(wire.CodeBadRequest)
			nc.Close()
			return
		}
	}
}

// tellTimeout bounds telling an app that does not read that its stream is over.
const tellTimeout = 5 * time.Second

// down moves what arrives to the app until FIN or the stream's end, and tells the app which.
func down(nc net.Conn, w *app.Writer, st Pipe) {
	_, err := st.WriteTo(w)
	if err == nil {
		w.Frame(app.Fin, nil)
		return
	}
	var refused *wire.Refused
	if !errors.As(err, &refused) {
		st.Reset(wire.CodeCancelled) // the app's connection failed
		nc.Close()
		return
	}
	nc.SetWriteDeadline(time.Now().Add(tellTimeout))
	w.Frame(app.Reset, binary.BigEndian.AppendUint16(nil, uint16(refused.Code)))
	nc.Close()
}
