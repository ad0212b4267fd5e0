//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

const (
	brokerRounds  = 3
	brokerBulk    = 1200 * time.Millisecond // of messages of bulkMessage bytes, per way and round
	brokerSmall   = 500 * time.Millisecond  // of messages of smallMessage bytes, one at a time
	brokerLimit   = 28 * time.Second        // for everything, then every connection fails
	bulkMessage   = 60 << 10
	smallMessage  = 64
	brokerWindow  = 64 // messages on their way at once: QoS 0 has no back-pressure, and a broker drops what it cannot queue
	brokerTopic   = "t"
	brokerProgram = "mosquitto"
)

// Packets of MQTT 3.1.1 (OASIS standard, section 2.2.1), with the flags that they must have.
const (
	mqttConnect      = 0x10
	mqttConnAck      = 0x20
	mqttPublish      = 0x30 // QoS 0, not retained
	mqttSubscribe    = 0x82
	mqttSubAck       = 0x90
	mqttCleanSession = 0x02
)

// mqttClient is as much of an MQTT 3.1.1 client as publishes and receives one topic at QoS 0.
type mqttClient struct {
	nc  net.Conn
	in  *bufio.Reader
	out []byte
}

// mqttDial connects to a broker as id. The connection closes when the test ends.
func mqttDial(b testing.TB, at string, roots *x509.CertPool, id string, by time.Time) *mqttClient {
	b.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{Deadline: by}, Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	nc, err := d.DialContext(b.Context(), "tcp", at)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close() })
	nc.SetDeadline(by)
	c := &mqttClient{nc: nc, in: bufio.NewReaderSize(nc, 64<<10)}
	body := append(mqttString(nil, "MQTT"), 4, mqttCleanSession, 0, 0) // no keep-alive
	c.ask(b, mqttConnect, mqttString(body, id), mqttConnAck, []byte{0, 0})
	return c
}

// subscribe waits until the broker has granted the topic.
func (c *mqttClient) subscribe(b testing.TB) {
	b.Helper()
	body := append(mqttString([]byte{0, 1}, brokerTopic), 0)
	c.ask(b, mqttSubscribe, body, mqttSubAck, []byte{0, 1, 0})
}

// ask sends a packet and reads the one answer there may be.
func (c *mqttClient) ask(b testing.TB, kind byte, body []byte, answer byte, want []byte) {
	b.Helper()
	if _, err := c.nc.Write(append(mqttHeader(nil, kind, len(body)), body...)); err != nil {
		b.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := c.packet(answer, got); err != nil || !bytes.Equal(got, want) {
		b.Fatalf("mqtt: packet %#x answered by % x: %v", kind, got, err)
	}
}

// publish sends msg to the topic.
func (c *mqttClient) publish(msg []byte) error {
	c.out = mqttHeader(c.out[:0], mqttPublish, 2+len(brokerTopic)+len(msg))
	c.out = append(mqttString(c.out, brokerTopic), msg...)
	_, err := c.nc.Write(c.out)
	return err
}

// receive reads a message of the topic, which has the length of msg.
func (c *mqttClient) receive(msg []byte) error {
	var topic [2 + len(brokerTopic)]byte
	return c.packet(mqttPublish, topic[:], msg)
}

// packet reads one packet, which is of that kind and as long as the parts of it together.
func (c *mqttClient) packet(kind byte, parts ...[]byte) error {
	want := 0
	for _, p := range parts {
		want += len(p)
	}
	got, err := c.in.ReadByte()
	if err != nil {
		return err
	}
	n, err := binary.ReadUvarint(c.in) // section 2.2.3: seven bits a byte, lowest first
	if err != nil {
		return err
	}
	if got != kind || n != uint64(want) {
		return fmt.Errorf("mqtt: packet %#x of %d bytes, want %#x of %d", got, n, kind, want)
	}
	for _, p := range parts {
		if _, err := io.ReadFull(c.in, p); err != nil {
			return err
		}
	}
	return nil
}

func mqttHeader(to []byte, kind byte, n int) []byte {
	return binary.AppendUvarint(append(to, kind), uint64(n))
}

func mqttString(to []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(s))), s...)
}

// startBroker runs mosquitto with TLS 1.3 alone and a certificate of its own, at a free port.
func startBroker(b testing.TB) (at string, pid int, roots *x509.CertPool) {
	b.Helper()
	program, err := exec.LookPath(brokerProgram)
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/" + brokerProgram); err != nil {
			b.Skip("mosquitto is not installed: nothing to compare with")
		}
	}
	me, err := user.Current()
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	at = ln.Addr().String()
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	cert, key, roots := brokerCertificate(b)
	config := filepath.Join(b.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("user %s\nlistener %d 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"+
		"tls_version tlsv1.3\ncertfile %s\nkeyfile %s\nlog_dest stderr\nlog_type error\nlog_type warning\n", me.Username, port, cert, key)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-c", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		cancel()
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		cmd.Wait()
		if b.Failed() {
			b.Logf("mosquitto: %s", said.Bytes())
		}
	})
	eventuallyTrue(b, "the broker", func() error {
		nc, err := net.Dial("tcp", at)
		if err == nil {
			nc.Close()
		}
		return err
	})
	return at, cmd.Process.Pid, roots
}

// brokerCertificate makes a certificate for 127.0.0.1, in files of the test, and the pool that trusts it.
func brokerCertificate(b testing.TB) (cert, key string, roots *x509.CertPool) {
	b.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		b.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			b.Fatal(err)
		}
		return name
	}
	cert, key = write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
	roots = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(public)
	if err != nil {
		b.Fatal(err)
	}
	roots.AddCert(parsed)
	return cert, key, roots
}

// crossing is a way for messages from one end of this process to the other, and what it took.
type crossing struct {
	name    string
	pid     int // of the process in the middle; 0: this one, and its processor time is not told
	send    func(msg []byte) error
	receive func(msg []byte) error // of the length of msg

	rate, cost []float64 // of each round: MB/s; seconds of processor time per GB
	took       []time.Duration
}

// overStream is a crossing over a connection.
func overStream(name string, pid int, near, far net.Conn, by time.Time) *crossing {
	near.SetDeadline(by)
	far.SetDeadline(by)
	return &crossing{
		name: name, pid: pid,
		send:    func(msg []byte) error { _, err := near.Write(msg); return err },
		receive: func(msg []byte) error { _, err := io.ReadFull(far, msg); return err },
	}
}

// bulk sends numbered messages for a while, some brokerWindow on their way at once, and checks that all arrive in order.
func (c *crossing) bulk(b *testing.B) {
	var used time.Duration
	if c.pid != 0 {
		used = cpu(b, c.pid)
	}
	onTheWay := make(chan struct{}, brokerWindow) // closed by the sender
	var sendErr error
	began := time.Now()
	go func() {
		defer close(onTheWay)
		msg := make([]byte, bulkMessage)
		for n := uint64(0); time.Since(began) < brokerBulk && sendErr == nil; n++ {
			onTheWay <- struct{}{}
			binary.BigEndian.PutUint64(msg, n)
			sendErr = c.send(msg)
		}
	}()
	var err error
	msg, n := make([]byte, bulkMessage), uint64(0)
	for range onTheWay {
		if err != nil {
			continue // the sender ends by itself
		}
		if err = c.receive(msg); err == nil && binary.BigEndian.Uint64(msg) != n {
			err = fmt.Errorf("message %d where %d was due", binary.BigEndian.Uint64(msg), n)
		}
		n++
	}
	took := time.Since(began)
	if err := errors.Join(sendErr, err); err != nil {
		b.Fatalf("%s: %v", c.name, err)
	}
	size := float64(n * bulkMessage)
	c.rate = append(c.rate, size/1e6/took.Seconds())
	if c.pid != 0 {
		c.cost = append(c.cost, (cpu(b, c.pid)-used).Seconds()/(size/1e9))
	}
}

// small sends messages one at a time and notes how long each took to arrive.
func (c *crossing) small(b *testing.B) {
	msg := make([]byte, smallMessage)
	var took []time.Duration
	for began := time.Now(); time.Since(began) < brokerSmall; {
		sent := time.Now()
		if err := errors.Join(c.send(msg), c.receive(msg)); err != nil {
			b.Fatalf("%s: %v", c.name, err)
		}
		took = append(took, time.Since(sent))
	}
	c.took = append(c.took, took...)
}

// report tells the medians of the rounds, and the latencies of all rounds together.
func (c *crossing) report(b *testing.B) {
	b.Logf("%s: %.0f MB/s, %.2f cpu-s/GB in each round, %d small messages", c.name, c.rate, c.cost, len(c.took))
	middle := func(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }
	b.ReportMetric(middle(c.rate), c.name+"-MB/s")
	if c.pid != 0 {
		b.ReportMetric(middle(c.cost), c.name+"-cpu-s/GB")
	}
	slices.Sort(c.took)
	b.ReportMetric(float64(c.took[len(c.took)/2].Nanoseconds())/1e6, c.name+"-p50-ms")
	b.ReportMetric(float64(c.took[len(c.took)*99/100].Nanoseconds())/1e6, c.name+"-p99-ms")
}

// BenchmarkBroker sends the same messages from one client to another through a messenger, through an MQTT broker with TLS and
// through a plain TCP splice, in turns: first of 60 KiB, then of 64 bytes one way and one at a time. Messenger and broker are
// processes of their own, and cpu-s/GB is theirs alone; the clients of all, and the splice, are in this process. Both encrypt
// from client to middle and from middle to client with AES-256-GCM; the splice does not. It takes 16 s with -benchtime 1x, and
// is skipped where mosquitto is not installed.
func BenchmarkBroker(b *testing.B) {
	by := time.Now().Add(brokerLimit)
	at, pid, roots := startBroker(b)
	subscriber, publisher := mqttDial(b, at, roots, "subscriber", by), mqttDial(b, at, roots, "publisher", by)
	subscriber.subscribe(b)
	m := startMessenger(b)
	near, far := circuit(b, m)
	plainNear, plainFar := splice(b)
	ways := []*crossing{
		overStream("relay", m.cmd.Process.Pid, near, far, by),
		{name: "broker", pid: pid, send: publisher.publish, receive: subscriber.receive},
		overStream("splice", 0, plainNear, plainFar, by),
	}
	for range brokerRounds {
		for _, c := range ways {
			c.bulk(b)
			c.small(b)
		}
	}
	for _, c := range ways {
		c.report(b)
	}
	b.ReportMetric(0, "ns/op")
}
