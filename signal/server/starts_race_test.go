//go:build linux && race

package server

// manyStarts is what TestManyStarts starts: with the race detector each keeper costs four times as much.
const manyStarts = "300"
