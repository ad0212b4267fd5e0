package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/viscript/command"
)

// noteWords is what a note of the history says, behind who did it: "added you", "removed Ben". about is whom it concerns; nil: nobody.
func (p *chatRoom) noteWords(m chat.Message, names map[identity.PubKey]string) (words string, about *identity.PubKey) {
	kind, rest, _ := strings.Cut(m.Text, " ")
	whom := rest
	if k, err := identity.ParseHex(rest); err == nil && kind != "create" && kind != "rename" { // which have a name there
		about, whom = &k, p.nameOf(k, names)
		if whom == "me" {
			whom = "you"
		}
	}
	switch kind {
	case "create":
		return "created the group " + rest, nil
	case "rename":
		return "named the group " + rest, nil
	case "add":
		return "added " + whom, about
	case "remove":
		return "removed " + whom, about
	case "promote":
		return "made " + whom + " an admin", about
	case "demote":
		return "made " + whom + " a plain member", about
	case "admit":
		return "let " + whom + " in", about
	case "leave":
		return "left", nil
	case "join":
		return "joined by a link", nil
	case "invite":
		return "made a link to join", about
	case "offer":
		return "made a link to ask to join", about
	case "revoke":
		return "revoked a link", about
	}
	if words := refusedWords(m.Text); words != "" {
		return words, nil
	}
	return m.Text, nil
}

// refusedWords is what a note about something that is not kept says, behind whose it is; "" for other notes.
func refusedWords(text string) string {
	kind, number, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	switch {
	case err != nil:
	case kind == "full":
		return fmt.Sprintf("has left %d MiB here today, as much as one contact may (--daily): more of today is not kept", n>>20)
	case kind == "guests":
		return fmt.Sprintf("and others whom we know only from groups have left %d MiB today, as much as they may together (--daily): more of theirs is not kept", n>>20)
	case kind == "invited":
		return fmt.Sprintf("has brought us into %s where we have not looked: more are not taken before we do, or leave", command.Count(int(n), "group"))
	}
	return ""
}

// maxAnswer bounds what an answer of ours takes, in bytes: people may write what is longer than a frame of signal holds.
const maxAnswer = 900 << 10

// fitting are as many of the rows, from the first on, as an answer holds.
func fitting(rows []messageRow) []messageRow {
	sum := 0
	for i := range rows {
		b, err := json.Marshal(rows[i])
		if sum += len(b) + 1; err != nil || sum > maxAnswer {
			return rows[:i]
		}
	}
	return rows
}

// maxLast bounds the text of a conversation's last line in the inbox, in bytes.
const maxLast = 200

// shortened is the beginning of a text, for a line of a list.
func shortened(s string) string {
	if len(s) <= maxLast {
		return s
	}
	return strings.ToValidUTF8(s[:maxLast], "") + "…"
}

// lastWords is the last thing of a conversation as the inbox shows it.
func lastWords(m chat.Message, row messageRow) string {
	words, note := strings.CutPrefix(row.Text, "* ")
	switch {
	case m.N == 0:
		return ""
	case !m.Note || !note:
		return row.From + ": " + shortened(row.Text)
	case row.From == "me":
		return "you " + words
	}
	return row.From + " " + words
}
