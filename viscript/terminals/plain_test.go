//go:build linux && !race

package terminals

// flood is how many megabytes a flooding program writes.
const flood = 100
