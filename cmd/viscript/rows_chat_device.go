package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// deviceRow is a device of this person.
type deviceRow struct {
	Device string `json:"device"` // hexadecimal
	Name   string `json:"name"`   // what it is called here
	State  string `json:"state"`  // this, other, removed
	Since  string `json:"since"`  // when it was heard of first
	Seen   string `json:"seen"`   // when it was running last, as far as is known
	Until  string `json:"until"`  // its card is good until then; it renews it
}

// deviceCommands are the commands about the person's own devices.
func (p *chatRoom) deviceCommands() []chatCommand {
	return []chatCommand{
		{"devices", "", "this person's devices; another one is made with viscript chat export --key and import", 0, 0, p.devices},
		{"name_device", "DEVICE NAME", "call a device of this person something, here; without NAME nothing", 1, -1, p.nameDevice},
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
		rows = append(rows, deviceRow{fmt.Sprintf("%08x", d.Device), d.Name, state, toTheMinute(d.Since), toTheMinute(d.Seen), d.Expiry.Format(time.DateTime)})
	}
	return rows, err
}

// toTheMinute is a time for people; "" for none.
func toTheMinute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04")
}

func (p *chatRoom) removeDevice(args []string) (any, error) {
	n, err := deviceNumber(args[0])
	if err != nil {
		return nil, err
	}
	return "done", p.e.RemoveDevice(n)
}

func (p *chatRoom) nameDevice(args []string) (any, error) {
	n, err := deviceNumber(args[0])
	if err != nil {
		return nil, err
	}
	return "done", p.e.NameDevice(n, strings.Join(args[1:], " "))
}

func deviceNumber(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no device: see devices", s)
	}
	return uint32(n), nil
}
