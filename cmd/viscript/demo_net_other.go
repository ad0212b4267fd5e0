//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// demoNetRole fails: this system has no network namespaces.
func demoNetRole() role {
	return role{
		name: "demo-net", args: "PREFIX", short: "three hosts in network namespaces (Linux)", count: [2]int{1, 1}, instance: firstOf,
		build: func(context.Context, roleEnv, []string) (*service, error) { return nil, errors.ErrUnsupported },
	}
}

// demoInCommand fails, too.
func demoInCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-in NAMESPACE ROLE ARGS", Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error { return errors.ErrUnsupported },
	}
}
