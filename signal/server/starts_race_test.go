//go:build linux && race

package server

// manyStarts is what TestManyStarts starts: with the race detector each keeper costs four times as much.
const manyStarts = "300"

// manyRSS is how much larger it may be after that, in KiB: the detector's own memory is most of it.
const manyRSS = 200 << 10
