// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// States of what is created, changed and deleted in the background.
const (
	creating     = "CREATE_IN_PROGRESS"
	createFailed = "CREATE_FAILED"
	active       = "ACTIVE"
	updating     = "UPDATE_IN_PROGRESS"
	updateFailed = "UPDATE_FAILED"
	deleting     = "DELETE_IN_PROGRESS"
	deleteFailed = "DELETE_FAILED"
)

// object is what all resources have.
type object struct {
	kind    kind
	account string
	seq     int64
	id, arn string
	name    string
	tags    map[string]string

	status                      string // empty of kinds that have none
	failureCode, failureMessage string
	created, updated            time.Time
	change                      int // what was begun in the background before the latest one has been overtaken
}

func (o *object) self() *object { return o }

// resource is any of them.
type resource interface{ self() *object }

// stamp is a time as it goes over the wire.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (t stamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z"))
}

// newObject makes an object whose ARN stands below that of another, or, if that is empty, on its own.
func (s *Service) newObject(c *Call, k kind, below, name string, tags map[string]string) (*object, error) {
	if err := s.checkTags(tags); err != nil {
		return nil, err
	}

	s.seq++
	o := &object{kind: k, account: c.Account, seq: s.seq, id: k.prefix() + wire.RandomHex(9)[:17], name: name, tags: map[string]string{}, created: time.Now(), updated: time.Now()}
	for key, value := range tags {
		o.tags[key] = value
	}

	if below == "" {
		below = s.arnPrefix(c.Account)
	} else {
		below += "/"
	}
	o.arn = below + k.path() + "/" + o.id
	return o, nil
}

func (s *Service) arnPrefix(account string) string {
	return "arn:aws:vpc-lattice:" + s.cfg.Region + ":" + account + ":"
}

// find finds a resource by its id or ARN. An ARN of elsewhere is nobody's here: of another region it cannot be valid,
// and what another account has is denied. Both answers are assumptions.
func find[T resource](s *Service, c *Call, k kind, all map[string]T, identifier string) (T, error) {
	var none T
	id := identifier
	if strings.HasPrefix(identifier, "arn:") {
		id = identifier[strings.LastIndex(identifier, "/")+1:]
		if err := s.checkARN(c, identifier); err != nil {
			return none, err
		}
	}

	found, known := all[id]
	if !known || found.self().account != c.Account || id != identifier && found.self().arn != identifier {
		return none, notFound(k, id)
	}
	return found, nil
}

func (s *Service) checkARN(c *Call, arn string) error {
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) < 6 || parts[3] != s.cfg.Region:
		return invalid("arn", "'%s' is not an ARN of region %s", arn, s.cfg.Region)
	case parts[4] != c.Account:
		return denied(arn)
	}
	return nil
}

func denied(arn string) *wire.APIError {
	return &wire.APIError{Status: 403, Code: "AccessDeniedException", Message: "User is not authorized to access " + arn}
}

// sorted lists an account's resources in the order of their creation.
func sorted[T resource](c *Call, all map[string]T) []T {
	list := []T{}
	for _, r := range all {
		if r.self().account == c.Account {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(a.self().seq, b.self().seq) })
	return list
}

// taken returns an error if one of the account's resources has the name.
func taken[T resource](s *Service, c *Call, all map[string]T, name string) error {
	for _, r := range sorted(c, all) {
		if o := r.self(); o.name == name {
			return s.refused(s.cfg.Assumptions.NameTaken, o, "A "+string(o.kind)+" with name "+name+" already exists")
		}
	}
	return nil
}

// refused is a conflict, or where the assumption says so a ValidationException.
func (s *Service) refused(assumed string, o *object, message string) error {
	if assumed == "validation" {
		return invalid("name", "%s", message)
	}
	return conflict(o.kind, o.id, "%s", message)
}

// progress puts o into a state in which something is under way, and after a while calls done, or leaves o failed.
func (s *Service) progress(c *Call, o *object, during, failed string, delay time.Duration, done func()) {
	o.status = during
	o.failureCode, o.failureMessage = "", ""
	o.change++
	change := o.change
	fails := c.Effect.FailLater

	s.clock.After(delay, func() {
		if o.change != change {
			return // overtaken
		}
		if fails {
			o.status, o.failureCode, o.failureMessage = failed, "InternalFailure", "awssim: a fault made it fail"
			return
		}
		done()
	})
}

// ready returns an error unless o can be changed.
func (o *object) ready() error {
	if o.status != "" && o.status != active {
		return o.busy()
	}
	return nil
}

// removable returns an error unless o can be deleted.
func (o *object) removable() error {
	switch o.status {
	case "", active, createFailed, deleteFailed, updateFailed:
		return nil
	}
	return o.busy()
}
