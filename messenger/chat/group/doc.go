// Package group is who belongs to a group: a log of signed entries, each of which names the hash of the one
// before it, from which every member computes the same list by itself. No server has a say.
//
//	g, first, _ := group.New(alice, "Walks", now)     // alice is its first admin
//	e, _ := g.Propose(alice, group.Change{Kind: group.Add, Subject: bob}, now)
//	g, err = g.Apply(e)                                  // refused if the author may not
//	dropped, err := log.Merge(theirs)                     // what somebody else's log adds
//
// # Entries
//
//	entry = version:u8 = 1 │ group[32] │ sequence:u64 │ previous[32] │ author[33] │ time:u64 (Unix seconds) │ kind:u8
//	        │ subject[33] │ len:u16 name │ expiry:u64 │ uses:u32 │ proof[65] │ signature[65]
//
// Big-endian. The hash of an entry is SHA-256 of all its bytes; the group is the hash of its first entry, which has
// zeros there, and random bytes for the one before it. The signature is package identity's, of the author, under the tag "viscript group" over
// all before it. Fields that a kind does not use are zero.
//
//	create   name                       author is the first admin
//	add      subject                    by an admin: a member
//	remove   subject                    by an admin
//	leave                               by the member itself
//	promote  subject, demote subject    by an admin: a member becomes an admin, an admin a member
//	rename   name                       by an admin
//	invite   subject, expiry, uses      by an admin: subject is the public half of a link's key
//	revoke   subject                    by an admin: the link is void
//	join     subject, proof             by whoever has the link's secret half: proof is its signature,
//	                                    under "viscript invitation", over group ‖ author
//	offer    subject, expiry, uses      by an admin: an invitation with which nobody joins unless an admin admits them
//	admit    subject, proof             by an admin: a member, by a link of either kind; proof is over group ‖ subject
//
// Kinds are numbered from 1 in this order. The time that invitations are measured by is the latest of an admin's entries.
//
// The last admin neither leaves nor is removed or demoted while there are other members. A removal, a leave or a demotion
// is where senders begin a new epoch; Epoch counts removals and leaves.
//
// # Two entries with one sequence number
//
// Admins who were apart may both have written entry n. Everybody keeps the same one: that of the author who has been admin
// for longer; authors who are no admins come after all admins; then the lower hash. What stood on
// the other is dropped, and its authors propose it anew if it still makes sense. So nobody gets around a removal
// by writing beside it, unless they have been admin for longer than who removed them.
package group
