package hostnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// settingsDir is where the kernel shows the settings of this network namespace.
const settingsDir = "/proc/sys/net"

// readSetting reads a setting; false where the kernel has none of that name.
func readSetting(path string) (string, bool) {
	if !filepath.IsLocal(path) {
		return "", false
	}
	b, err := os.ReadFile(filepath.Join(settingsDir, path))
	return strings.TrimSpace(string(b)), err == nil
}

func writeSetting(path, value string) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("setting %q: %w", path, fs.ErrInvalid)
	}
	f, err := os.OpenFile(filepath.Join(settingsDir, path), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("setting net/%s: %w", path, err)
	}
	_, err = f.WriteString(value)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("setting net/%s to %s: %w", path, value, err)
	}
	return nil
}

func (s setting) do() error {
	if now, ok := readSetting(s.Path); ok && now == s.Value {
		return nil
	}
	return writeSetting(s.Path, s.Value)
}

// undo writes what was before, unless somebody wrote something else meanwhile.
func (s setting) undo() (left string, err error) {
	now, ok := readSetting(s.Path)
	switch {
	case !ok || now == s.Before: // it went with its interface, or was never set
		return "", nil
	case now != s.Value:
		return fmt.Sprintf("setting net/%s is %s, set by somebody else", s.Path, now), nil
	}
	return "", writeSetting(s.Path, s.Before)
}

// identity tells this boot, and this network namespace, from others.
func identity() (boot string, space uint64, err error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", 0, err
	}
	defer unix.Close(fd)
	space, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 5.14
		space, err = 0, nil
	}
	return strings.TrimSpace(string(b)), space, err
}
