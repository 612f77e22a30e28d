// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package standby

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// silence finds out from a lease whether its holder is silent. It compares no clocks
// of other machines: what counts is for how long this process saw the lease as it is.
type silence struct {
	// patience is how long a lease may stay as it is.
	patience time.Duration

	holder  string
	renewed time.Time
	// since is when the lease was first seen like that, read when it was last read.
	since, read time.Time
}

// observe notes a lease and reports whether nobody speaks: its holder did not renew it
// for as long as patience, or it has none. Time in which it could not be read does not
// count, since the holder may not have reached it either.
func (s *silence) observe(lease *coordinationv1.Lease, now time.Time) bool {
	next := silence{patience: s.patience, since: now, read: now}
	if h := lease.Spec.HolderIdentity; h != nil {
		next.holder = *h
	}

	if t := lease.Spec.RenewTime; t != nil {
		next.renewed = t.Time
	}

	same := s.holder == next.holder && s.renewed.Equal(next.renewed)
	if same && now.Sub(s.read) < s.patience {
		next.since = s.since
	}

	*s = next
	return s.holder == "" || now.Sub(s.since) >= s.patience
}
