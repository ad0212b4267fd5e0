//go:build race

package main

// raceDetector: each process is slow and large.
const raceDetector = true
