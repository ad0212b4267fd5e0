package apphost

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// What waits for one app that is slow to take its datagrams; more is dropped, newest first.
const (
	maxDatagrams     = 1024
	maxDatagramBytes = 1 << 20
)

// datagrams takes the datagrams of one port. take must not block, and may overwrite b, which it does not keep.
type datagrams interface {
	take(remote identity.PubKey, from uint16, b []byte)
}

// taker is who has a port for datagrams, and what the routes must meet by which they come: Mesh.Terms.
type taker struct {
	datagrams
	over string
}

// packets is an app that sends and takes datagrams at a port.
type packets struct {
	port  app.Port
	in    chan []byte // bodies of DATAGRAM frames
	bytes atomic.Int64
}

// listenPacket keeps a port for an app's datagrams until it hangs up.
func (h *Host) listenPacket(nc net.Conn, r *app.Reader, w *app.Writer, q app.Request) error {
	m, err := h.over(q)
	if err != nil {
		return err
	}
	p := &packets{in: make(chan []byte, maxDatagrams)}
	if p.port, err = h.takeDatagrams(taker{p, m.Terms()}, q.Port); err != nil {
		return err
	}
	defer h.freeDatagrams(p.port)
	self := app.Packet{Key: h.mesh.Self().Key, Port: p.port}
	if err := w.Frame(app.OK, app.AppendPacket(nil, self)); err != nil {
		return nil
	}
	gone := make(chan struct{})
	var toApp sync.WaitGroup
	defer toApp.Wait()
	defer nc.Close() // wakes a write to an app that reads no more
	defer close(gone)
	toApp.Go(func() { p.pump(w, gone) })
	for {
		kind, body, err := r.Next()
		if err != nil {
			return nil
		}
		d, err := app.ParsePacket(body)
		if kind != app.Datagram || err != nil {
			nc.SetWriteDeadline(time.Now().Add(tellTimeout))
			w.Fail(&wire.Refused{Code: wire.CodeBadRequest, Text: "malformed datagram"})
			return nil
		}
		if err := m.SendDatagram(d.Key, uint16(d.Port), uint16(p.port), d.Data); err != nil {
			h.log.Debug("sending a datagram", "peer", d.Key.Short(), "port", d.Port, "err", err)
		}
	}
}

// pump writes to the app what has come for it.
func (p *packets) pump(w *app.Writer, gone <-chan struct{}) {
	for {
		select {
		case b := <-p.in:
			p.bytes.Add(-int64(len(b)))
			if w.Frame(app.Datagram, b) != nil {
				return
			}
		case <-gone:
			return
		}
	}
}

// takeDatagrams gives a port to who takes its datagrams; 0: any.
func (h *Host) takeDatagrams(d taker, port app.Port) (app.Port, error) {
	h.portsMu.Lock()
	defer h.portsMu.Unlock()
	if len(h.packets) >= maxListeners {
		return 0, &wire.Refused{Code: wire.CodeBusy, Text: "too many apps take datagrams on this node"}
	}
	if port == 0 {
		for port = firstAutoPort; h.packets[port].datagrams != nil; port++ {
		}
	}
	if h.packets[port].datagrams != nil {
		return 0, &wire.Refused{Code: wire.CodeBusy, Text: fmt.Sprintf("port %d of this node is taken for datagrams", port)}
	}
	h.packets[port] = d
	return port, nil
}

func (h *Host) freeDatagrams(port app.Port) {
	h.portsMu.Lock()
	defer h.portsMu.Unlock()
	delete(h.packets, port)
}

// Datagram hands a datagram that came from a port of a node to the app on ours. It does not block and does not keep b, which it may
// overwrite; without an app, or when too much waits, the datagram is dropped; so is one that did not come over what the port was taken
// over: over is the Mesh.Terms of the way it came.
func (h *Host) Datagram(remote identity.PubKey, port, from uint16, over string, b []byte) {
	h.portsMu.RLock()
	d := h.packets[app.Port(port)]
	h.portsMu.RUnlock()
	if d.datagrams != nil && (d.over == "" || d.over == over) {
		d.take(remote, from, b)
	}
}

// take implements datagrams: it queues one for the app.
func (p *packets) take(remote identity.PubKey, from uint16, b []byte) {
	if len(b) > app.MaxDatagram {
		return
	}
	body := app.AppendPacket(make([]byte, 0, identity.PubKeyLen+2+len(b)), app.Packet{Key: remote, Port: app.Port(from), Data: b})
	if p.bytes.Add(int64(len(body))) > maxDatagramBytes {
		p.bytes.Add(-int64(len(body)))
		return
	}
	select {
	case p.in <- body:
	default:
		p.bytes.Add(-int64(len(body)))
	}
}
