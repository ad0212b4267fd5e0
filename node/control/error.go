package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/skycoin/viscript/node/wire"
)

// Code is why a request was refused. Append-only.
type Code uint16

// The codes.
const (
	CodeBadRequest   Code = 1  // the request breaks the protocol or its limits
	CodeInternal     Code = 2  // the other side failed; nothing the asker did
	CodeUnavailable  Code = 3  // somebody needed is not reachable now
	CodeBusy         Code = 4  // too many requests at once, or too fast
	CodeRefused      Code = 5  // a node on the path does not want the route
	CodeQuota        Code = 6  // the key has as many as it may have
	CodeNoRoute      Code = 7  // the network has no such path now
	CodeUnknownKey   Code = 8  // no live node has this key
	CodeNotAnEnd     Code = 9  // only an end of a route may do this
	CodeCollision    Code = 10 // a route number is in use at the node
	CodeNameTaken    Code = 11 // the name belongs to another key
	CodeUnknownName  Code = 12
	CodeUnknownAddr  Code = 13 // no live record lists the address
	CodeAmbiguous    Code = 14 // several live records list the address
	CodeStale        Code = 15 // a newer record is there, or the clocks differ too much
	CodeUnknownRoute Code = 16
	CodeBadSignature Code = 17
	CodeNoBetter     Code = 18 // no path is clearly better than the one in use
	CodeNotMember    Code = 19 // the network is closed, and the key not on its list
)

var codeText = [...]string{
	CodeBadRequest:   "bad request",
	CodeInternal:     "internal failure",
	CodeUnavailable:  "unavailable",
	CodeBusy:         "too many requests",
	CodeRefused:      "refused",
	CodeQuota:        "quota reached",
	CodeNoRoute:      "no route",
	CodeUnknownKey:   "unknown key",
	CodeNotAnEnd:     "not an end of the route",
	CodeCollision:    "route number in use",
	CodeNameTaken:    "name taken",
	CodeUnknownName:  "unknown name",
	CodeUnknownAddr:  "unknown address",
	CodeAmbiguous:    "ambiguous address",
	CodeStale:        "stale record",
	CodeUnknownRoute: "unknown route",
	CodeBadSignature: "bad signature",
	CodeNoBetter:     "no better path",
	CodeNotMember:    "not a member of this network",
}

// String says the code in words.
func (c Code) String() string {
	if int(c) < len(codeText) && codeText[c] != "" {
		return codeText[c]
	}
	return "code " + strconv.Itoa(int(c))
}

// Error is a refusal that travels to the asker. Text is a hint for people, at most
// MaxTextLen bytes; what came from a peer is cut and cleaned of control characters.
type Error struct {
	Code Code
	Text string
}

// Errorf makes an Error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Text: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Text
}

// Is makes errors.Is(err, &Error{Code: c}) true of every error of that code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Text == "" || t.Text == e.Text)
}

// CodeOf returns the code of the first Error in err's chain, 0 when there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// asError turns what a request's handler returned into what its asker may know.
func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return &Error{Code: e.Code, Text: e.Text}
	case errors.Is(err, wire.ErrMalformed):
		return Errorf(CodeBadRequest, "%v", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Errorf(CodeUnavailable, "not done in time")
	default:
		return &Error{Code: CodeInternal}
	}
}

func (e *Error) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(e.Code))
	return wire.AppendString(dst, cleanText(e.Text))
}

func parseError(b []byte) (*Error, error) {
	r := wire.NewReader(b)
	e := &Error{Code: Code(r.U16()), Text: r.String(MaxTextLen)}
	if err := r.Done(); err != nil {
		return nil, err
	}
	e.Text = cleanText(e.Text)
	return e, nil
}

// cleanText makes s one line of valid UTF-8 within MaxTextLen bytes.
func cleanText(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || (c >= 0x7f && c < 0xa0) || c == utf8.RuneError || c == 0x2028 || c == 0x2029 {
			return '?'
		}
		return c
	}, s)
	if len(s) <= MaxTextLen {
		return s
	}
	cut := MaxTextLen
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
