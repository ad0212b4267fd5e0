package signal

import "encoding/json"

// Lengths of the queues; at full length and size one holds about a megabyte of lines.
const (
	maxEvents = 256
	maxLogs   = 256
)

// outbox is what the program has said and the server has not been sent. The client's mutex
// guards it.
type outbox struct {
	ready, readySent     bool
	status               string
	statusSent           bool
	events               []EventParams
	logs                 []LogParams
	lostEvents, lostLogs uint64 // since the last one that was taken
}

// note is one notification.
type note struct {
	method string
	params any
}

func (o *outbox) addEvent(e EventParams) {
	if len(o.events) == maxEvents {
		o.events = append(o.events[:0], o.events[1:]...)
		o.lostEvents++
	}
	o.events = append(o.events, e)
}

func (o *outbox) addLog(line string) {
	if len(o.logs) == maxLogs {
		o.logs = append(o.logs[:0], o.logs[1:]...)
		o.lostLogs++
	}
	o.logs = append(o.logs, LogParams{Line: line})
}

// registered notes what register has told the server, which knows nothing else of before.
func (o *outbox) registered(ready bool) {
	o.readySent = ready
	o.statusSent = o.status == ""
}

// next takes the most urgent notification; false when there is none.
func (o *outbox) next() (note, bool) {
	switch {
	case !o.statusSent: // first: who waits until the program is ready then knows what it says
		o.statusSent = true
		return note{MethodStatus, StatusParams{Text: o.status}}, true
	case o.ready && !o.readySent:
		o.readySent = true
		return note{MethodReady, nil}, true
	case len(o.events) > 0:
		e := o.events[0]
		e.Dropped, o.lostEvents = o.lostEvents, 0
		o.events = o.events[1:]
		return note{MethodEvent, e}, true
	case len(o.logs) > 0:
		l := o.logs[0]
		l.Dropped, o.lostLogs = o.lostLogs, 0
		o.logs = o.logs[1:]
		return note{MethodLog, l}, true
	}
	return note{}, false
}

// putBack undoes next for a notification that could not be queued. One for which there is
// no room any more is the oldest: dropped.
func (o *outbox) putBack(n note) {
	switch p := n.params.(type) {
	case StatusParams:
		o.statusSent = false
	case EventParams:
		o.lostEvents += p.Dropped
		if p.Dropped = 0; len(o.events) == maxEvents {
			o.lostEvents++
			return
		}
		o.events = append([]EventParams{p}, o.events...)
	case LogParams:
		o.lostLogs += p.Dropped
		if p.Dropped = 0; len(o.logs) == maxLogs {
			o.lostLogs++
			return
		}
		o.logs = append([]LogParams{p}, o.logs...)
	default:
		o.readySent = false
	}
}

// encodeFields returns an event's fields as JSON, or nothing when they do not fit.
func (c *Client) encodeFields(kind string, fields any) json.RawMessage {
	if fields == nil {
		return nil
	}
	raw, err := json.Marshal(fields)
	if err == nil && len(raw) > MaxFields {
		err = Errorf(CodeTooLarge, "%d bytes, limit %d", len(raw), MaxFields)
	}
	if err != nil {
		c.log.Warn("fields of an event left out", "event", kind, "err", err)
		return nil
	}
	return raw
}
