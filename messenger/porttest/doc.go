// Package porttest gives tests ports for servers that stop and come back.
package porttest
