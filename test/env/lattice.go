// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

// network is a service network with an association of the VPC.
type network struct{ id, arn string }

// Port of the services' listeners, and that of targets that are registered without one.
const latticePort = 80

// Lattice is a client of the simulator's VPC Lattice.
func (s *Simulator) Lattice() *vpclattice.Client { return s.latticeAs(AccessKeyID) }

// latticeAs is a client with another access key, and so perhaps of another account.
func (s *Simulator) latticeAs(accessKeyID string) *vpclattice.Client {
	return vpclattice.New(vpclattice.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKeyID, SecretAccessKey, ""),
		Retryer:      patient(),
	})
}

// createLattice makes a target group of addresses and, unless nobody is to use it, a service that forwards to it, in the
// account's service network. Requests that name the service reach it at the network's address.
func (s *Simulator) createLattice(ctx context.Context, o TargetGroupOptions) (*LoadBalancer, error) {
	key := cmp.Or(o.AccessKeyID, AccessKeyID)
	client := s.latticeAs(key)
	group, err := createLatticeGroup(ctx, client, o)
	if err != nil {
		return nil, fmt.Errorf("create target group %s: %w", o.Name, err)
	}

	b := &LoadBalancer{TargetGroupARN: group}
	if o.Unused {
		return b, nil
	}

	net, err := s.network(ctx, client, key)
	if err != nil {
		return nil, fmt.Errorf("create service network: %w", err)
	}

	b.ARN, b.Host, err = createLatticeService(ctx, client, o.Name, group, net)
	if err != nil {
		return nil, fmt.Errorf("create service %s: %w", o.Name, err)
	}

	fronts, err := s.Networks(ctx)
	if err != nil {
		return nil, err
	}

	at := slices.IndexFunc(fronts, func(f lattice.FrontInfo) bool { return f.ServiceNetworkARN == net.arn && f.Port == latticePort })
	if at < 0 || fronts[at].Address == "" {
		return nil, fmt.Errorf("create service %s: its network is not open", o.Name)
	}

	b.URL = "http://" + fronts[at].Address + "/"
	return b, nil
}

// createLatticeGroup makes a target group and waits until it can be used.
func createLatticeGroup(ctx context.Context, client *vpclattice.Client, o TargetGroupOptions) (arn string, err error) {
	h := o.HealthCheck
	check := &types.HealthCheckConfig{
		Enabled: aws.Bool(!o.Unchecked), Path: &h.Path,
		HealthCheckIntervalSeconds: &h.Interval, HealthCheckTimeoutSeconds: &h.Timeout,
		HealthyThresholdCount: &h.Healthy, UnhealthyThresholdCount: &h.Unhealthy,
	}

	made, err := client.CreateTargetGroup(ctx, &vpclattice.CreateTargetGroupInput{
		Name: &o.Name, Type: types.TargetGroupTypeIp, Tags: o.Tags,
		Config: &types.TargetGroupConfig{
			Protocol: types.TargetGroupProtocolHttp, Port: aws.Int32(latticePort), VpcIdentifier: aws.String(vpc), HealthCheck: check,
		},
	})
	if err != nil {
		return "", err
	}

	return *made.Arn, poll(ctx, "target group to be active", func(ctx context.Context) (bool, error) {
		now, err := client.GetTargetGroup(ctx, &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: made.Id})
		return err == nil && now.Status == types.TargetGroupStatusActive, err
	})
}

// network is the account's one service network, which is made when it is first asked for: a VPC can be associated with
// one only.
func (s *Simulator) network(ctx context.Context, client *vpclattice.Client, account string) (network, error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	if n, made := s.networks[account]; made {
		return n, nil
	}

	made, err := client.CreateServiceNetwork(ctx, &vpclattice.CreateServiceNetworkInput{Name: aws.String("podgate")})
	if err != nil {
		return network{}, err
	}

	entry, err := client.CreateServiceNetworkVpcAssociation(ctx, &vpclattice.CreateServiceNetworkVpcAssociationInput{ServiceNetworkIdentifier: made.Id, VpcIdentifier: aws.String(vpc)})
	if err != nil {
		return network{}, fmt.Errorf("associate VPC: %w", err)
	}

	err = poll(ctx, "VPC to be associated", func(ctx context.Context) (bool, error) {
		now, err := client.GetServiceNetworkVpcAssociation(ctx, &vpclattice.GetServiceNetworkVpcAssociationInput{ServiceNetworkVpcAssociationIdentifier: entry.Id})
		return err == nil && now.Status == types.ServiceNetworkVpcAssociationStatusActive, err
	})
	if err != nil {
		return network{}, err
	}

	n := network{id: *made.Id, arn: *made.Arn}
	if s.networks == nil {
		s.networks = map[string]network{}
	}
	s.networks[account] = n
	return n, nil
}

// createLatticeService makes a service whose listener forwards to a group, and has it join a network. host is the name
// by which it is known there.
func createLatticeService(ctx context.Context, client *vpclattice.Client, name, group string, to network) (arn, host string, err error) {
	made, err := client.CreateService(ctx, &vpclattice.CreateServiceInput{Name: &name})
	if err != nil {
		return "", "", err
	}

	err = poll(ctx, "service to be active", func(ctx context.Context) (bool, error) {
		now, err := client.GetService(ctx, &vpclattice.GetServiceInput{ServiceIdentifier: made.Id})
		return err == nil && now.Status == types.ServiceStatusActive, err
	})
	if err != nil {
		return "", "", err
	}

	forward := types.ForwardAction{TargetGroups: []types.WeightedTargetGroup{{TargetGroupIdentifier: &group}}}
	_, err = client.CreateListener(ctx, &vpclattice.CreateListenerInput{
		ServiceIdentifier: made.Id, Name: aws.String("http"), Protocol: types.ListenerProtocolHttp, Port: aws.Int32(latticePort),
		DefaultAction: &types.RuleActionMemberForward{Value: forward},
	})
	if err != nil {
		return "", "", fmt.Errorf("create listener: %w", err)
	}

	joined, err := client.CreateServiceNetworkServiceAssociation(ctx, &vpclattice.CreateServiceNetworkServiceAssociationInput{ServiceNetworkIdentifier: &to.id, ServiceIdentifier: made.Id})
	if err != nil {
		return "", "", fmt.Errorf("join service network: %w", err)
	}

	err = poll(ctx, "service to be in its network", func(ctx context.Context) (bool, error) {
		now, err := client.GetServiceNetworkServiceAssociation(ctx, &vpclattice.GetServiceNetworkServiceAssociationInput{ServiceNetworkServiceAssociationIdentifier: joined.Id})
		return err == nil && now.Status == types.ServiceNetworkServiceAssociationStatusActive, err
	})
	return *made.Arn, *made.DnsEntry.DomainName, err
}
