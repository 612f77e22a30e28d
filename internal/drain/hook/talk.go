// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import "time"

// acknowledgedWithin is how long it takes until data is acknowledged at most: kernels put it off for up to 200 ms. What a peer
// acknowledges later may be that the connection is there, which nobody's data asked for.
const acknowledgedWithin = 500 * time.Millisecond

// talk is what a look at an open connection saw on which requests take turns. Its zero value is of one that is new.
type talk struct {
	// sent is when the pod had last sent, and in, out and acks what had passed.
	sent          time.Time
	in, out, acks uint32
	// before is what acks was when the latest data had not come yet.
	before uint32
	// answered and owes: it was certain that the pod had answered all that came, or had not.
	answered, owes bool
}

// next is what the next look sees. Mostly a request and its answer have the same time, as the kernel's clock counts, and so
// would an answer and the next request. What passed before the first look may leave it uncertain for good.
func (t talk) next(d Data) talk {
	n := talk{in: d.In, out: d.Out, acks: d.Acks, before: t.before}
	if d.In != t.in {
		n.before = t.acks
	}

	switch {
	case d.Sent != d.Received:
		n.answered, n.owes = d.Sent < d.Received, d.Sent > d.Received
	case d.In == 0:
		n.answered = true // Nobody has asked yet.
	case d.In != t.in && d.Out == t.out:
		n.owes = true // Nothing was sent since.
	case d.In == t.in && d.Out == t.out && (t.answered || t.owes):
		n.answered, n.owes = t.answered, t.owes
	default:
		n.answered = t.single(d) || d.acknowledged() || n.together(d)
	}
	return n
}

// single reports whether only one segment came since nothing was owed, which is a request, and what was sent is its answer.
func (t talk) single(d Data) bool {
	return d.Out > t.out && (d.In == 1 || t.answered && d.In == t.in+1)
}

// acknowledged reports whether the peer acknowledged something after it last sent: it has got an answer since.
func (d Data) acknowledged() bool {
	after := d.Received - d.Acknowledged
	return after > 0 && after <= acknowledgedWithin
}

// together reports whether the pod acknowledged the latest data with an answer: by itself it would have done so by now.
func (t talk) together(d Data) bool { return d.Acks == t.before && d.Received >= acknowledgedWithin }
