// Package forward moves records along routes by label switching.
//
// A route runs over a chain of links. On each link and in each direction it has a number,
// picked for the node that receives the records; a [Route] tells this node its part:
// which numbers arrive from the neighbour before and after, and which to write on records that
// go on. A rule is bound to the link it was laid on: a record with somebody else's number finds nothing and
// is dropped.
//
//	record on link A, number R ─► rule ─► same bytes on link B, number S   (transit)
//	                                  └─► Upper.Receive                    (we are an end)
//
// Transit is done on the reading goroutine of the inbound link: the number is rewritten in place, and
// consecutive records for the same link leave as one span, sealed in place in one go. Nothing
// is allocated, copied or handed over unless the outbound link is congested (then its queues copy).
//
// A route ends here when one of its links closes, its queue meets a cap or has to make room (see package link), an end
// says goodbye or nothing crossed it for its idle time. The neighbours on both sides are told at once, by RouteDown or RouteBye;
// control records that wait go before that, data does not. Datagrams are dropped under load and end no route.
//
// Both directions of a route are counted apart: records, bytes of payload, and what the queues here marked and
// dropped ([Table.Routes]).
package forward
