package wire

import "fmt"

// Code says why a stream was refused or reset. It crosses sessions and app sockets.
// Append-only.
type Code uint16

// The codes.
const (
	CodeRefused         Code = 1  // the target refused the connection
	CodeHostUnreachable Code = 2  // the target's host cannot be reached, or its name does not resolve
	CodeNetUnreachable  Code = 3  // the target's network cannot be reached
	CodeTimeout         Code = 4  // nobody answered in time
	CodeDenied          Code = 5  // the far end's policy forbids it
	CodeNoListener      Code = 6  // no app listens on that port of that node
	CodeNoRoute         Code = 7  // there is no route to that node
	CodeNoName          Code = 8  // no node or app has that name
	CodeBusy            Code = 9  // a limit is reached: too many streams, sessions or memory
	CodeInternal        Code = 10 // the far end failed
	CodeGone            Code = 11 // the session ended: a node or link on the way is lost
	CodeCancelled       Code = 12 // the app at the far end gave up the stream
	CodeBadRequest      Code = 13 // the request makes no sense to the far end
)

var codeText = map[Code]string{
	CodeRefused: "connection refused", CodeHostUnreachable: "host unreachable", CodeNetUnreachable: "network unreachable",
	CodeTimeout: "timed out", CodeDenied: "denied by policy", CodeNoListener: "no app listens there", CodeNoRoute: "no route",
	CodeNoName: "no such name", CodeBusy: "too busy", CodeInternal: "internal error", CodeGone: "the session was lost",
	CodeCancelled: "cancelled by the other end", CodeBadRequest: "bad request",
}

func (c Code) String() string {
	if s := codeText[c]; s != "" {
		return s
	}
	return fmt.Sprintf("code %d", uint16(c))
}

// Refused is the error of a stream that was refused or reset.
type Refused struct {
	Code Code
	Text string // from the far end: a hint, not to be trusted; may be empty
}

func (e *Refused) Error() string {
	if e.Text == "" {
		return e.Code.String()
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Text)
}

// Is makes errors.Is match refusals of the same code.
func (e *Refused) Is(target error) bool {
	t, ok := target.(*Refused)
	return ok && t.Code == e.Code
}
