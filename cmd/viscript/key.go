package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/node/identity"
)

// keyCommand is `viscript key`: make and show identity keys. The secret half is never printed.
func keyCommand() *cobra.Command {
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "key", Short: "make or show the identity key of a role",
		Long: "The key file is DIR/" + identity.FileName + " with --state DIR, otherwise ROLE/NAME/" + identity.FileName + " in the\n" +
			"state folder: viscript key show node/node0. The secret half is never printed.",
		Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&state, "state", "", "state `DIR` that holds the key file")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	sub := func(use, short string, get func(path string) (*identity.Key, error), text func(k *identity.Key) string) {
		cmd.AddCommand(&cobra.Command{
			Use: use + " [ROLE/NAME]", Short: short, Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				path, err := keyPath(state, args)
				if err != nil {
					return err
				}
				k, err := get(path)
				if errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("there is no key %s yet: a role makes its own at its first start, `viscript key new` makes one before", path)
				}
				if err != nil {
					return err
				}
				return printKey(cmd.OutOrStdout(), k, path, asJSON, text)
			},
		})
	}
	public := func(k *identity.Key) string { return k.Public().String() }
	sub("new", "make a key; an existing one is never overwritten", createKey, public)
	sub("show", "print the public key", identity.Load, public)
	sub("address", "print the Skycoin address of the key", identity.Load, func(k *identity.Key) string { return k.Public().Address() })
	return cmd
}

func keyPath(state string, args []string) (string, error) {
	if state == "" && len(args) == 0 {
		return "", exitError{exitUsage, "whose key? name it as ROLE/NAME, such as node/node0, or give its folder with --state DIR"}
	}
	dir, err := stateDir(state)
	if err != nil {
		return "", err
	}
	if len(args) > 0 {
		if !filepath.IsLocal(args[0]) {
			return "", exitError{exitUsage, fmt.Sprintf("%q is not ROLE/NAME", args[0])}
		}
		dir = filepath.Join(dir, args[0])
	}
	return filepath.Join(dir, identity.FileName), nil
}

func createKey(path string) (*identity.Key, error) {
	if _, err := identity.Load(path); err == nil {
		return nil, fmt.Errorf("there is a key already in %s; it is never overwritten", path)
	}
	return identity.LoadOrCreate(path)
}

func printKey(w io.Writer, k *identity.Key, path string, asJSON bool, text func(*identity.Key) string) error {
	if !asJSON {
		_, err := fmt.Fprintln(w, text(k))
		return err
	}
	return errors.Join(json.NewEncoder(w).Encode(map[string]string{
		"key": k.Public().String(), "address": k.Public().Address(), "file": path,
	}))
}
