package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/skycoin/viscript/node/wire"
)

// Reason says why a connection was refused or broken. The numbers are not on any wire:
// the mesh gets a code (see Code), the program a reply (see Reply).
type Reason uint8

// The reasons. Internal is the zero value: nothing better is known.
const (
	Internal        Reason = iota
	Refused                // the target refused (RST to our SYN)
	HostUnreachable        // the target's host cannot be reached
	NetUnreachable         // the target's network cannot be reached from the exit
	TimedOut               // no answer in time
	Denied                 // policy or key allow list of the exit
	NoSuchName             // the exit's resolver knows no such name
	NoRoute                // the mesh has no route to the exit
	NoListener             // no exit listens at that key and port
	Busy                   // a limit was reached
	Gone                   // broken after it was established
	Malformed              // bytes that break RFC 1928, RFC 1929 or the target's format
	BadCommand             // not CONNECT
	BadAddrType            // address type other than 1, 3, 4
	BadAuth                // no acceptable method, or wrong user or password
	ForeignUser            // a program of another user on this machine
	numReasons      int    = iota
)

// String returns the reason in a word or two, as counters show it.
func (r Reason) String() string {
	names := [numReasons]string{
		"internal", "refused", "host unreachable", "network unreachable", "timed out", "denied",
		"no such name", "no route", "no listener", "busy", "gone", "malformed", "command not supported",
		"address type not supported", "authentication failed", "foreign user",
	}
	if int(r) >= len(names) {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return names[r]
}

// hint is what a person who reads the reason in a browser may do about it, with what parts the two; "" where
// the reason says it all.
func (r Reason) hint() string {
	switch r {
	case Denied:
		return ": the rules of the exit do not admit this address, or not this node (private addresses only where it runs with --allow-private)"
	case NoRoute:
		return ": the mesh has no way to the exit now; `tell NODE why` says what is missing"
	case NoListener:
		return ": no exit answers; `tell ID servers` of the proxy lists those that it knows"
	case NoSuchName:
		return ": the exit finds no host of that name"
	case Busy:
		return ": a limit of the proxy or of the exit is reached; try again"
	}
	return ""
}

// Reply codes of RFC 1928 section 6.
const (
	replySucceeded       = 0
	replyGeneral         = 1
	replyDenied          = 2
	replyNetUnreachable  = 3
	replyHostUnreachable = 4
	replyRefused         = 5
	replyTTLExpired      = 6 // by custom also for "timed out"
	replyBadCommand      = 7
	replyBadAddrType     = 8
)

// Reply returns the reply code of RFC 1928 section 6 that tells a program the reason.
func (r Reason) Reply() byte {
	switch r {
	case Refused:
		return replyRefused
	case HostUnreachable, NoSuchName:
		return replyHostUnreachable
	case NetUnreachable, NoRoute:
		return replyNetUnreachable
	case TimedOut:
		return replyTTLExpired
	case Denied:
		return replyDenied
	case BadCommand:
		return replyBadCommand
	case BadAddrType:
		return replyBadAddrType
	default:
		return replyGeneral
	}
}

// Code returns what tells the far end of a stream the reason.
func (r Reason) Code() wire.Code {
	switch r {
	case Refused:
		return wire.CodeRefused
	case HostUnreachable, NoSuchName:
		return wire.CodeHostUnreachable
	case NetUnreachable:
		return wire.CodeNetUnreachable
	case TimedOut:
		return wire.CodeTimeout
	case Denied:
		return wire.CodeDenied
	case NoRoute:
		return wire.CodeNoRoute
	case NoListener:
		return wire.CodeNoListener
	case Busy:
		return wire.CodeBusy
	case Gone:
		return wire.CodeCancelled
	case Malformed:
		return wire.CodeBadRequest
	default:
		return wire.CodeInternal
	}
}

// reasonOfCode reads a code that came from the mesh; unknown ones are Internal.
func reasonOfCode(c wire.Code) Reason {
	switch c {
	case wire.CodeRefused:
		return Refused
	case wire.CodeHostUnreachable:
		return HostUnreachable
	case wire.CodeNetUnreachable:
		return NetUnreachable
	case wire.CodeTimeout:
		return TimedOut
	case wire.CodeDenied:
		return Denied
	case wire.CodeNoListener, wire.CodeNoName: // a name of the mesh, not of the target
		return NoListener
	case wire.CodeNoRoute:
		return NoRoute
	case wire.CodeBusy:
		return Busy
	case wire.CodeGone, wire.CodeCancelled:
		return Gone
	case wire.CodeBadRequest:
		return Malformed
	default:
		return Internal
	}
}

// Error is a failure with its reason.
type Error struct {
	Reason Reason
	Err    error // nil when the reason tells all
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return "socks: " + e.Reason.String()
	}
	return fmt.Sprintf("socks: %s: %v", e.Reason, e.Err)
}

// Unwrap returns what was wrapped.
func (e *Error) Unwrap() error { return e.Err }

// because makes an Error with a formatted cause.
func because(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Err: fmt.Errorf(format, args...)}
}

// ReasonOf finds the reason of an error: that of an *Error or *wire.Refused in its chain,
// else by deadline, resolver answer or errno. Internal when nothing matches.
func ReasonOf(err error) Reason {
	var own *Error
	var refused *wire.Refused
	var dns *net.DNSError
	switch {
	case errors.As(err, &own):
		return own.Reason
	case errors.As(err, &refused):
		return reasonOfCode(refused.Code)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return Gone
	case errors.As(err, &dns):
		return dnsReason(dns)
	default:
		return errnoReason(err)
	}
}

func dnsReason(err *net.DNSError) Reason {
	switch {
	case err.IsNotFound:
		return NoSuchName
	case err.IsTimeout:
		return TimedOut
	default:
		return HostUnreachable
	}
}

func errnoReason(err error) Reason {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return Internal
	}
	switch errno {
	case syscall.ECONNREFUSED:
		return Refused
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN:
		return HostUnreachable
	case syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT:
		return NetUnreachable
	case syscall.ETIMEDOUT:
		return TimedOut
	case syscall.EACCES, syscall.EPERM:
		return Denied
	case syscall.ECONNRESET, syscall.EPIPE:
		return Gone
	default:
		return Internal
	}
}
