// Package portmap asks the router in front of this host to let datagrams to a UDP port in: by PCP (RFC 6887), or by its older sister
// NAT-PMP (RFC 6886) where the router knows only that.
//
//	m, err := portmap.Ask(ctx, gateway, 5000, time.Hour)   // m.External is where others reach the port
//	m.Renew()                                               // half of what the router granted
//
// Answers are taken from the router's address only, and only those that match the request.
package portmap
