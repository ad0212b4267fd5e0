package resolver

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// The little of D-Bus that four calls without answers take (D-Bus Specification 0.43).
const (
	busTime    = 5 * time.Second // a whole call
	maxMessage = 64 << 10        // of what the bus sends us; its calls are answered by a few bytes

	typeCall, typeReturn, typeError, typeSignal = 1, 2, 3, 4

	fieldPath, fieldInterface, fieldMember, fieldError, fieldDestination, fieldSignature = 1, 2, 3, 4, 6, 8

	fixedHeader = 16
)

// busError is the name of an error that the other end of a call answered.
type busError string

func (e busError) Error() string { return string(e) }

// errUnknownService is answered where nobody has the name, and cannot be started to have it.
const errUnknownService busError = "org.freedesktop.DBus.Error.ServiceUnknown"

// call is one method call.
type call struct {
	destination, path, iface, member string
	signature                        string
	body                             []byte
}

// callBus connects to the bus at socket and makes calls, one after the other, until one fails. limit is for all of it.
func callBus(socket string, limit time.Duration, calls []call) error {
	c, err := net.DialTimeout("unix", socket, limit)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	if err := login(c, r); err != nil {
		return err
	}
	hello := call{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", nil}
	for i, m := range append([]call{hello}, calls...) {
		if _, err := c.Write(m.append(nil, uint32(i+1))); err != nil {
			return fmt.Errorf("calling %s: %w", m.member, err)
		}
		if err := outcome(r); err != nil {
			return fmt.Errorf("calling %s: %w", m.member, err)
		}
	}
	return nil
}

// login says who we are; the bus sees it by the socket's credentials.
func login(c net.Conn, r *bufio.Reader) error {
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Getuid())))
	if _, err := c.Write([]byte("\x00AUTH EXTERNAL " + uid + "\r\n")); err != nil {
		return err
	}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("greeting the bus: %w", err)
	}
	if !strings.HasPrefix(string(line), "OK ") {
		return fmt.Errorf("the bus refuses us: %.100q", line)
	}
	_, err = c.Write([]byte("BEGIN\r\n"))
	return err
}

// outcome reads until the answer of the call that is under way.
func outcome(r io.Reader) error {
	for {
		kind, fields, err := readMessage(r)
		switch {
		case err != nil:
			return err
		case kind == typeReturn:
			return nil
		case kind == typeError:
			return busError(errorName(fields))
		case kind != typeSignal:
			return fmt.Errorf("message of type %d", kind)
		}
	}
}

// readMessage reads one message and gives its kind and header fields.
func readMessage(r io.Reader) (kind byte, fields []byte, err error) {
	var h [fixedHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if h[0] == 'B' {
		order = binary.BigEndian
	}
	body, n := order.Uint32(h[4:]), order.Uint32(h[12:])
	if body > maxMessage || n > maxMessage {
		return 0, nil, errors.New("the bus sends too much")
	}
	b := make([]byte, (n+7)&^7+body)
	_, err = io.ReadFull(r, b)
	return h[1], b[:n], err
}

// errorName finds the name in the header of an error: a field is its code, the signature "s" and the string.
func errorName(fields []byte) string {
	for at := 0; at+8 <= len(fields); {
		code, kind := fields[at], fields[at+2]
		if fields[at+1] != 1 || fields[at+3] != 0 {
			break
		}
		n := 0
		switch kind {
		case 'u':
			n = 4
		case 's', 'o':
			n = 4 + int(binary.LittleEndian.Uint32(fields[at+4:])) + 1
		case 'g':
			n = 1 + int(fields[at+4]) + 1
		}
		if n <= 0 || n > len(fields)-at-4 {
			break
		}
		if code == fieldError && kind == 's' {
			return string(fields[at+8 : at+4+n-1])
		}
		at = (at + 4 + n + 7) &^ 7
	}
	return "error without a name"
}

// append adds the call's bytes.
func (m call) append(b []byte, serial uint32) []byte {
	var f []byte
	for _, x := range []struct {
		code byte
		kind byte
		text string
	}{{fieldPath, 'o', m.path}, {fieldInterface, 's', m.iface}, {fieldMember, 's', m.member}, {fieldDestination, 's', m.destination}} {
		f = append(pad(f, 8), x.code, 1, x.kind, 0)
		f = appendString(f, x.text)
	}
	if m.signature != "" {
		f = append(pad(f, 8), fieldSignature, 1, 'g', 0, byte(len(m.signature)))
		f = append(append(f, m.signature...), 0)
	}
	b = append(b, 'l', typeCall, 0, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.body)))
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
	return append(append(b, pad(f, 8)...), m.body...)
}

func pad(b []byte, to int) []byte {
	for len(b)%to != 0 {
		b = append(b, 0)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(pad(b, 4), uint32(len(s)))
	return append(append(b, s...), 0)
}
