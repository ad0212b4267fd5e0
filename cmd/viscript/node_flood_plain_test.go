//go:build linux && !race

package main

// floodMemory is what a flood may take of a node's memory, in bytes: stacks and buffers of 512 handshakes at most.
const floodMemory = 64e6
