package signal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Code is the number of an error on the wire. Zero is no code.
type Code int

// The codes of JSON-RPC 2.0 that are used.
const (
	CodeParse    Code = -32700 // the frame is no JSON object; the connection is closed
	CodeRequest  Code = -32600 // not a message of JSON-RPC 2.0; the connection is closed
	CodeNoMethod Code = -32601 // unknown here, or not for this side of this connection
	CodeParams   Code = -32602 // parameters missing, of the wrong type or out of range
	CodeInternal Code = -32603
)

// The codes of this protocol. Append-only.
const (
	CodeProtocol    Code = 1  // hello named a version the server does not speak
	CodeRefused     Code = 2  // the kernel or the proof says that this is not the process it claims to be
	CodeTaken       Code = 3  // the id is registered and its connection is alive
	CodeNoApp       Code = 4  // no app has this id
	CodeNotRunning  Code = 5  // the app has ended
	CodeNoSignal    Code = 6  // the app runs but has no signal connection now
	CodeTimeout     Code = 7  // no answer within the deadline
	CodeBusy        Code = 8  // too many requests or connections; try again
	CodeTooLarge    Code = 9  // the answer would not fit a frame
	CodeNoCommand   Code = 10 // the app has no command of this name
	CodeCommand     Code = 11 // the command failed; the message says why
	CodeCleanup     Code = 12 // the clean-up of a shutdown failed or took too long
	CodeStart       Code = 13 // the program could not be started
	CodeStopping    Code = 14 // the server is ending
	CodeUnavailable Code = 15 // the request needs a part this server was built or started without
	CodeNoTerm      Code = 16 // no terminal has this id, or several have one that begins so
	CodeLastTerm    Code = 17 // the last terminal stays while a window shows it
)

// maxErrorText bounds the text of an error taken from the wire or put on it.
const maxErrorText = 4 << 10

// Error is an error answer. Message is for people; from a peer it is only a hint.
type Error struct {
	Code    Code            `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Errorf returns an error with a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Message }

// CodeOf returns the code of the first *Error in err's chain, otherwise zero.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// wireError is what goes on the wire for err: a wrapped *Error keeps its code, anything else is code.
func wireError(err error, code Code) *Error {
	e := &Error{Code: code, Message: cut(err.Error(), maxErrorText)}
	var inner *Error
	if errors.As(err, &inner) {
		e.Code, e.Data = inner.Code, inner.Data
	}
	return e
}
