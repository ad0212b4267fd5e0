package mailbox

import (
	"errors"
	"time"
)

// Limits that both ends know.
const (
	// MaxPut and MaxPutCount bound the envelopes of one request: bytes, unless it is one, and number.
	MaxPut      = 60 << 10
	MaxPutCount = 30
	// MaxPrekeys is how many prekeys one request carries, MaxStock how many of one device are kept.
	MaxPrekeys = 40
	MaxStock   = 100
	// MaxDevices is how many devices one person has, those that were removed in the last 30 days too.
	MaxDevices = 8
	// TTL is how long an envelope waits.
	TTL = 30 * 24 * time.Hour
)

// Errors of requests that callers tell apart.
var (
	ErrNobody = errors.New("mailbox: nobody has this mailbox here")
	ErrGone   = errors.New("mailbox: the device was removed by its owner")
	ErrFull   = errors.New("mailbox: the mailbox is full, or too much was sent to it; later")
)
