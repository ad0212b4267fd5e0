//go:build linux && race

package terminals

// flood is smaller here: the race detector makes each byte ten times dearer.
const flood = 10
