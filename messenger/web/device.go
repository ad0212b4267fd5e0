package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// deviceRow is one of our devices.
type deviceRow struct {
	Device string     `json:"device"` // 8 hex digits
	Name   string     `json:"name,omitempty"`
	This   bool       `json:"this,omitempty"`
	Gone   bool       `json:"gone,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
	Seen   *time.Time `json:"seen,omitempty"`
}

func (s *Server) devices(w http.ResponseWriter, _ *http.Request) {
	list, err := s.e.Devices()
	rows := make([]deviceRow, len(list))
	for i, d := range list {
		rows[i] = deviceRow{fmt.Sprintf("%08x", d.Device), d.Name, d.This, d.Gone || d.This && s.e.Removed(), known(d.Since), known(d.Seen)}
	}
	answer(w, rows, err)
}

// known is nil for no time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// device names one of ours, or ends another one.
func (s *Server) device(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Device string `json:"device"`
		Act    string `json:"act"`
		Name   string `json:"name"`
	}
	if !body(w, r, &q) {
		return
	}
	n, err := strconv.ParseUint(q.Device, 16, 32)
	switch {
	case err != nil || q.Act != "name" && q.Act != "remove":
		err = errAct
	case q.Act == "name":
		err = s.e.NameDevice(uint32(n), q.Name)
	default:
		err = s.e.RemoveDevice(uint32(n))
	}
	answer(w, struct{}{}, err)
}
