package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// maxPassphrase bounds what is read of a passphrase's file.
const maxPassphrase = 1 << 10

// chatTransfer is `viscript chat export` or `import`: by itself while the role does not run, otherwise by the role, which a daemon keeps.
type chatTransfer struct {
	word       string // export or import
	state      string
	passphrase string // path
	withKey    bool
	out        io.Writer

	prompted bool // the passphrase was typed; its file is ours
}

// chatTransfers are the commands below `viscript chat`.
func chatTransfers() []*cobra.Command {
	var list []*cobra.Command
	for word, text := range map[string][2]string{
		"export": {"write contacts, groups and conversations to a new FILE, encrypted with a passphrase",
			"With --key the file holds the person's key too: it makes another device of the same person (import there), and whoever has it and the passphrase is\nthat person. Files that were sent or fetched are not in it. It works whether the role runs or not."},
		"import": {"take in what export wrote: what is not there already",
			"A NAME that is not there yet becomes another device of the person, if the export was made with --key. It works whether the role runs or not."},
	} {
		t := chatTransfer{word: word}
		cmd := &cobra.Command{
			Use: word + " NAME FILE", Short: text[0], Long: text[0] + ".\n" + text[1] + "\n\nThe passphrase is asked for, or read from --passphrase-file: a file that nobody else may read.",
			Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				t.out = cmd.OutOrStdout()
				return t.run(cmd.Context(), args[0], args[1])
			},
		}
		cmd.Flags().StringVar(&t.state, "state", "", "state `DIR` of this person (default as for the role: chat/NAME in the daemon's or user's state folder)")
		cmd.Flags().StringVar(&t.passphrase, "passphrase-file", "", "read the passphrase from `FILE`")
		if word == "export" {
			cmd.Flags().BoolVar(&t.withKey, "key", false, "with the person's key, for another device")
		}
		list = append(list, cmd)
	}
	return list
}

func (t chatTransfer) run(ctx context.Context, name, file string) error {
	dir, err := chatRole().folder(t.state, []string{name})
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil && t.word == "export" {
		return fmt.Errorf("nobody is called %s here: there is no %s", name, dir)
	}
	if err := t.ask(); err != nil {
		return err
	}
	if t.prompted {
		defer os.Remove(t.passphrase)
	}
	release, err := lockFolder(dir, "chat")
	if err != nil {
		return t.byRole(ctx, dir, file, err)
	}
	defer release()
	return t.alone(dir, file)
}

// ask gets the passphrase into a file: the one given, or one of ours with what the person types.
func (t *chatTransfer) ask() error {
	if t.passphrase != "" {
		var err error
		t.passphrase, err = filepath.Abs(t.passphrase)
		return err
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return exitError{exitUsage, "no passphrase: stdin is no terminal; give --passphrase-file FILE"}
	}
	typed, err := typePassphrase(in, "Passphrase: ")
	if err == nil && t.word == "export" {
		var again string
		if again, err = typePassphrase(in, "Again: "); err == nil && again != typed {
			err = errors.New("the two are not the same")
		}
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "viscript-passphrase-*") // mode 0600
	if err != nil {
		return err
	}
	t.passphrase, t.prompted = f.Name(), true
	_, err = f.WriteString(typed)
	return errors.Join(err, f.Close())
}

func typePassphrase(in int, prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(in)
	fmt.Fprintln(os.Stderr)
	return string(b), err
}

// alone opens the store of a role that does not run.
func (t chatTransfer) alone(dir, file string) error {
	path := filepath.Join(dir, identity.FileName)
	key, err := identity.Load(path)
	if errors.Is(err, os.ErrNotExist) && t.word == "import" {
		key, err = t.newDevice(path, file)
	}
	if err != nil {
		return err
	}
	e, err := chat.Open(chat.Config{Key: key, Dir: dir, Post: chat.Offline{}})
	if err != nil {
		return err
	}
	p := &chatRoom{e: e, dir: dir}
	answer, err := t.do(p, file)
	if err := errors.Join(err, e.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, answer)
	return err
}

// newDevice takes the key from the export for a person who is not here yet.
func (t chatTransfer) newDevice(path, file string) (*identity.Key, error) {
	passphrase, err := readPassphrase(t.passphrase)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	key, err := chat.ExportKey(f, passphrase)
	if err != nil {
		return nil, err
	}
	return key, key.Save(path)
}

func (t chatTransfer) do(p *chatRoom, file string) (any, error) {
	args := []string{file, t.passphrase}
	if t.word == "import" {
		return p.importFile(args)
	}
	if t.withKey {
		args = append(args, "key")
	}
	return p.export(args)
}

// byRole has the running role do it, through its daemon. held says who holds the folder.
func (t chatTransfer) byRole(ctx context.Context, dir, file string, held error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b, err := os.ReadFile(filepath.Join(dir, "lock"))
	pid, err2 := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || err2 != nil {
		return held
	}
	for _, state := range []string{"", filepath.Dir(filepath.Dir(dir))} {
		operator, _, err := dialDaemon(ctx, state)
		if err != nil {
			continue
		}
		id := appOf(ctx, operator, pid)
		if id == "" {
			continue
		}
		args := []string{"tell", id, t.word, file, t.passphrase}
		if t.withKey {
			args = append(args, "key")
		}
		code, err := operator.Exec(ctx, signal.ExecRequest{Args: args}, t.out, os.Stderr)
		if err == nil && code != exitOK {
			err = exitError{code: code}
		}
		return err
	}
	return fmt.Errorf("%w; or run it under a daemon, which can be asked", held)
}

// appOf is the id of the daemon's app that has this process; "" if there is none.
func appOf(ctx context.Context, operator *signal.Operator, pid int) string {
	var apps []signal.App
	askDaemon(ctx, operator, "list_apps", &apps)
	for _, a := range apps {
		if a.Pid == pid && a.Ended == nil {
			return fmt.Sprint(a.ID)
		}
	}
	return ""
}

// readPassphrase reads a passphrase from a file that nobody else may read.
func readPassphrase(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would have us wait
		return "", fmt.Errorf("the passphrase: %s is no plain file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the passphrase: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if uid, ok := identity.Owner(info); !info.Mode().IsRegular() || (ok && (uid != os.Getuid() || info.Mode().Perm()&0o077 != 0)) {
		return "", fmt.Errorf("the passphrase: %s has to be a file of yours that nobody else may read (chmod 600)", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil || len(b) > maxPassphrase {
		return "", errors.Join(err, fmt.Errorf("the passphrase: %s holds more than %d bytes", path, maxPassphrase))
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// transferCommands are export and import as the role's own words.
func (p *chatRoom) transferCommands() []chatCommand {
	return []chatCommand{
		{"export", "FILE PASSPHRASE_FILE [key]", "write contacts, groups and conversations to a new file; with key also our key, for another device; whole paths", 2, 3, p.export},
		{"import", "FILE PASSPHRASE_FILE", "take in what export wrote; whole paths", 2, 2, p.importFile},
	}
}

func (p *chatRoom) export(args []string) (any, error) {
	if !filepath.IsAbs(args[0]) || !filepath.IsAbs(args[1]) || (len(args) == 3 && args[2] != "key") {
		return nil, errors.New("want whole paths FILE and PASSPHRASE_FILE, and perhaps key")
	}
	passphrase, err := readPassphrase(args[1])
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = p.exportTo(f, passphrase, len(args) == 3)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(args[0]))
	}
	return "written to " + args[0], nil
}

// exportTo writes an export, with the person's key if key is set.
func (p *chatRoom) exportTo(w io.Writer, passphrase string, key bool) error {
	if key {
		return p.exportDevice(w, passphrase)
	}
	return p.e.Export(w, passphrase)
}

func (p *chatRoom) exportDevice(w io.Writer, passphrase string) error {
	path := filepath.Join(p.dir, identity.FileName)
	if _, err := identity.Load(path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return identity.ErrSecKey
	}
	return p.e.ExportDevice(w, passphrase, secret)
}

func (p *chatRoom) importFile(args []string) (any, error) {
	if !filepath.IsAbs(args[0]) || !filepath.IsAbs(args[1]) {
		return nil, errors.New("want whole paths FILE and PASSPHRASE_FILE")
	}
	passphrase, err := readPassphrase(args[1])
	if err != nil {
		return nil, err
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := p.e.Import(f, passphrase)
	if err != nil {
		return nil, err
	}
	return fmt.Sprintf("%d messages are new", n), nil
}
