package main

import (
	"fmt"
	"strconv"
	"time"
)

// deviceRow is a device of this person.
type deviceRow struct {
	Device string `json:"device"` // hexadecimal
	State  string `json:"state"`  // this, other, removed
	Until  string `json:"until"`  // its card is good until then; it renews it
}

// deviceCommands are the commands about the person's own devices.
func (p *chatRoom) deviceCommands() []chatCommand {
	return []chatCommand{
		{"devices", "", "this person's devices; another one is made with viscript chat export --key and import", 0, 0, p.devices},
		{"remove_device", "DEVICE", "end another device of this person: nothing goes there any more", 1, 1, p.removeDevice},
	}
}

func (p *chatRoom) devices([]string) (any, error) {
	list, err := p.e.Devices()
	rows := []deviceRow{}
	for _, d := range list {
		state := "other"
		switch {
		case d.Gone || (d.This && p.e.Removed()):
			state = "removed"
		case d.This:
			state = "this"
		}
		rows = append(rows, deviceRow{fmt.Sprintf("%08x", d.Device), state, d.Expiry.Format(time.DateTime)})
	}
	return rows, err
}

func (p *chatRoom) removeDevice(args []string) (any, error) {
	n, err := strconv.ParseUint(args[0], 16, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is no device: see devices", args[0])
	}
	return "done", p.e.RemoveDevice(uint32(n))
}
