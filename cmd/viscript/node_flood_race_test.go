//go:build linux && race

package main

// floodMemory is what a flood may take of a node's memory, in bytes; the race detector multiplies it.
const floodMemory = 512e6
