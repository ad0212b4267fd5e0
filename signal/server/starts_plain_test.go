//go:build linux && !race

package server

// manyStarts is what TestManyStarts starts.
const manyStarts = "1000"
