// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"slices"
	"time"
)

// listener is a port of a service. Its default action is that of its default rule.
type listener struct {
	*object
	service  *service
	protocol string
	port     int
}

type listenerIn struct {
	serviceIn
	ListenerIdentifier string `json:"listenerIdentifier"`
}

type createListenerIn struct {
	serviceIn
	Name          string            `json:"name"`
	Protocol      string            `json:"protocol"`
	Port          int               `json:"port"`
	DefaultAction action            `json:"defaultAction"`
	Tags          map[string]string `json:"tags"`
}

// listenerOut is a listener as answers have it.
type listenerOut struct {
	ARN           string  `json:"arn"`
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Protocol      string  `json:"protocol"`
	Port          int     `json:"port"`
	DefaultAction *action `json:"defaultAction,omitempty"`
	ServiceARN    string  `json:"serviceArn,omitempty"`
	ServiceID     string  `json:"serviceId,omitempty"`
	CreatedAt     *stamp  `json:"createdAt,omitempty"`
	LastUpdatedAt *stamp  `json:"lastUpdatedAt,omitempty"`
}

func (s *Service) showListener(l *listener) *listenerOut {
	a := s.defaultRule(l).action
	return &listenerOut{
		ARN: l.arn, ID: l.id, Name: l.name, Protocol: l.protocol, Port: l.port,
		DefaultAction: &a, ServiceARN: l.service.arn, ServiceID: l.service.id,
	}
}

// listener finds a listener of a service.
func (s *Service) listener(c *Call, in listenerIn) (*listener, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	l, err := find(s, c, kindListener, s.listeners, in.ListenerIdentifier)
	if err != nil {
		return nil, err
	}
	if l.service != v {
		return nil, notFound(kindListener, l.id)
	}
	return l, nil
}

// listenersOf are a service's listeners, in the order of their creation.
func (s *Service) listenersOf(v *service) []*listener {
	var list []*listener
	for _, l := range s.listeners {
		if l.service == v {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *listener) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

func (s *Service) createListener(c *Call, in *createListenerIn) (*listenerOut, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	if err := v.ready(); err != nil {
		return nil, err
	}

	port := cmp.Or(in.Port, map[string]int{"HTTP": 80, "HTTPS": 443, "TLS_PASSTHROUGH": s.cfg.Assumptions.TLSPort}[in.Protocol])
	if err := s.checkListener(v, in, port); err != nil {
		return nil, err
	}
	a, err := s.checkAction(c, v, in.Protocol, in.DefaultAction)
	if err != nil {
		return nil, err
	}

	o, err := s.newObject(c, kindListener, v.arn, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	l := &listener{object: o, service: v, protocol: in.Protocol, port: port}
	standard, err := s.newObject(c, kindRule, l.arn, "default", nil)
	if err != nil {
		return nil, err
	}

	s.listeners[l.id] = l
	s.rules[standard.id] = &rule{object: standard, listener: l, action: a, isDefault: true}
	s.refresh()
	return s.showListener(l), nil
}

// checkListener validates what a new listener has in common with the others of its service.
func (s *Service) checkListener(v *service, in *createListenerIn, port int) error {
	if in.Protocol == "TLS_PASSTHROUGH" && v.customDomain == "" {
		return invalid("protocol", "a TLS_PASSTHROUGH listener needs a service with a custom domain name")
	}

	others := s.listenersOf(v)
	for _, l := range others {
		switch {
		case l.name == in.Name:
			return s.refused(s.cfg.Assumptions.NameTaken, l.object, "A listener with name "+in.Name+" already exists")
		case l.port == port:
			return conflict(kindListener, l.id, "A listener on port %d already exists", port)
		}
	}
	if limit := s.cfg.Quotas.ListenersPerService; len(others) >= limit {
		return tooMany(kindService, v.id, "L-D64E952E", "listeners per service", limit)
	}
	return nil
}

func (s *Service) getListener(c *Call, in *listenerIn) (*listenerOut, error) {
	l, err := s.listener(c, *in)
	if err != nil {
		return nil, err
	}
	out := s.showListener(l)
	out.CreatedAt, out.LastUpdatedAt = (*stamp)(&l.created), (*stamp)(&l.updated)
	return out, nil
}

type updateListenerIn struct {
	listenerIn
	DefaultAction action `json:"defaultAction"`
}

func (s *Service) updateListener(c *Call, in *updateListenerIn) (*listenerOut, error) {
	l, err := s.listener(c, in.listenerIn)
	if err != nil {
		return nil, err
	}
	if err := l.service.ready(); err != nil {
		return nil, err
	}
	a, err := s.checkAction(c, l.service, l.protocol, in.DefaultAction)
	if err != nil {
		return nil, err
	}

	s.defaultRule(l).action = a
	l.updated = time.Now()
	s.refresh()
	return s.showListener(l), nil
}

func (s *Service) deleteListener(c *Call, in *listenerIn) (*empty, error) {
	l, err := s.listener(c, *in)
	if err != nil {
		return nil, err
	}
	if err := l.service.ready(); err != nil {
		return nil, err
	}
	s.dropListener(l)
	s.refresh()
	return &empty{}, nil
}

func (s *Service) dropListener(l *listener) {
	for _, r := range s.rulesOf(l) {
		delete(s.rules, r.id)
	}
	delete(s.listeners, l.id)
}

type listListenersIn struct {
	serviceIn
	paging
}

func (s *Service) listListeners(c *Call, in *listListenersIn) (*listed[*listenerOut], error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	return page(s, "listeners "+v.id, in.paging, s.listenersOf(v), func(l *listener) int64 { return l.seq }, func(l *listener) *listenerOut {
		return &listenerOut{ARN: l.arn, ID: l.id, Name: l.name, Protocol: l.protocol, Port: l.port, CreatedAt: (*stamp)(&l.created), LastUpdatedAt: (*stamp)(&l.updated)}
	})
}
