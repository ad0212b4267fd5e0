//go:build race

package socks

// crowd is how many programs come, where there are descriptors for them; with the race detector each costs more.
const crowd = 1000
