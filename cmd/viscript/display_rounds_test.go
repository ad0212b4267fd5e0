//go:build !race

package main

const displayRounds = 20
