// Package chat is one person's messenger: contacts, conversations with one and in groups, and everything that is kept of them, on
// this person's disk only. What leaves is encrypted from device to device; whoever carries it sees mailboxes, sizes and times.
//
//	e, err := chat.Open(chat.Config{Key: key, Dir: dir, Post: post})
//	go e.Run(ctx)                                   // publishes prekeys, sends, receives
//	id, err := e.Send(chat.To(bob), "hello", chat.MessageID{})
//	list, err := e.History(chat.To(bob), 0, 50)
//
// Send and its like return when the message is on disk; Run delivers it, over restarts, in order, until the messenger has it. State is
// written before anything leaves, so a crash repeats an envelope at most, which its reader recognizes. Safe for concurrent use.
//
// # What is in an envelope
//
//	body = version:u8 = 1 │ kind:u8 │ sender[33] │ device:u32 │ rest
//
//	kind 1  rest = message of the ratchet between the two devices
//	kind 2  rest = opening (prekey) │ message of the ratchet
//	kind 3  rest = message of a sender key
//
// The ratchet's additional data is "viscript chat/1" ‖ sender ‖ device ‖ receiver ‖ device. Envelopes of kind 2 repeat until the other
// device has answered. Two devices that greet each other at once have two ratchets; each sends with the one that it last read from.
//
// # Contents
//
//	content = version:u8 = 1 │ type:u8 │ id[16] │ time:u64 (milliseconds since 1970) │ fields
//
//	1 text     group[32] │ seq:u64 │ reply[16] │ text:string
//	2 receipt  group[32] │ what:u8 (1 delivered, 2 read) │ list(id[16])
//	3 entries  list(entry:bytes)                       of a group's log, in order
//	4 share    group[32] │ epoch:u64 │ length:u64 │ share[69]  of a sender key; length of the sender's log
//	5 ask      group[32] │ from:u64                    for the group's log from that entry on
//	6 file     group[32] │ seq:u64 │ reply[16] │ size:u64 │ sha256[32] │ name:string
//	7 chunk    file[16] │ index:u32 │ bytes            file: the id of its content of type 6
//	8 want     file[16] │ index:u32 │ count:u32        chunks of a file
//	9 card     card:bytes                             of a device of the sender, see package mailbox
//	10 got     list(id[16])                           envelopes that came: the first 16 bytes of their SHA-256
//	11 knock   group[32] │ link[33] │ proof[65]       wants to join: the proof that package group describes, of a Link
//	12 copy    key[33] │ content:bytes                of type 1 or 6, as it was said to key, or zeros and to its group
//	13 seen    key[33] │ group[32] │ author[33] │ id[16]   read up to that message; of key and group one is zeros
//	14 person  key[33] │ flags:u8 │ changed:u64 (ms) │ name:string │ homes   flags: 1 verified, 2 blocked, 4 request, 8 met, 16 forgotten
//
// Big-endian; group is zeros between two; string and bytes are u16 length and contents, list is u16 count and elements. seq counts a sender's
// messages in a conversation from 1. Contents that do not parse, or of a type that is not known, are dropped. Types 1 and 6 come in
// groups by kind 3; all others by kinds 1 and 2.
//
// # Joining by a link
//
// An admin's engine makes a key, writes its public half into the group's log (invite, or offer) and gives its secret half away in a Link. Who has it sends 11 to
// the inviter, whose engine writes admit into the log, at once or when the person agrees, and sends the log. Uses and expiry are the log's; a link does not bring
// back whom an admin has removed after it was made, unless the person agrees. Of a knock that does not hold nothing is kept.
//
// # Several devices
//
// Each device of a person has a number, ratchets, chains and mailboxes of its own under the same key, and everybody seals for each of them. A device that
// says something, reads or changes a contact tells the others with 12, 13 and 14, which count from devices under our own key only, as do group entries
// (3, 5) and chunks of files (7, 8); of two changes of a contact the later one holds. A new device is heard of from its card, which the messengers have;
// the others tell the people who write to us (9). The last card of a device, of which nothing comes back, goes the same way; who gets to know it makes
// new keys for the groups. A store is never copied: two devices with one ratchet would seal twice under one key. Use ExportDevice.
//
// # Several messengers
//
// A device has a mailbox at each of its messengers and fetches from all; its card names them, in order, and a card goes to everybody whom it writes to,
// behind the first content, and again when it names others. Whoever writes puts at the first that answers. Where there are several, the envelope is kept until
// its reader has said 10 (who has several messengers does); after five minutes without, or when a messenger has stopped answering and the next one gets
// something newer, that one gets the envelope too, unaltered and in order. The ratchet opens it once.
//
// # What a messenger sees, and for how long a device knows
//
// A mailbox is named by its owner's key and the device's number, and stays: its messenger can tell how much comes for a person and when, and when the
// person is there; with several, each of them can. It does not see from whom. The key that envelopes are sealed to, which hides the sender's name,
// changes each week; the secret half of a former one is deleted when nothing sealed to it can come any more (68 days). Contents are
// under ratchets and chains, whose keys are gone when they have been used.
//
// # What is held
//
//	100 people who ask to talk, 20 texts of each; of other contents of strangers nothing, not even a ratchet
//	16 devices of a person with 4 ratchets each; 2000 keys of missing messages in a ratchet, 1000 in a chain; 4 chains of a device in a group
//	1000 groups of at most 1000 people and 20,000 entries; 20 links in a group, 100 people who ask to join; 10,000 contacts, and 10,100 members of groups
//	32 groups into which one contact has brought us and where we have not looked, 256 of all, 1 MiB of logs of one contact's
//	64 MiB in a day of what one contact leaves without our asking, see allowance.go; as much once more of all
//	whom we do not know in the groups that this contact has brought
//	256 contents that came before what they need; 64 contents waiting for somebody, then nothing large is done for them
//	4 GiB of files, 16 at a time; chunks only of a file and in the order that were asked for; a file whose sum is another is not there
//	1000 envelopes per person that their device has not confirmed
//
// # On disk
//
// chat.db is a bbolt file of mode 0600. Values are sealed with AES-256-GCM under a key derived from the identity, the place of the
// value as additional data; keys are HMACs or random numbers. It shows how many records there are and how long they are.
package chat
