// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

func (p performer) createListener(ctx context.Context, s elb.CreateListener) error {
	lb := p.loadBalancer(s.LoadBalancer)
	if lb == nil {
		return strange(s)
	}
	want := s.Listener
	want.Tags = p.stack.All(want.Resource, want.Tags)
	out, err := call(ctx, p.Cloud, "CreateListener", lb.ARN, (*elbv2.Client).CreateListener, createListener(lb.ARN, want))
	if err != nil {
		return err
	}
	if len(out.Listeners) == 0 {
		return noAnswer("CreateListener", lb.ARN)
	}

	made := listenerOf(out.Listeners[0])
	if made.Tags, err = p.verify(ctx, made.ARN); err != nil {
		return err
	}
	made.Own = carries(made.Tags, p.stack.Tags)
	made.Resource = made.Tags[p.stack.ResourceTag]
	lb.Listeners = append(slices.DeleteFunc(slices.Clone(lb.Listeners), func(l elb.ObservedListener) bool { return l.ARN == made.ARN }), made)
	return nil
}

// listener returns a listener that carries the stack's tags.
func (p performer) listener(arn string) *elb.ObservedListener {
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			if l := &lb.Listeners[j]; l.ARN == arn && l.Own {
				return l
			}
		}
	}
	return nil
}

func (p performer) changeListener(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.ModifyListener:
		l := p.listener(s.ARN)
		if l == nil {
			return strange(step)
		}
		out, err := call(ctx, p.Cloud, "ModifyListener", s.ARN, (*elbv2.Client).ModifyListener, modifyListener(s.ARN, s.Listener))
		if err != nil {
			return err
		}
		for _, answer := range out.Listeners {
			now := listenerOf(answer)
			if len(now.Certificates) > 0 && len(l.Certificates) > 1 {
				now.Certificates = append(now.Certificates[:1], l.Certificates[1:]...)
			}
			l.Port, l.Protocol, l.Certificates, l.SSLPolicy, l.ALPN, l.Default = now.Port, now.Protocol, now.Certificates, now.SSLPolicy, now.ALPN, now.Default
		}

	case elb.SetListenerAttributes:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.ModifyListenerAttributesInput{ListenerArn: &s.Listener}
		for _, key := range slices.Sorted(maps.Keys(s.Attributes)) {
			in.Attributes = append(in.Attributes, types.ListenerAttribute{Key: aws.String(key), Value: aws.String(s.Attributes[key])})
		}
		if _, err := call(ctx, p.Cloud, "ModifyListenerAttributes", s.Listener, (*elbv2.Client).ModifyListenerAttributes, in); err != nil {
			return err
		}
		l.Attributes = with(l.Attributes, s.Attributes)

	case elb.AddCertificates:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.AddListenerCertificatesInput{ListenerArn: &s.Listener, Certificates: certificatesFor(s.Certificates)}
		if _, err := call(ctx, p.Cloud, "AddListenerCertificates", s.Listener, (*elbv2.Client).AddListenerCertificates, in); err != nil {
			return err
		}
		l.Certificates = slices.Concat(l.Certificates, s.Certificates)

	case elb.RemoveCertificates:
		l := p.listener(s.Listener)
		if l == nil {
			return strange(step)
		}
		in := &elbv2.RemoveListenerCertificatesInput{ListenerArn: &s.Listener, Certificates: certificatesFor(s.Certificates)}
		if _, err := call(ctx, p.Cloud, "RemoveListenerCertificates", s.Listener, (*elbv2.Client).RemoveListenerCertificates, in); err != nil {
			return err
		}
		if len(l.Certificates) > 0 {
			others := slices.DeleteFunc(slices.Clone(l.Certificates[1:]), func(arn string) bool { return slices.Contains(s.Certificates, arn) })
			l.Certificates = append([]string{l.Certificates[0]}, others...)
		}

	case elb.DeleteListener:
		if p.listener(s.ARN) == nil {
			return strange(step)
		}
		_, err := call(ctx, p.Cloud, "DeleteListener", s.ARN, (*elbv2.Client).DeleteListener, &elbv2.DeleteListenerInput{ListenerArn: &s.ARN})
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
		for i := range p.seen.LoadBalancers {
			lb := &p.seen.LoadBalancers[i]
			lb.Listeners = slices.DeleteFunc(slices.Clone(lb.Listeners), func(l elb.ObservedListener) bool { return l.ARN == s.ARN })
		}
	}
	return nil
}
