//go:build linux && !race

package server

// manyStarts is what TestManyStarts starts.
const manyStarts = "1000"

// manyRSS is how much larger it may be after that, in KiB.
const manyRSS = 30 << 10
