//go:build !race

package main

// raceDetector: processes are as they are for people.
const raceDetector = false
