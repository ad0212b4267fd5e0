// Package apphost is the node's side of the app socket: it takes the requests of app processes on this
// host (package app has the protocol) and joins their connections with streams of sessions.
//
//	app ── DIAL ──► apphost ── Mesh.Dial ──► session … session ── Host.Incoming ──► apphost ── INCOMING ──► app
//	app ◄─ DATA ──► pump ◄──────────── Stream ───────────────────────► pump ◄─────────────── ACCEPT, DATA ─ app
package apphost
