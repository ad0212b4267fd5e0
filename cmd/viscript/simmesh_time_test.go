//go:build !race

package main

import "time"

// simTime is how long TestSimulatedMesh troubles the mesh: each hour takes 15 s of CPU.
const simTime = 2 * time.Hour
