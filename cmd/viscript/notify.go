package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a service manager sets (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)). Children are not
// the service: the daemon takes these out of its environment.
const (
	envNotify       = "NOTIFY_SOCKET"
	envWatchdog     = "WATCHDOG_USEC"
	envWatchdogPid  = "WATCHDOG_PID"
	envListenPid    = "LISTEN_PID"
	envListenFDs    = "LISTEN_FDS"
	envListenNames  = "LISTEN_FDNAMES"
	notifyTime      = time.Second // for one message: a manager that hangs holds nothing up
	shortestBarking = 100 * time.Millisecond
)

var serviceVariables = []string{envNotify, envWatchdog, envWatchdogPid, envListenPid, envListenFDs, envListenNames}

// notifier tells the service manager that started this process how it is. The zero value, and
// nil, tell nobody. Safe for concurrent use.
type notifier struct {
	socket string        // path, or @name of an abstract socket; "" nobody
	dog    time.Duration // how long the manager waits for a sign of life; 0: it does not
	saved  []string      // the variables as they were, for a process that takes this one's place
}

// takeNotifier reads the variables and takes them out of the environment.
func takeNotifier() *notifier {
	n := &notifier{}
	for _, name := range serviceVariables {
		if v, ok := os.LookupEnv(name); ok {
			n.saved = append(n.saved, name+"="+v)
		}
	}
	socket, usec, pid := os.Getenv(envNotify), os.Getenv(envWatchdog), os.Getenv(envWatchdogPid)
	for _, name := range serviceVariables {
		_ = os.Unsetenv(name) // fails for no such name
	}
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") || len(socket) < 2 {
		return n
	}
	n.socket = socket
	if us, err := strconv.ParseUint(usec, 10, 40); err == nil && us > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.dog = max(time.Duration(us)*time.Microsecond, 2*shortestBarking)
	}
	return n
}

// environ is base with the variables as the manager set them, for a process that goes on as the
// service in this one's place (exec keeps the pid).
func (n *notifier) environ(base []string) []string {
	if n == nil {
		return base
	}
	return slices.Concat(base, n.saved)
}

// tell sends state, lines of KEY=VALUE. A manager that is gone, or does not read, is no reason to stop.
func (n *notifier) tell(state ...string) error {
	if n == nil || n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	defer conn.Close()
	err = conn.SetWriteDeadline(time.Now().Add(notifyTime))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(state, "\n")))
	}
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	return nil
}

// bark gives the sign of life twice as often as the manager wants it, as long as alive says so,
// until ctx ends. A sign that could not be given is the manager's affair: it acts.
func (n *notifier) bark(ctx context.Context, alive func(context.Context) error) {
	if n == nil || n.socket == "" || n.dog == 0 {
		return
	}
	every := time.NewTicker(n.dog / 2)
	defer every.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, n.dog/2)
		if alive(look) == nil {
			_ = n.tell("WATCHDOG=1")
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
