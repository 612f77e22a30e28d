// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// requestHeaders are the headers to targets whose names an HTTPS listener can change, and responseHeaders the headers to
// clients whose values an HTTP or HTTPS listener can set (API_ListenerAttribute).
var (
	requestHeaders = []string{
		"x_amzn_mtls_clientcert", "x_amzn_mtls_clientcert_issuer", "x_amzn_mtls_clientcert_leaf", "x_amzn_mtls_clientcert_serial_number",
		"x_amzn_mtls_clientcert_subject", "x_amzn_mtls_clientcert_validity", "x_amzn_tls_cipher_suite", "x_amzn_tls_version",
	}
	responseHeaders = []string{
		"access_control_allow_credentials", "access_control_allow_headers", "access_control_allow_methods", "access_control_allow_origin",
		"access_control_expose_headers", "access_control_max_age", "content_security_policy", "strict_transport_security",
		"x_content_type_options", "x_frame_options",
	}
)

// listenerAttributes are a new listener's attributes, by its protocol. They are kept without effect.
func listenerAttributes(p types.ProtocolEnum) map[string]string {
	attributes := map[string]string{}
	if p == types.ProtocolEnumTcp {
		attributes[attrTCPIdleTimeout] = "350"
	}

	if spokenHTTP(p) {
		attributes["routing.http.response.server.enabled"] = "true"
		for _, header := range responseHeaders {
			attributes["routing.http.response."+header+".header_value"] = ""
		}
	}

	if p == types.ProtocolEnumHttps {
		for _, header := range requestHeaders {
			attributes["routing.http.request."+header+".header_name"] = ""
		}
	}

	return attributes
}

func (l *listener) attributeOwner() attributeOwner {
	return attributeOwner{
		words: "Listener", kind: "listeners with protocol '" + string(l.view.Protocol) + "'",
		siblings: []map[string]string{listenerAttributes(types.ProtocolEnumHttps), listenerAttributes(types.ProtocolEnumTcp)},
	}
}

func listenerAttributeList(of map[string]string) []types.ListenerAttribute {
	list := []types.ListenerAttribute{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, types.ListenerAttribute{Key: &key, Value: new(of[key])})
	}
	return list
}

func (s *Service) describeListenerAttributes(c *Call, in *api.DescribeListenerAttributesInput) (*api.DescribeListenerAttributesOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}
	return &api.DescribeListenerAttributesOutput{Attributes: listenerAttributeList(l.attributes)}, nil
}

func (s *Service) modifyListenerAttributes(c *Call, in *api.ModifyListenerAttributesInput) (*api.ModifyListenerAttributesOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}

	changed := maps.Clone(l.attributes)
	for _, a := range in.Attributes {
		if a.Key == nil || a.Value == nil {
			return nil, wire.Invalid("Listener attribute key and value must be specified")
		}
		if err := setAttribute(changed, l.attributeOwner(), *a.Key, *a.Value); err != nil {
			return nil, err
		}
	}

	l.attributes = changed
	return &api.ModifyListenerAttributesOutput{Attributes: listenerAttributeList(changed)}, nil
}
