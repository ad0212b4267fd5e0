//go:build race

package main

import "time"

// simTime is how long TestSimulatedMesh troubles the mesh: the race detector makes the handshakes nine times as dear.
const simTime = 10 * time.Minute
