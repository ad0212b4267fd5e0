package gl

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// displayTime is how long an X server may take to accept a connection.
const displayTime = 2 * time.Second

// checkDisplay connects to the X server that display (the variable DISPLAY) names, since GLFW cannot say why it
// has no display. The errors are ErrNoDisplay.
func checkDisplay(display string) error {
	if display == "" {
		return fmt.Errorf("%w: DISPLAY is not set", ErrNoDisplay)
	}
	places, err := displayAddrs(display)
	if err != nil {
		return fmt.Errorf("%w: DISPLAY=%q: %v", ErrNoDisplay, display, err)
	}
	for _, p := range places {
		conn, e := net.DialTimeout(p.network, p.addr, displayTime)
		if e == nil {
			return conn.Close()
		}
		err = errors.Join(err, e)
	}
	return fmt.Errorf("%w: DISPLAY=%q: %v", ErrNoDisplay, display, err)
}

type displayAddr struct{ network, addr string }

// displayAddrs is where a server listens, as X(7) has it: [protocol/][host]:number[.screen].
func displayAddrs(display string) ([]displayAddr, error) {
	colon := strings.LastIndexByte(display, ':')
	if colon < 0 {
		return nil, errors.New("without a number")
	}
	host, number := display[:colon], display[colon+1:]
	number, _, _ = strings.Cut(number, ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 65535-6000 {
		return nil, errors.New("without a number")
	}
	if _, h, ok := strings.Cut(host, "/"); ok && !strings.HasPrefix(host, "/") {
		host = h
	}
	if strings.HasPrefix(host, "/") {
		return []displayAddr{{"unix", display}, {"unix", host}}, nil
	}
	if host == "" || host == "unix" {
		path := "/tmp/.X11-unix/X" + strconv.FormatUint(n, 10)
		return []displayAddr{{"unix", "@" + path}, {"unix", path}}, nil
	}
	return []displayAddr{{"tcp", net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatUint(6000+n, 10))}}, nil
}
