//go:build race

package hostnet

// stride is how many steps lie between two kills: the race detector makes each start of a process slow.
const stride = 4
