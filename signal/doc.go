// Package signal is the protocol between a signal server, the programs it starts, and the
// operators who manage them, with the clients of both. A program becomes manageable with one
// line, Attach, or by importing signal/auto. The server is signal/server.
//
// It is not a way to start programs (signal/process does), and it carries nothing from one
// machine to another: both transports are local.
//
// The rest of this comment specifies the protocol, version 1, for a client in any language;
// testdata/client.py is one in a hundred lines.
//
// # Transport
//
// A stream, one of:
//   - a Unix socket, whose path is in SIGNAL_SOCKET, for processes and operators;
//   - TCP to a loopback address, HOST:PORT in SIGNAL_SERVER_ADDRESS, for processes.
//
// Use the socket where its variable is set. Nothing is encrypted, because nothing leaves the
// machine; a client does not connect to an address that is not loopback.
//
// # Frames
//
//	+----------------------------+---------------------------+
//	| length n, u32 big-endian   | n bytes of JSON, UTF-8    |
//	+----------------------------+---------------------------+
//
// 1 <= n <= 1,048,576. A length out of range ends the connection before anything is read or
// allocated. Hello, register and what an operator asks are at most 65,536. A frame that has
// begun must be complete within 30 s, the first one within 5 s of connecting.
//
// # Messages
//
// One frame holds one message of JSON-RPC 2.0, never a batch. Requests go both ways on the
// same connection; each side numbers its own, and the two series have nothing to do with
// each other. An id is a number or a string of at most 64 bytes; null is the same as
// none. Answers come in any order, matched by id; an answer nobody waits for is ignored.
//
// Unknown members of an object are ignored. An unknown method is answered with -32601, and
// ignored as a notification. Names, members and codes are added, never changed or taken
// away. A frame that is no JSON object, or no message, is answered with an error of id
// null, and the connection is closed.
//
// A process works on up to 32 requests at once, a server on 16 of one connection; above that
// the answer is code 8 (busy).
//
// # Registration
//
// The server starts a program as app ID and sets in its environment:
//
//	SIGNAL_CLIENT=true
//	SIGNAL_CLIENT_ID        the ID, decimal, from 1
//	SIGNAL_TOKEN_FILE       path of a file, mode 0600: 64 hexadecimal digits and a newline,
//	                        the token of 32 bytes, another one for each start
//	SIGNAL_SOCKET, SIGNAL_SERVER_ADDRESS
//
// Read them, then unset them: a child of the program is not the program. The token never
// crosses the wire. Both sides show that they have it; the server first, so that
// whoever took its place learns nothing and is told nothing:
//
//	process                                           server
//	  hello {protocol: 1, id, nonce: Nc}        -->
//	                                            <--     {protocol: 1, nonce: Ns, proof: Ps}
//	  checks Ps, else closes
//	  register {proof: Pc, name, pid, ready,    -->
//	            commands, library, private?}
//	                                            <--     {id, app}
//	  status, ready, event, log                 -->
//	                                            <--     ping, top, commands, command, shutdown
//
//	Ps = HMAC-SHA256(token, "server" 00 Nc Ns)
//	Pc = HMAC-SHA256(token, "client" 00 Nc Ns)
//
// Nonces are 32 random bytes; 00 is a byte of zero. Nonces and proofs travel as hexadecimal
// digits. The server also asks the kernel which process is at the other end: it must
// belong to the tree of the one it started. An id that has a live connection is not
// registered again (code 3).
//
// After a refusal (codes 1 to 4, or Ps wrong) the program runs on without a server. After
// a loss of the connection it tries again after 100 ms, doubling to 5 s, each time
// varied by a fifth; code 3 is then a reason to try again.
//
// # What a process says
//
// As notifications, once it is registered; as requests they are answered with {}.
//
//	ready                                       it does what it was started for; register with
//	                                            ready: true says so at once
//	status {text}                               one line, at most 256 bytes
//	event  {kind, text, fields?, dropped?}      64 bytes, 1 KiB, any JSON of 32 KiB
//	log    {line, dropped?}                     4 KiB
//
// dropped counts what a full queue lost since the one before. The server cuts what is too long. An event of kind "notice" is
// shown to people at the prompt and in the window; its text and fields are not written to the disk.
//
// Commands with word: true are words of the console, at most 16 of one app: `NAME ARGS` does there what `tell ID NAME ARGS` does,
// unless the console has a word of that name, which stays its own. names is a command of the app that answers with what the first
// argument may be, a list of strings; argument number rest is all that follows in the line, as it was typed. private: true keeps the arguments of all its commands out of the server's records.
//
// # What a process is asked
//
//	ping                                  {}
//	top                                   {goroutines, heap_bytes, ...} see Top; all optional
//	commands                              {commands: [{name, args?, help, word?, names?, rest?}]}
//	command  {name, args, timeout_ms?}    {result: any JSON}; 30 s unless timeout_ms says
//	shutdown {timeout_ms?, reason?}       {} when the clean-up is done, or code 12 when it
//	                                      failed; 10 s unless timeout_ms says. Then the
//	                                      program exits by itself
//
// params may be absent where none are listed. A process that answers late is not cut off; the
// answer is ignored.
//
// # What an operator asks
//
// On the Unix socket, as the user the server runs as, without registering. A connection that
// has registered a process has none of these.
//
//	app.start   StartRequest              App
//	app.list                              [App]
//	app.ping, app.usage {id}              PingReport, Usage
//	app.stop, app.kill {id}               StopReport
//	app.restart {id}                      App, with the same id
//	app.wait_ready {id}                   {}
//	app.await {id, on}                    {}
//	app.request {id}                      what app.start took
//	app.set_policy {id, request}          {}
//	app.commands {id}                     [Command]
//	app.tell    {id, args: [name, ...]}   what the command answered
//	app.logs    {id, lines?, follow?}     output ..., then {}
//	app.attach  {id, columns, rows}       output ..., then {}
//	app.input   {data: base64}            {}; on the connection of an app.attach
//	daemon.reexec                         {}
//	events      {since?, follow?}         entry ..., then {}
//	exec        {line | args, json?, columns?}  output ..., then {code}
//	window      {name?, desktop?}         what a window is told, then {}
//
// app.logs, app.attach, events, exec and window stream: before their answer come notifications, in order.
//
//	output {stream: "stdout" | "stderr", data: base64 of at most 32 KiB}
//	entry  Event
//
// While app.attach is under way the operator types by app.input, one piece after the other's
// answer, and tells a change of its window by the notification app.size {columns, rows}.
// app.attach ends when the app's output does. daemon.reexec makes the daemon start itself
// anew from the program on the disk; apps run on, every connection ends.
//
// # Windows
//
// The daemon owns terminals: the console's prompts, and programs on pseudo terminals. window makes
// the connection a window on them, until it is answered. The window first hears term.list with all
// terminals, and then, as they happen:
//
//	term.opened, term.changed  Term
//	term.closed, term.bell     {id}
//	term.frame      {id, version, data: base64, more?}  of terminals that are watched
//	term.clipboard  {id, target, text: base64}          a program offers text; nothing is read from it
//	term.offer      {id, at, items: [{text, help?}]}    how a word at a prompt could go on; no items: no more
//
// It says, as notifications, in the order of typing:
//
//	term.watch   {id, on}               frames of this terminal; the first one is complete
//	term.shown   {id, version}          that frame is on the screen
//	term.key     {id, key, rune?, mods?}, term.char {id, rune}, term.paste {id, text: base64}
//	term.mouse   {id, action, button, x, y, mods?}, term.focus {id, on}
//	term.input   {id, data: base64}     bytes as a terminal sends them, in place of the five
//	term.resize  {id, cols, rows}       of several windows' the last one counts
//	term.take    {id, text}             one of the items of an offer
//
// and asks:
//
//	term.new     {args? | line?, shell?, dir?, cols?, rows?, fixed?}   Term
//	term.close   {id}                   {}
//	term.search  {id, text, from, back?}                               {found, from, to}
//	term.lines   {id, from, n}          {epoch, n, data: base64}; rows of the scrollback too
//	term.text    {id, from, to, block?} {data: base64, more?, from}
//
// A frame is what changed in a terminal since the one before, encoded as viscript/term has it
// (Snapshot.AppendUpdate), in pieces of at most 512 KiB; all but the last say more. The next one is sent
// only after term.shown for this one and holds all that happened meanwhile: a window that is slow
// misses steps, and delays nobody.
//
// A window that places and focuses terminals says desktop: true and answers, within two seconds:
//
//	window.list                         [WindowTerm]
//	window.focus {id}                   {}; a leading part of an id will do
//	window.defocus                      {}
//	window.move  {x, y}                 {}
//
// # Streams
//
// One connection carries one streaming request at a time. Closing the connection
// abandons its requests. The Go types of the same names give the members.
//
// # Errors
//
// An error answer has a code of the append-only list of Code and a message for people, at
// most 4 KiB, which is only a hint: it comes from the other side.
package signal
