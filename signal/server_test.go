package signal

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// testServer is the least a signal server can be: one id, one token, one registration
// after another.
type testServer struct {
	t        testing.TB
	id       ID
	token    []byte
	proves   []byte // the token its proofs use; another one makes it an impostor
	refuse   func(method string) error
	listener net.Listener
	sessions chan *testSession // each that registered
	wg       sync.WaitGroup

	mu    sync.Mutex // guards the following
	seen  []string   // methods that were called
	peers []*Peer
}

// testSession is a registered client.
type testSession struct {
	*Peer
	RegisterParams
	notes chan message
}

// serveSocket starts a server in a folder and sets the environment of a child of it.
func serveSocket(t testing.TB) *testServer {
	return serveOn(t, filepath.Join(t.TempDir(), "signal.sock"), newTestServer(t))
}

func newTestServer(t testing.TB) *testServer {
	token := NewToken()
	return &testServer{t: t, id: 7, token: token, proves: token, sessions: make(chan *testSession, 10)}
}

func serveOn(t testing.TB, path string, s *testServer) *testServer {
	var err error
	if s.listener, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.setEnv(map[string]string{EnvSocket: path})
	return s
}

func (s *testServer) start() {
	s.wg.Go(s.accept)
	s.t.Cleanup(s.stop)
}

// setEnv sets the variables of a child, and those of where.
func (s *testServer) setEnv(where map[string]string) {
	file := filepath.Join(s.t.TempDir(), "token")
	if err := os.WriteFile(file, FormatToken(s.token), 0o600); err != nil {
		s.t.Fatal(err)
	}
	env := map[string]string{EnvClient: "true", EnvID: fmt.Sprint(s.id), EnvTokenFile: file, EnvSocket: "", EnvAddress: ""}
	for name, value := range where {
		env[name] = value
	}
	for name, value := range env {
		s.t.(interface{ Setenv(k, v string) }).Setenv(name, value)
	}
}

func (s *testServer) stop() {
	s.listener.Close()
	s.mu.Lock()
	for _, p := range s.peers {
		p.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *testServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		session := &testSession{notes: make(chan message, 1000)}
		g := &testGreeting{server: s, session: session}
		session.Peer = NewPeer(NewFrames(conn), PeerOptions{
			Handle: g.handle,
			Notify: func(method string, params json.RawMessage) {
				session.notes <- message{Method: method, Params: params}
			},
		})
		s.mu.Lock()
		s.peers = append(s.peers, session.Peer)
		s.mu.Unlock()
		s.wg.Go(func() { session.Run(context.Background()) })
	}
}

type testGreeting struct {
	server      *testServer
	session     *testSession
	hello       HelloParams
	serverNonce []byte
}

func (g *testGreeting) handle(_ context.Context, method string, params json.RawMessage) (any, error) {
	s := g.server
	s.mu.Lock()
	s.seen = append(s.seen, method)
	s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(method); err != nil {
			return nil, err
		}
	}
	switch method {
	case MethodHello:
		if err := DecodeParams(params, &g.hello); err != nil {
			return nil, err
		}
		g.serverNonce = NewNonce()
		proof := Proof(s.proves, RoleServer, g.hello.Nonce, g.serverNonce)
		return HelloResult{Protocol: Protocol, Nonce: g.serverNonce, Proof: proof}, nil
	case MethodRegister:
		if err := DecodeParams(params, &g.session.RegisterParams); err != nil {
			return nil, err
		}
		if !CheckProof(g.session.Proof, s.token, RoleClient, g.hello.Nonce, g.serverNonce) || g.hello.ID != s.id {
			return nil, Errorf(CodeRefused, "not the process that was started")
		}
		s.sessions <- g.session
		return RegisterResult{ID: s.id, App: "app"}, nil
	}
	return nil, NoMethod(method)
}

func (s *testServer) methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

// session waits for the next registration.
func (s *testServer) session() *testSession {
	s.t.Helper()
	select {
	case session := <-s.sessions:
		return session
	case <-within(s.t).Done():
		s.t.Fatal("nobody registered")
		return nil
	}
}

// note waits for the next notification.
func (s *testSession) note(t testing.TB) message {
	t.Helper()
	select {
	case m := <-s.notes:
		return m
	case <-within(t).Done():
		t.Fatal("no notification")
		return message{}
	}
}
