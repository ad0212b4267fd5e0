package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl"
	"github.com/skycoin/viscript/viscript/gui"
)

type guiOptions struct {
	state, theme string
	size         float32
	daemons      bool // started by the daemon as its own window
}

// Bounds of --font-size, in window units.
const (
	minFontSize = 6
	maxFontSize = 72
)

func guiCommand() *cobra.Command {
	var o guiOptions
	cmd := &cobra.Command{
		Use: "gui [--state DIR] [--theme THEME] [--font-size N]", Short: "open the window of the running daemon",
		Long: "gui opens a window that shows the daemon's terminals and what goes on. Several windows may be open; closing one\n" +
			"ends nothing. It wants an X server (DISPLAY) with OpenGL 4.1. Where everything stands is remembered in the state\n" +
			"folder. Ctrl-Shift-K in the window lists its keys.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGUI(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.state, "state", "", "state `DIR` of the daemon (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	f.StringVar(&o.theme, "theme", "", "colors, a `THEME`: "+strings.Join(themeNames(), ", ")+" (default the one of the last time)")
	f.Float32Var(&o.size, "font-size", 14, "height of the text in pixels, `N`")
	f.BoolVar(&o.daemons, "of-daemon", false, "")
	_ = f.MarkHidden("of-daemon") // it is there
	return cmd
}

func themeNames() []string {
	var names []string
	for _, t := range scene.Themes() {
		names = append(names, t.Name)
	}
	return names
}

func (o guiOptions) check() error {
	if o.theme != "" && !slices.Contains(themeNames(), o.theme) {
		return exitError{exitUsage, fmt.Sprintf("gui: --theme %q: want one of %s", o.theme, strings.Join(themeNames(), ", "))}
	}
	if !(o.size >= minFontSize && o.size <= maxFontSize) {
		return exitError{exitUsage, fmt.Sprintf("gui: --font-size %v: want %d to %d", o.size, minFontSize, maxFontSize)}
	}
	return nil
}

// runGUI is the life of a window. It must run on the main goroutine, where the display wants to be served.
func runGUI(ctx context.Context, o guiOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if !gl.Built {
		return becomeWindow()
	}
	ctx, stop := ossignal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	_, dir, err := dialDaemon(ctx, o.state)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, windowFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("gui: %w", err)
	}
	if o.daemons {
		release, err := lockFolder(folder, "window")
		if err != nil {
			return fmt.Errorf("gui: %w", err)
		}
		defer release()
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	program, err := gui.New(gui.Config{
		Dial:   func(ctx context.Context) (*signal.Operator, error) { return signal.DialOperator(ctx, socketPath(dir)) },
		Layout: filepath.Join(folder, "layout.json"), Theme: o.theme, Size: o.size, Visit: visit, Log: log,
	})
	if err != nil {
		return err
	}
	return showProgram(ctx, program, log)
}

// windowFolder is where a window keeps what it remembers, below the state folder.
const windowFolder = "window"

// showProgram opens the window and runs it until it is closed.
func showProgram(ctx context.Context, program *gui.Program, log *slog.Logger) error {
	window, err := gl.Open(gl.Config{Title: "viscript"})
	if err != nil {
		return windowError(err)
	}
	defer window.Close()
	program.Start(screen{window}, window.Post)
	ctx, cancel := context.WithCancel(ctx)
	fed := make(chan error, 1)
	go func() { fed <- program.Run(ctx) }()
	err = window.Run(ctx, shown{program})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	cancel()
	if e := program.Close(); e != nil {
		log.Warn("the layout is not remembered", "err", e)
	}
	return errors.Join(err, <-fed)
}

// noWindow says what somebody can do whose executable has no window, and why the program with one, if it is there, is of no use.
func noWindow(err error) error {
	const instead = "use the prompt, `viscript exec` and `viscript attach`"
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return errors.New("gui: this executable was built without the window, and there is none beside it (no C compiler, or none of the headers of X11, " +
			"when it was built): " + instead)
	}
	return fmt.Errorf("gui: the window beside this executable is not for it: %w; %s", err, instead)
}

// windowError says what somebody can do who gets no window.
func windowError(err error) error {
	hint := ""
	switch {
	case errors.Is(err, gl.ErrNoDisplay):
		hint = "; without one use the prompt, `viscript exec` and `viscript attach`"
	case errors.Is(err, gl.ErrNoGL):
		hint = "; Debian has it in libgl1 and libgl1-mesa-dri"
	}
	return fmt.Errorf("no window: %s%s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "gl: "), "\n", ", "), hint)
}

// screen is a window for what the program says to it.
type screen struct{ *gl.Window }

// shown is a program for what the window shows.
type shown struct{ *gui.Program }

func (a shown) Handle(in desktop.Input) { a.Program.Handle(in) }

func (a shown) Draw(s *scene.Scene) { a.Scene(s) }

// visitTime is how long the program that opens an address may take to say that it cannot.
const visitTime = 10 * time.Second
