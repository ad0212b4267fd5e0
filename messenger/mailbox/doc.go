// Package mailbox keeps envelopes for people who are not there: the server's store, its protocol, and the client that a person's chat
// uses. The server sees who has a mailbox, and sizes and times of what comes and goes; not from whom it is, nor what it says. A mailbox is
// named by its owner's key and a number for as long as they use it, so all that comes for one person can be told to be for one person.
//
//	s, err := mailbox.NewServer(mailbox.ServerConfig{Listen: addr, Dir: dir, Key: key})
//	err = s.Run(ctx)
//
//	c, err := mailbox.NewClient(mailbox.ClientConfig{Server: addr, Key: person, Pins: pins})
//	err = c.Put(ctx, mailbox.Address{Owner: bob, Device: 7}, envelopes)
//
// # Protocol
//
// A connection of node/secure of kind "mailbox" (the server answers WHO), with messages, answers and failures as in node/control. A
// client has two connections: one under its owner's key, for its own mailbox (requests 2, 3, 4), and one under a key made up for it, for
// everything that concerns others, so that the server does not learn who writes to whom. All requests may be repeated.
//
//	1 put      owner:key | device:u32 | list(envelope:bytes)   -> (empty)
//	2 fetch    device:u32                                       -> list(envelope:bytes)
//	3 ack      device:u32 | list(id:32)                         -> (empty)
//	4 publish  card:bytes | list(prekey:bytes)                  -> left:u16
//	5 cards    owner:key                                        -> list(card:bytes)
//	6 take     owner:key | device:u32                           -> prekey:bytes
//
// Put: all of the list, in order, when it is answered they are on disk; an envelope that is there is not put again. Fetch answers with
// the oldest ones, or waits some seconds for the first; ack deletes them, id being SHA-256 of the envelope. That both come over a
// connection under the owner's key is the owner's word. Publish replaces the device's card unless it is older than the one that is there,
// and prekey 0, and adds the others; left is how many with a number are there. Take gives one with a number, which is gone then, as long as there
// are any. A list is u16 count and elements. Failures: code 8, nobody has this mailbox; code 6, it is full, or too much comes from
// the sender's network: later; code 15, the device is gone (requests 2 and 4); code 1, what is no card, prekey or envelope.
//
//	card = version:u8 │ device:u32 │ issued:u64 │ expiry:u64 (Unix seconds) │ box[1216] │ homes │ signature[65]
//
//	version 1   no homes: the device's mailbox is where the card was found
//	version 2   homes = u16 count, 1 to 4, and for each the messenger's key[33] │ string HOST:PORT; each key once
//
// Homes are the messengers at which the device fetches, in the order in which others try them. A card that expires when it was issued, or before,
// is the last one: the device is gone, its prekeys and letters are deleted, no card replaces it, and put answers that nobody is there. The
// signature is package identity's, of the owner, under the tag "viscript mailbox card", over all before it. An envelope
// is as package envelope says, a prekey as package prekey.
//
// # What is held
//
// Envelopes stay 30 days; a mailbox holds 20,000 of them and 64 MiB, a store 8 GiB and 100,000 owners. Each /24 or /56 may send 128 MiB
// at once and 2 MiB/s after that; taking a prekey counts as 64 KiB. A card that expired 30 days ago takes the mailbox with it.
package mailbox
