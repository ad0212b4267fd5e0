//go:build !race

package socks

// crowd is how many programs come at a time.
const crowd = 10_000
