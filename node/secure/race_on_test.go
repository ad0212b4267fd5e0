//go:build race

package secure

// stride thins out the loops over every byte of a message, which take a handshake each:
// the race detector makes those about fifteen times slower.
const stride = 41
