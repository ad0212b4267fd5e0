//go:build !race

package socks

// crowd is how many programs come, where there are descriptors for them.
const crowd = 10_000
