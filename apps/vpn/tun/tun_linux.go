package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/packet"
)

const path = "/dev/net/tun"

// What a TUN can be asked to give and take unfinished (linux/if_tun.h). The kernel knows the last two since 6.2.
const (
	base = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	udp  = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// Open makes the TUN of that name, such as "vpn0" or "vpn%d"; it is down and has no address. With offload set it gives and takes
// packets of up to 64 KiB. Errors tell which right or device is missing and how to give it.
func Open(name string, offload bool) (*Device, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, fmt.Errorf("TUN %q: want a name of 1 to %d characters", name, unix.IFNAMSIZ-1)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, explain(err)
	}
	d := &Device{Offload: packet.All}
	if !offload {
		d.Offload = 0
	}
	if err := d.set(fd, ifr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("making the TUN %q: %w", name, explain(err))
	}
	// The node reads and writes it without blocking. Here it is only held: in our poller it would wake us for every packet.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("making the TUN %q: %w", name, err)
	}
	d.Name = ifr.Name()
	d.File = os.NewFile(uintptr(fd), "TUN "+d.Name)
	return d, nil
}

// set makes a fresh descriptor a TUN.
func (d *Device) set(fd int, ifr *unix.Ifreq) error {
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETLE, 1); err != nil {
		return fmt.Errorf("little-endian headers: %w", err)
	}
	if d.Offload == 0 {
		return nil
	}
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, base|udp) == nil {
		return nil
	}
	d.Offload &^= packet.UDP
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, base); err != nil {
		d.Offload = 0
	}
	return nil
}

// limit says anew what a TUN may give unfinished. The kernel asks the same of both directions, but takes what it has offered once.
func limit(f *os.File, o packet.Offload) error {
	flags := 0
	for _, x := range []struct {
		o packet.Offload
		f int
	}{{packet.Checksum, unix.TUN_F_CSUM}, {packet.TCP4, unix.TUN_F_TSO4}, {packet.TCP6, unix.TUN_F_TSO6}, {packet.UDP, udp}} {
		if o&packet.Checksum != 0 && o&x.o != 0 { // segments need the checksum too
			flags |= x.f
		}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, flags) })
	if err = errors.Join(err, set); err != nil {
		return fmt.Errorf("setting what the TUN gives unfinished: %w", err)
	}
	return nil
}

// explain adds to an error of the system what to do about it.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: there is no %s: load the module (modprobe tun), in a container pass the device (--device %s)", err, path, path)
	case errors.Is(err, unix.EPERM), errors.Is(err, fs.ErrPermission):
		self, _ := os.Executable()
		return fmt.Errorf("%w: a TUN needs %s and the capability CAP_NET_ADMIN: run it as root, or give the program the capability "+
			"(setcap cap_net_admin,cap_net_raw+ep %s), in a container --cap-add NET_ADMIN", err, path, self)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: another process has it; name another one with --tun", err)
	}
	return err
}
