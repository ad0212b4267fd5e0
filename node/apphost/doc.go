// Package apphost is the node's side of the app socket: it takes the requests of app processes on this
// host (package app has the protocol) and joins their connections with streams of sessions.
//
//	app ── DIAL ──► apphost ── Mesh.Dial ──► session … session ── Host.Incoming ──► apphost ── INCOMING ──► app
//	app ◄─ DATA ──► pump ◄──────────── Stream ───────────────────────► pump ◄─────────────── ACCEPT, DATA ─ app
//
// A carrier joins streams with TCP sockets that an app hands over, many on one connection of the app:
//
//	app ── CARRYDIAL and a socket ──► carrier ◄── Stream ──► carrier ◄── CARRYON and a socket ── app
package apphost
