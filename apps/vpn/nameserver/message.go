package nameserver

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/net/dns/dnsmessage"
)

// headerLen is that of a message's header; idLen that of the ID it begins with.
const (
	headerLen = 12
	idLen     = 2
)

// maxExtra bounds the additional records of a question: EDNS (RFC 6891), a signature, and one more.
const maxExtra = 3

// Types that are no question of a client: transfers of zones.
const (
	typeIXFR dnsmessage.Type = 251
	typeAXFR dnsmessage.Type = 252
)

// question is a message that asks one thing.
type question struct {
	message []byte // as it came
	end     int    // of the question's section
}

var (
	errNoQuestion = errors.New("nameserver: no question")
	errRefused    = errors.New("nameserver: a question that is not answered here")
)

// parseQuestion checks what a client sent. errRefused is for what deserves an answer nevertheless.
func parseQuestion(b []byte) (q question, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.Response || h.OpCode != 0 || h.Truncated {
		return q, errNoQuestion
	}
	questions, answers, authorities, extra := counts(b)
	if questions != 1 || answers != 0 || authorities != 0 || extra > maxExtra {
		return q, errNoQuestion
	}
	asked, err := p.Question()
	if err != nil {
		return q, errNoQuestion
	}
	end, ok := questionEnd(b)
	if !ok {
		return q, errNoQuestion
	}
	q = question{b, end}
	if asked.Class != dnsmessage.ClassINET || asked.Type == typeAXFR || asked.Type == typeIXFR {
		return q, errRefused
	}
	return q, nil
}

// counts are the numbers of records by section.
func counts(b []byte) (questions, answers, authorities, extra uint16) {
	return binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
}

// questionEnd finds where the question ends: a name without pointers, type and class.
func questionEnd(b []byte) (int, bool) {
	at := headerLen
	for at < len(b) && b[at] != 0 {
		if b[at]&0xc0 != 0 {
			return 0, false // nothing comes before it that it could point to
		}
		at += 1 + int(b[at])
	}
	at += 1 + 2 + 2
	return at, at <= len(b)
}

// under is the question with another ID.
func (q question) under(id uint16) []byte {
	b := bytes.Clone(q.message)
	binary.BigEndian.PutUint16(b, id)
	return b
}

// answeredBy tells whether b answers the question that was asked with id.
func (q question) answeredBy(b []byte, id uint16) bool {
	const response = 0x80
	if len(b) < q.end || binary.BigEndian.Uint16(b) != id || b[idLen]&response == 0 {
		return false
	}
	questions, _, _, _ := counts(b)
	end, ok := questionEnd(b)
	return ok && questions == 1 && end == q.end && equalFold(b[headerLen:end], q.message[headerLen:q.end])
}

// equalFold compares questions as RFC 4343 does names; type and class have no letters that matter less.
func equalFold(a, b []byte) bool {
	const tail = 4 // type and class
	n := len(a) - tail
	return bytes.EqualFold(a[:n], b[:n]) && bytes.Equal(a[n:], b[n:])
}

// failure is the answer that there is none, and why.
func (q question) failure(code dnsmessage.RCode) []byte {
	b := bytes.Clone(q.message[:q.end])
	const keep = 0x79 // opcode and "recursion desired"
	b[2] = b[2]&keep | 0x80
	b[3] = 0x80 | byte(code)&0x0f
	copy(b[6:headerLen], make([]byte, 6))
	return b
}

// truncated is the answer that it is too long for UDP: the client asks again over TCP.
func (q question) truncated() []byte {
	b := q.failure(dnsmessage.RCodeSuccess)
	b[2] |= 0x02
	return b
}
