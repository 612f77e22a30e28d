// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"regexp"
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// encryption is what a request says of the TLS of a listener; nil says nothing.
type encryption struct {
	certificates []types.Certificate
	policy       *string
	alpn         []string
	mutual       *types.MutualAuthenticationAttributes
}

// encrypted reports whether listeners with a protocol end TLS.
func encrypted(p types.ProtocolEnum) bool {
	return p == types.ProtocolEnumHttps || p == types.ProtocolEnumTls
}

// secure validates what a request says of the TLS of a listener, and sets it. A listener without TLS loses what it had.
func (s *Service) secure(c *Call, view *types.Listener, in encryption) error {
	if !encrypted(view.Protocol) {
		if len(in.certificates) > 0 || in.policy != nil {
			return wire.Invalid("Certificates and SSL policies cannot be specified for %s listeners", view.Protocol)
		}
		view.Certificates, view.SslPolicy, view.AlpnPolicy, view.MutualAuthentication = nil, nil, nil, nil
		return nil
	}

	if in.certificates != nil {
		view.Certificates = in.certificates
	}

	switch {
	case len(view.Certificates) == 0: // in these words in pulumi/pulumi #15712
		return wire.Invalid("A certificate must be specified for %s listeners", view.Protocol)
	case len(view.Certificates) > 1:
		return wire.Failed("TooManyCertificates", "Only one certificate can be specified for a listener")
	}
	if err := s.checkCertificate(c, view.Certificates[0]); err != nil {
		return err
	}

	if err := setPolicy(view, in.policy); err != nil {
		return err
	}

	if in.alpn != nil {
		view.AlpnPolicy = in.alpn
	}

	return setMutual(view, in.mutual)
}

func setPolicy(view *types.Listener, policy *string) error {
	setIf(&view.SslPolicy, policy)
	if view.SslPolicy == nil {
		view.SslPolicy = new(sslPolicies[0].name)
	}
	if !slices.ContainsFunc(sslPolicies, func(p sslPolicy) bool { return p.name == *view.SslPolicy }) {
		return wire.Failed("SSLPolicyNotFound", "SSL policy '%s' not found", *view.SslPolicy).Lacking("SSL policy '%s'", *view.SslPolicy)
	}
	return nil
}

func setMutual(view *types.Listener, mutual *types.MutualAuthenticationAttributes) error {
	if mutual != nil && mutual.Mode != nil && *mutual.Mode != "off" {
		return wire.Unmodelled("mutual authentication with mode '%s'", *mutual.Mode)
	}
	if view.Protocol == types.ProtocolEnumHttps {
		view.MutualAuthentication = &types.MutualAuthenticationAttributes{Mode: new("off")}
	}
	return nil
}

var certificateARN = regexp.MustCompile(`^arn:aws:(?:acm:([a-z0-9-]+):[0-9]{12}:certificate|iam::[0-9]{12}:server-certificate)/.+$`)

// checkCertificate returns an error unless a certificate is issued. Of IAM's it is not known which ones exist.
func (s *Service) checkCertificate(c *Call, certificate types.Certificate) error {
	if certificate.CertificateArn == nil {
		return wire.Invalid("A certificate ARN must be specified")
	}

	arn := *certificate.CertificateArn
	match := certificateARN.FindStringSubmatch(arn)
	if match != nil && match[1] == "" {
		return nil
	}

	switch s.acm.State(c.Account, arn) {
	case "":
		return wire.Failed("CertificateNotFound", "Certificate '%s' not found", arn)
	case "ISSUED", "EXPIRED":
		return nil
	}
	return wire.Failed("UnsupportedCertificate", "The certificate '%s' must have a fully-qualified domain name, a supported signature, and a supported key size.", arn)
}

// UsersOf returns the ARNs of the load balancers that have a certificate. It needs the lock.
func (s *Service) UsersOf(arn string) []string {
	var users []string
	for _, l := range sorted(s.listeners) {
		if slices.Contains(l.certificates(), arn) && !slices.Contains(users, l.balancer.arn()) {
			users = append(users, l.balancer.arn())
		}
	}
	return users
}

// certificates are all of a listener's, the default one first.
func (l *listener) certificates() []string {
	list := []string{}
	for _, c := range l.view.Certificates {
		list = append(list, *c.CertificateArn)
	}
	return append(list, l.extra...)
}

func (s *Service) addListenerCertificates(c *Call, in *api.AddListenerCertificatesInput) (*api.AddListenerCertificatesOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}
	if !encrypted(l.view.Protocol) {
		return nil, wire.Invalid("Certificates cannot be specified for %s listeners", l.view.Protocol)
	}

	extra := slices.Clone(l.extra)
	for _, certificate := range in.Certificates {
		if err := s.checkCertificate(c, certificate); err != nil {
			return nil, err
		}
		if !slices.Contains(extra, *certificate.CertificateArn) { // adding it again succeeds
			extra = append(extra, *certificate.CertificateArn)
		}
	}

	count := len(extra)
	for _, other := range s.listenersOf(l.balancer) {
		if other != l {
			count += len(other.extra)
		}
	}
	if count > s.cfg.Quotas.CertificatesPerBalancer {
		return nil, wire.Failed("TooManyCertificates", "The maximum number of certificates has been reached for load balancer '%s'", l.balancer.arn())
	}

	l.extra = extra
	return &api.AddListenerCertificatesOutput{Certificates: l.extraList()}, nil
}

// extraList are the certificates besides the default one, as answers show them.
func (l *listener) extraList() []types.Certificate {
	list := []types.Certificate{}
	for _, arn := range l.extra {
		list = append(list, types.Certificate{CertificateArn: &arn, IsDefault: new(false)})
	}
	return list
}

func (s *Service) removeListenerCertificates(c *Call, in *api.RemoveListenerCertificatesInput) (*api.RemoveListenerCertificatesOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}

	extra := slices.Clone(l.extra)
	for _, certificate := range in.Certificates {
		if certificate.CertificateArn == nil {
			return nil, wire.Invalid("A certificate ARN must be specified")
		}

		arn := *certificate.CertificateArn
		isDefault := len(l.view.Certificates) == 1 && *l.view.Certificates[0].CertificateArn == arn
		if isDefault && !slices.Contains(extra, arn) {
			return nil, wire.Failed("OperationNotPermitted", "Default certificate '%s' cannot be removed from listener '%s'", arn, l.arn())
		}
		extra = slices.DeleteFunc(extra, func(other string) bool { return other == arn })
	}

	l.extra = extra
	return &api.RemoveListenerCertificatesOutput{}, nil
}

func (s *Service) describeListenerCertificates(c *Call, in *api.DescribeListenerCertificatesInput) (*api.DescribeListenerCertificatesOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}

	found := []types.Certificate{}
	for _, certificate := range l.view.Certificates {
		found = append(found, types.Certificate{CertificateArn: certificate.CertificateArn, IsDefault: new(true)})
	}
	found = append(found, l.extraList()...)

	// A default certificate that is also in the list is there twice.
	key := func(c types.Certificate) string {
		if *c.IsDefault {
			return "default " + *c.CertificateArn
		}
		return *c.CertificateArn
	}
	found, marker, err := wire.Page(found, key, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeListenerCertificatesOutput{Certificates: found, NextMarker: marker}, nil
}
