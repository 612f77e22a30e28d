// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

// associate begins an association with a service network, of a service or a VPC.
func (s *Service) associate(c *Call, o *object) {
	s.progress(c, o, creating, createFailed, s.cfg.AssociateDelay, func() {
		o.status = active
		s.refresh()
	})
}

// dissociate begins to end one.
func dissociate[T resource](s *Service, c *Call, k kind, all map[string]T, identifier string) (*object, error) {
	a, err := find(s, c, k, all, identifier)
	if err != nil {
		return nil, err
	}
	o := a.self()
	if err := o.removable(); err != nil {
		return nil, err
	}

	s.progress(c, o, deleting, deleteFailed, s.cfg.DeleteDelay, func() {
		delete(all, o.id)
		s.refresh()
	})
	s.refresh()
	return o, nil
}
