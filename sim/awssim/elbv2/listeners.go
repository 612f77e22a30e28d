// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"crypto/tls"
	"reflect"
	"slices"
	"strings"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// listener is a port of a load balancer; its default actions are a rule too,
// as they are in DescribeRules.
type listener struct {
	account    string
	seq        int64
	balancer   *loadBalancer
	view       types.Listener
	extra      []string // certificates besides the default one
	attributes map[string]string
	socket     *datapath.Socket // its end of the data path
	made       time.Time
}

func (l *listener) arn() string { return *l.view.ListenerArn }

// path is the listener's part of its rules' ARNs.
func (l *listener) path() string {
	_, path, _ := strings.Cut(l.arn(), ":listener/")
	return path
}

func (s *Service) listener(c *Call, arn *string) (*listener, error) {
	if err := s.checkARN(c, kindListener, *arn); err != nil {
		return nil, err
	}
	l := s.listeners[*arn]
	if l == nil || s.unseen(c, l.made) {
		return nil, kindListener.notFound()
	}
	return l, nil
}

func (s *Service) listenersOf(b *loadBalancer) []*listener {
	return slices.DeleteFunc(sorted(s.listeners), func(l *listener) bool { return l.balancer != b })
}

// balancerUses reports whether a listener or rule of b forwards to a group.
func (s *Service) balancerUses(b *loadBalancer, group string) bool {
	for _, r := range s.rules {
		if r.listener.balancer == b && slices.Contains(groupsOf(r.view.Actions), group) {
			return true
		}
	}
	return false
}

// refreshUse starts and stops the targets of groups that came into use or fell
// out of it. It is called after every change of listeners and rules.
func (s *Service) refreshUse() {
	for _, g := range sorted(s.groups) {
		used := len(s.usedBy(g)) > 0
		if used == g.inUse {
			continue
		}
		g.inUse = used
		if !used {
			g.released = time.Now()
		}
		for _, r := range g.registrations {
			r.checked = false
			s.restart(g, r)
		}
	}
}

// protocols that listeners of a load balancer may have, as far as modelled.
func (b *loadBalancer) accepts(p types.ProtocolEnum) bool {
	if b.application() {
		return p == types.ProtocolEnumHttp || p == types.ProtocolEnumHttps
	}
	_, ok := forwards[p]
	return ok
}

// forwards are the protocols of target groups that listeners of network load balancers forward to (NLB guide, "Listener
// configuration").
var forwards = map[types.ProtocolEnum][]types.ProtocolEnum{
	types.ProtocolEnumTcp:    {types.ProtocolEnumTcp, types.ProtocolEnumTcpUdp},
	types.ProtocolEnumUdp:    {types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp},
	types.ProtocolEnumTcpUdp: {types.ProtocolEnumTcpUdp},
	types.ProtocolEnumTls:    {types.ProtocolEnumTcp, types.ProtocolEnumTls},
}

// checkProtocols returns an error unless a listener with a protocol can forward to the groups of its actions.
func (s *Service) checkProtocols(c *Call, p types.ProtocolEnum, actions []types.Action) error {
	for _, arn := range groupsOf(actions) {
		g, err := s.group(c, &arn)
		if err != nil {
			return err
		}
		if groups, network := forwards[p]; network && !slices.Contains(groups, g.view.Protocol) {
			return wire.Failed("IncompatibleProtocols", "The protocol '%s' of the listener and the protocol '%s' of target group '%s' are not compatible", p, g.view.Protocol, arn)
		}
	}
	return nil
}

func (s *Service) createListener(c *Call, in *api.CreateListenerInput) (*api.CreateListenerOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	actions, err := s.checkListener(c, b, in)
	if err != nil {
		return nil, err
	}

	l := s.newListener(c, b, in, actions)
	if err := s.secure(c, &l.view, encryption{in.Certificates, in.SslPolicy, in.AlpnPolicy, in.MutualAuthentication}); err != nil {
		return nil, err
	}

	if same := s.like(l); same != nil {
		return &api.CreateListenerOutput{Listeners: []types.Listener{same.view}}, nil
	}
	if err := s.checkRoom(b, in.Port); err != nil {
		return nil, err
	}
	if err := s.checkReach(b, actions, nil); err != nil {
		return nil, err
	}
	if err := s.tagNew(l.arn(), in.Tags); err != nil {
		return nil, err
	}

	if l.socket, err = s.path.Open(s.routed(l)); err != nil {
		delete(s.tags, l.arn())
		return nil, wire.Failed("InvalidConfigurationRequest", "awssim: %v", err)
	}

	s.listeners[l.arn()] = l
	s.addRule(l, types.Rule{IsDefault: new(true), Priority: new("default"), Actions: actions, Conditions: []types.RuleCondition{}})
	s.refreshUse()

	return &api.CreateListenerOutput{Listeners: []types.Listener{l.view}}, nil
}

// checkListener validates a listener, and returns its
// default actions as answers show them.
func (s *Service) checkListener(c *Call, b *loadBalancer, in *api.CreateListenerInput) ([]types.Action, error) {
	if in.Port == nil || in.Protocol == "" {
		return nil, wire.Invalid("A listener protocol and port must be specified")
	}

	if err := wire.InRange("port", in.Port, 1, 65535); err != nil {
		return nil, err
	}
	if err := b.checkListenerProtocol(in.Protocol); err != nil {
		return nil, err
	}

	actions, err := s.checkActions(c, b, in.DefaultActions)
	if err != nil {
		return nil, err
	}
	return actions, s.checkProtocols(c, in.Protocol, actions)
}

// like returns the listener that is what another one is to be, whoever made it; nil when there is none. API_CreateListener:
// creating a listener with the same settings again succeeds.
func (s *Service) like(wanted *listener) *listener {
	for _, l := range s.listenersOf(wanted.balancer) {
		view := wanted.view
		view.ListenerArn = l.view.ListenerArn
		if reflect.DeepEqual(view, l.view) {
			return l
		}
	}
	return nil
}

// checkRoom returns an error unless a load balancer can have another listener on a port.
func (s *Service) checkRoom(b *loadBalancer, port *int32) error {
	if err := s.checkPort(b, port, nil); err != nil {
		return err
	}
	if len(s.listenersOf(b)) >= s.cfg.Quotas.ListenersPerBalancer {
		return wire.Failed("TooManyListeners", "The maximum number of listeners has been reached for load balancer '%s'", b.arn())
	}
	return nil
}

// checkListenerProtocol returns an error unless listeners of b can speak p.
func (b *loadBalancer) checkListenerProtocol(p types.ProtocolEnum) error {
	if b.accepts(p) {
		return nil
	}
	return wire.Failed("UnsupportedProtocol", "The protocol '%s' is not supported for load balancers of type '%s' (by awssim: see its documentation)", p, b.view.Type).
		Lacking("listeners with protocol '%s'", p)
}

// checkPort returns an error when a listener of b other than own has the port.
func (s *Service) checkPort(b *loadBalancer, port *int32, own *listener) error {
	for _, l := range s.listenersOf(b) {
		if l != own && *l.view.Port == *port {
			return wire.Failed("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.arn())
		}
	}
	return nil
}

func (s *Service) newListener(c *Call, b *loadBalancer, in *api.CreateListenerInput, actions []types.Action) *listener {
	return &listener{
		account:  c.Account,
		seq:      s.next(),
		balancer: b,
		view: types.Listener{
			ListenerArn:     new(s.arn(c.Account, "listener/"+b.path()+"/"+wire.Suffix())),
			LoadBalancerArn: in.LoadBalancerArn,
			Port:            in.Port,
			Protocol:        in.Protocol,
			DefaultActions:  actions,
		},
		attributes: listenerAttributes(in.Protocol),
		made:       time.Now(),
	}
}

// routed is the listener as the data path needs it.
func (s *Service) routed(l *listener) datapath.Listener {
	return datapath.Listener{
		ARN: l.arn(), Address: l.balancer.address, Protocol: l.view.Protocol, Port: *l.view.Port, Application: l.balancer.application(),
		Certificate: func(serverName string) *tls.Certificate { return s.acm.Choose(l.certificates(), serverName) },
		IdleTimeout: func() time.Duration { return seconds(l.balancer.attributes, attrIdleTimeout) },
	}
}

// reroute tells the data path a listener's rules as they now are.
func (s *Service) reroute(l *listener) {
	var views []types.Rule
	for _, r := range s.rulesOf(l) {
		views = append(views, r.view)
	}
	l.socket.Reroute(views)
}

func (s *Service) describeListeners(c *Call, in *api.DescribeListenersInput) (*api.DescribeListenersOutput, error) {
	if (in.LoadBalancerArn == nil) == (in.ListenerArns == nil) {
		return nil, wire.Invalid("You must specify either listener ARNs or a load balancer ARN")
	}

	found := []types.Listener{}
	for _, arn := range in.ListenerArns {
		l, err := s.listener(c, &arn)
		if err != nil {
			return nil, err
		}
		found = append(found, l.view)
	}

	if in.LoadBalancerArn != nil {
		b, err := s.balancer(c, in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		for _, l := range s.listenersOf(b) {
			if !s.unseen(c, l.made) {
				found = append(found, l.view)
			}
		}
	}

	found, marker, err := wire.Page(found, func(l types.Listener) string { return *l.ListenerArn }, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeListenersOutput{Listeners: found, NextMarker: marker}, nil
}

func (s *Service) modifyListener(c *Call, in *api.ModifyListenerInput) (*api.ModifyListenerOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}

	view := l.view
	setIf(&view.Port, in.Port)
	view.Protocol = orElse(in.Protocol, view.Protocol)
	if err := s.checkMove(l, &view); err != nil {
		return nil, err
	}
	if err := s.secure(c, &view, encryption{in.Certificates, in.SslPolicy, in.AlpnPolicy, in.MutualAuthentication}); err != nil {
		return nil, err
	}

	if in.DefaultActions != nil {
		view.DefaultActions, err = s.checkActions(c, l.balancer, in.DefaultActions)
		if err != nil {
			return nil, err
		}
		if err := s.checkReach(l.balancer, view.DefaultActions, s.defaultRule(l)); err != nil {
			return nil, err
		}
	}

	if err := s.checkProtocols(c, view.Protocol, view.DefaultActions); err != nil {
		return nil, err
	}
	if err := s.rebind(l, view); err != nil {
		return nil, err
	}

	s.defaultRule(l).view.Actions = view.DefaultActions
	s.reroute(l)
	s.refreshUse()

	return &api.ModifyListenerOutput{Listeners: []types.Listener{l.view}}, nil
}

// checkMove validates the port and protocol that a listener is to have.
func (s *Service) checkMove(l *listener, to *types.Listener) error {
	if err := wire.InRange("port", to.Port, 1, 65535); err != nil {
		return err
	}
	if err := l.balancer.checkListenerProtocol(to.Protocol); err != nil {
		return err
	}
	return s.checkPort(l.balancer, to.Port, l)
}

// rebind makes a listener what it is to be, on a socket of its own when its port or protocol changes.
func (s *Service) rebind(l *listener, to types.Listener) error {
	old := l.view
	l.view = to
	if *old.Port == *to.Port && old.Protocol == to.Protocol {
		return nil
	}

	// The same port can be bound again only once it is free.
	if *old.Port == *to.Port {
		l.socket.Close()
	}

	socket, err := s.path.Open(s.routed(l))
	if err != nil {
		l.view = old
		return wire.Failed("InvalidConfigurationRequest", "awssim: %v", err)
	}

	l.socket.Close()
	l.socket = socket
	if !encrypted(to.Protocol) {
		l.extra = nil
	}

	// Attributes that listeners with the new protocol have too keep their values.
	attributes := listenerAttributes(to.Protocol)
	for key := range attributes {
		if value, ok := l.attributes[key]; ok {
			attributes[key] = value
		}
	}
	l.attributes = attributes

	return nil
}

func (s *Service) deleteListener(c *Call, in *api.DeleteListenerInput) (*api.DeleteListenerOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}
	s.dropListener(l)
	s.refreshUse()
	return &api.DeleteListenerOutput{}, nil
}

func (s *Service) dropListener(l *listener) {
	for _, r := range s.rulesOf(l) {
		s.dropRule(r)
	}
	l.socket.Close()
	delete(s.listeners, l.arn())
	delete(s.tags, l.arn())
}
