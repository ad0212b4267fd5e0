// Package metrics serves the numbers of a signal server and of the daemon itself to Prometheus,
// on a loopback address. It measures when it is asked and keeps nothing.
//
//	s, err := metrics.Listen(metrics.Config{Addr: "127.0.0.1:9090", Host: server, Version: "1.2.3"})
//	err = s.Run(ctx) // GET http://127.0.0.1:9090/metrics
//
// The text format is written here: the client library would add 4 MB of private memory to
// every process of this executable, the keepers of apps included.
package metrics
