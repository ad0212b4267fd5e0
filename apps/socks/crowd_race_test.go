//go:build race

package socks

// crowd is how many programs come at a time; with the race detector each costs more.
const crowd = 1000
