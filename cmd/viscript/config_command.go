package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/signal/process"
	"github.com/skycoin/viscript/viscript/command"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "check the configuration, or print an example of one", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return exitError{exitUsage, "config: which one? `viscript config check` or `viscript config example`"}
		},
	}
	var file string
	check := &cobra.Command{
		Use: "check", Short: "read the configuration and say what is wrong with it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return checkConfig(cmd, file) },
	}
	check.Flags().StringVar(&file, "config", "", "configuration `FILE` (default ./config.yaml, then the user's config folder)")
	example := &cobra.Command{
		Use: "example", Short: "print an annotated configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), exampleConfig())
			return err
		},
	}
	keys := &cobra.Command{
		Use: "keys", Short: "explain every key of the configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), keysText())
			return err
		},
	}
	cmd.AddCommand(check, example, keys)
	return cmd
}

// checkConfig reads the file; programs that are not there are told, but are no error: they
// may be built later.
func checkConfig(cmd *cobra.Command, given string) error {
	path, err := findConfig(given)
	if err != nil {
		return err
	}
	if path == "" {
		return fmt.Errorf("there is no %s here or in the user's config folder; `viscript config example` prints one", configName)
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: ok: %s, %s\n", path, command.Count(len(cfg.Apps), "app"), command.Count(len(cfg.Groups), "group"))
	for _, name := range slices.Sorted(maps.Keys(cfg.Apps)) {
		r, err := cfg.Request(cfg.Apps[name], nil)
		if err != nil {
			fmt.Fprintf(out, "note: %v\n", err)
		}
		for _, f := range r.EnvFiles {
			if _, err := process.ReadEnvFile(f); err != nil {
				fmt.Fprintf(out, "note: app %q: %s\n", name, strings.TrimPrefix(err.Error(), "process: "))
			}
		}
		if _, err := process.LookupAccount(r.User); err != nil {
			fmt.Fprintf(out, "note: app %q: %s\n", name, strings.TrimPrefix(err.Error(), "process: "))
		}
	}
	return nil
}
