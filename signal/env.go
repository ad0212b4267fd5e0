package signal

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ErrAlone is why a program that no signal server started is not managed.
var ErrAlone = errors.New("signal: not started by a signal server")

// place is what the environment says about the server and this program's start.
type place struct {
	id      ID
	token   []byte
	socket  string // path, or empty
	address string // numeric loopback HOST:PORT, or empty
}

// takeEnv reads the variables and unsets them, so that children of this program do not
// take themselves for it. ErrAlone when it was not started by a server.
func takeEnv() (place, error) {
	env := make(map[string]string)
	for _, name := range []string{EnvClient, EnvAddress, EnvID, EnvTokenFile, EnvSocket} {
		env[name] = strings.TrimSpace(os.Getenv(name))
		os.Unsetenv(name)
	}
	if !truth(env[EnvClient]) {
		return place{}, ErrAlone
	}
	return parseEnv(env)
}

func parseEnv(env map[string]string) (place, error) {
	id, err := strconv.ParseUint(env[EnvID], 10, 64)
	if err != nil || id == 0 {
		return place{}, fmt.Errorf("signal: %s=%q, want a number from 1", EnvID, cut(env[EnvID], maxErrorText))
	}
	p := place{id: ID(id), socket: env[EnvSocket]}
	if env[EnvAddress] != "" {
		if p.address, err = loopback(env[EnvAddress]); err != nil && p.socket == "" {
			return place{}, err
		}
	}
	if p.socket == "" && p.address == "" {
		return place{}, fmt.Errorf("signal: neither %s nor %s is set", EnvSocket, EnvAddress)
	}
	if env[EnvTokenFile] == "" {
		return place{}, fmt.Errorf("signal: %s is not set", EnvTokenFile)
	}
	if p.token, err = ReadToken(env[EnvTokenFile]); err != nil {
		return place{}, err
	}
	return p, nil
}

// truth reads the values that 2017's programs and people write for yes.
func truth(s string) bool {
	switch strings.ToLower(s) {
	case "1", "t", "true", "y", "yes", "on":
		return true
	}
	return false
}

// loopback makes an address numeric and refuses one that leaves this machine: without TLS
// the protocol has no business there.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("signal: %s: %w", EnvAddress, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("signal: %s=%q is not a loopback address", EnvAddress, cut(address, maxErrorText))
	}
	return net.JoinHostPort(ip.String(), port), nil
}
