package apphost

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
	"github.com/skycoin/viscript/node/wire"
)

// tunnelAt is a TUN of an app, at its port for datagrams.
type tunnelAt struct{ *tunnel.Tunnel }

// take implements datagrams.
func (t tunnelAt) take(remote identity.PubKey, from uint16, b []byte) {
	t.Receive(tunnel.PeerID{Key: remote, Port: from}, b)
}

// tunnelTo moves packets between the TUN that an app gave us and sessions, until the app hangs up or the TUN fails.
func (h *Host) tunnelTo(p *pump, q app.Request) error {
	f := p.in.TakeFile()
	if f == nil {
		return &wire.Refused{Code: wire.CodeBadRequest, Text: "no TUN came along"}
	}
	dev, err := tunnel.OpenFile(f)
	if err != nil {
		return &wire.Refused{Code: wire.CodeBadRequest, Text: err.Error()}
	}
	defer dev.Close()
	m, err := h.over(q)
	if err != nil {
		return err
	}
	var port app.Port
	head, tail := m.DatagramRoom()
	t := tunnel.New(tunnel.Config{
		Device: dev, Offload: packet.Offload(q.Bits), Head: head, Tail: tail,
		Send: func(to tunnel.PeerID, rec []byte) {
			if err := m.SendRoomy(to.Key, to.Port, uint16(port), rec); err != nil {
				h.log.Debug("sending packets", "peer", to.Key.Short(), "port", to.Port, "err", err)
			}
		},
	})
	if port, err = h.takeDatagrams(taker{tunnelAt{t}, m.Terms()}, q.Port); err != nil {
		return err
	}
	defer h.freeDatagrams(port)
	if err := p.w.Frame(app.OK, app.AppendPacket(nil, app.Packet{Key: h.mesh.Self().Key, Port: port})); err != nil {
		return nil
	}
	var moving sync.WaitGroup
	defer moving.Wait()
	defer dev.Close()
	moving.Go(func() { tellEnd(p.nc, p.w, t.Run()) })
	return h.command(p, t)
}

// tellEnd ends an app's connection because its TUN is over.
func tellEnd(nc net.Conn, w *app.Writer, err error) {
	nc.SetWriteDeadline(time.Now().Add(tellTimeout))
	w.Fail(&wire.Refused{Code: wire.CodeGone, Text: fmt.Sprintf("the TUN failed: %v", err)})
	nc.Close()
}

// command does what the app says of its tunnel, until it hangs up.
func (h *Host) command(p *pump, t *tunnel.Tunnel) error {
	for {
		kind, body, err := p.r.Next()
		if err != nil {
			return nil
		}
		switch kind {
		case app.TunnelRules:
			var r packet.Rules
			if r, err = app.ParseRules(body); err == nil {
				t.SetRules(r)
			}
		case app.TunnelPeer:
			var x tunnel.Peer
			if x, err = app.ParsePeer(body); err == nil {
				err = t.SetPeer(x)
			}
		case app.TunnelAsk:
			if err = writeCounts(p.w, t); err != nil {
				return nil
			}
			continue
		default:
			err = app.ErrFrame
		}
		if errors.Is(err, app.ErrFrame) {
			return &wire.Refused{Code: wire.CodeBadRequest, Text: err.Error()}
		}
		if err != nil {
			err = p.w.Fail(&wire.Refused{Code: wire.CodeBusy, Text: err.Error()})
		} else {
			err = p.w.Frame(app.TunnelDone, nil)
		}
		if err != nil {
			return nil
		}
	}
}

func writeCounts(w *app.Writer, t *tunnel.Tunnel) error {
	total, peers := t.Counts()
	for {
		var body []byte
		body, peers = app.AppendCounts(nil, total, peers)
		if err := w.Frame(app.TunnelCounts, body); err != nil || len(peers) == 0 {
			return err
		}
	}
}
