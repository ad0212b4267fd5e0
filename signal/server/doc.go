// Package server is the signal server: it starts apps as children, knows them by id, and
// lets them and operators in over the protocol of package signal.
//
//	operator ── Unix socket ──┐                        ┌── Unix socket or loopback TCP ── app 7
//	console  ── methods ──────┴─► Server: table of apps ┴── ...                        ── app 8
//	                                   │
//	                                   └─► signal/process: start, watch, stop
//
// New takes the state folder for itself, finds the apps that earlier servers left running and
// opens the sockets. Run serves until its context ends and then stops the apps that were not
// started as daemons; the others run on, each with its keeper (signal/process), as all of
// them do when the server is killed. Handover passes lock and sockets to another program
// under the same pid. Everything an operator can ask is a method of
// Server with the signature of signal.Operator's, so that a console treats the daemon
// in its own process and one at the other end of a socket alike.
//
// Who is who: on the Unix socket the kernel names the process that connected, on loopback
// TCP the socket's inode leads to it. Registering as app N takes a process of the tree
// that was started as N, and the token of that start. Operators are processes of the same
// user on the Unix socket.
//
// The state folder:
//
//	daemon.lock          held while the daemon lives; its pid
//	signal.sock          0600
//	ids                  the last id given out
//	run/ID.token         0600, while app ID runs
//	run/ID.lock .sock    while its keeper lives
//	run/ID.json .exit    what it is and how it ended, as long as it is in the table
//	run/keeper.log       what keepers print: nothing, unless one of them breaks
//	logs/ID-NAME.log     0600, output of app ID; .1 and so on before that. They go when the app
//	                     leaves the table, which is when a thousand have ended after it
//	events.jsonl         what happened, one JSON object a line; events.old.jsonl before that
package server
