// Package web is the page of a person's chat: a server on loopback for the browser of the same user on the same machine, and the page itself
// (folder page; built into dist, which is in the program).
//
//	s, err := web.New(web.Config{Listen: "127.0.0.1:0", Engine: e, PeerUID: app.PeerUID})
//	go s.Run(ctx)
//	fmt.Println(s.Link())     // for a browser, once
//
// The engine does all that is secret; the browser gets texts and pictures to show and keeps nothing.
//
// # Who gets in
//
// A connection must come from loopback and belong to our own user, by the kernel's word. A request must name the server by its Host, a
// random name below localhost made at every start: no other name that leads here (DNS rebinding) is answered, and no other page knows this
// one. It must not come from another page (Origin, Sec-Fetch-Site); one that changes something must carry our Origin. All of that is answered
// with 403 and nothing else. Then a session: GET /start/TOKEN takes a token that works once and for TokenLife, and answers with a cookie
// (HttpOnly, SameSite=Strict, of that host name only) of 32 random bytes, which is kept as its SHA-256 in memory until SessionIdle passes without
// a request, sign-out, or the end of the process.
//
// The page may load and talk to nothing but this server (Content-Security-Policy), may not be framed, and holds no inline code or style. Text of
// others becomes text nodes. Of files, only PNG, JPEG, GIF and WebP by their contents, of at most MaxPixels, are answered with their type;
// everything else is application/octet-stream to be saved.
//
// # Requests
//
// JSON both ways; an error is {"error": TEXT} with a status of 4xx. KEY is 66 hex digits, TALK a KEY or "group:" and 64 hex digits, ID 32 hex digits.
//
//	GET  /api/state                                  all but histories: {me, people, groups, talks}
//	GET  /api/history?talk=TALK&before=N&count=N     messages, oldest first
//	GET  /api/search?words=TEXT                      [{talk, message}]
//	GET  /api/safety?key=KEY                         {number}
//	GET  /api/events                                 server-sent events, see stream.go
//	POST /api/send      {talk, text, reply}          {id}
//	POST /api/read      {talk, n}
//	POST /api/person    {key, act, name}             act: add, block, unblock, verify, unverify, forget
//	POST /api/group     {name}                       {talk}
//	POST /api/contact   {address, name}              {key}; address: a KEY, or with where its messengers are
//	POST /api/change    {talk, act, key, name}       act: add, remove, promote, demote, rename, leave; revoke, admit, refuse, cancel
//	GET  /api/links?talk=TALK                        [{key, text, expiry, uses, ask}]
//	POST /api/link      {talk, hours, people, ask}   {link}
//	POST /api/join      {link}
//	POST /api/fetch     {talk, from, id, unasked}    asks for a file; unasked: the person has not, and nothing is done when much has come
//	GET  /api/progress?from=KEY&id=ID                {have, done}
//	GET  /api/file/KEY/ID[?save=1]                   a file that is here; ranges are served
//	POST /api/upload    {talk, name, size}           {id}; the file then comes in pieces
//	PUT  /api/upload/ID?offset=N                     a piece of at most MaxPiece bytes; {offset}
//	GET  /api/upload/ID                              {offset}
//	POST /api/upload/ID                              all is there: {id} of the message
//	DELETE /api/upload/ID
//	GET  /api/devices                                [{device, name, this, gone, since, seen}] of this person
//	POST /api/device    {device, act, name}          act: name, remove
//	POST /api/export    {passphrase, key}            {id}: an export is written; key: with the person's key, for another device
//	GET  /api/export/ID                              the export, once, for this session, within a minute
//	POST /api/leave                                  ends the session
package web
