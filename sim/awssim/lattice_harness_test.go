// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
)

func (e *env) latticeClient(key string) *vpclattice.Client {
	return vpclattice.NewFromConfig(e.config(key), func(o *vpclattice.Options) { o.BaseEndpoint = aws.String("http://awssim.invalid") })
}

const latticeVPC = "vpc-0a1b2c3d4e5f60718"

// latticeGroup makes a target group of addresses; edit may change the request.
func (e *env) latticeGroup(name string, edit ...func(*types.TargetGroupConfig)) *vpclattice.CreateTargetGroupOutput {
	e.Helper()
	config := &types.TargetGroupConfig{Port: aws.Int32(80), Protocol: types.TargetGroupProtocolHttp, VpcIdentifier: aws.String(latticeVPC)}
	for _, f := range edit {
		f(config)
	}
	return does(e, e.lattice.CreateTargetGroup)(&vpclattice.CreateTargetGroupInput{Name: &name, Type: types.TargetGroupTypeIp, Config: config})
}

// method is one of a client.
type method[I, O any] func(ctx context.Context, in *I, opts ...func(*vpclattice.Options)) (*O, error)

// does calls a method and fails the test if that fails.
func does[I, O any](e *env, f method[I, O]) func(*I) *O {
	return func(in *I) *O {
		e.Helper()
		out, err := f(e.Context(), in)
		if err != nil {
			e.Fatal(err)
		}
		return out
	}
}

// refuses calls a method and wants an error with a code.
func refuses[I, O any](e *env, f method[I, O], reason, code string, in *I) {
	e.Helper()
	_, err := f(e.Context(), in)
	if got := codeOf(err); got != code {
		e.Errorf("%s: got error %q (%v), want %q", reason, got, err, code)
	}
}

func latticeTargets(targets ...Target) []types.Target {
	var list []types.Target
	for _, t := range targets {
		entry := types.Target{Id: aws.String(t.ID)}
		if t.Port != 0 {
			entry.Port = aws.Int32(int32(t.Port))
		}
		list = append(list, entry)
	}
	return list
}

func (e *env) latticeRegister(group *string, targets ...Target) *vpclattice.RegisterTargetsOutput {
	e.Helper()
	return does(e, e.lattice.RegisterTargets)(&vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group, Targets: latticeTargets(targets...)})
}

func (e *env) latticeDeregister(group *string, targets ...Target) *vpclattice.DeregisterTargetsOutput {
	e.Helper()
	return does(e, e.lattice.DeregisterTargets)(&vpclattice.DeregisterTargetsInput{TargetGroupIdentifier: group, Targets: latticeTargets(targets...)})
}

// latticeStates are the states of a group's targets, as the API lists them.
func (e *env) latticeStates(group *string, targets ...Target) map[Target]string {
	e.Helper()
	states := map[Target]string{}
	out := does(e, e.lattice.ListTargets)(&vpclattice.ListTargetsInput{TargetGroupIdentifier: group, Targets: latticeTargets(targets...)})
	for _, t := range out.Items {
		states[Target{ID: *t.Id, Port: int(aws.ToInt32(t.Port))}] = string(t.Status)
	}
	return states
}

// latticeService makes a service.
func (e *env) latticeService(name string) *vpclattice.CreateServiceOutput {
	e.Helper()
	return does(e, e.lattice.CreateService)(&vpclattice.CreateServiceInput{Name: &name})
}

// latticeListen makes a listener of a service.
func (e *env) latticeListen(service *string, name string, protocol types.ListenerProtocol, port int32, action types.RuleAction) *vpclattice.CreateListenerOutput {
	e.Helper()
	return does(e, e.lattice.CreateListener)(&vpclattice.CreateListenerInput{ServiceIdentifier: service, Name: &name, Protocol: protocol, Port: &port, DefaultAction: action})
}

// latticeUsed makes a group that a service forwards to.
func (e *env) latticeUsed(edit ...func(*types.TargetGroupConfig)) *string {
	e.Helper()
	group := e.latticeGroup("web", edit...)
	e.latticeListen(e.latticeService("web").Id, "http", types.ListenerProtocolHttp, 80, toGroups(weigh(group.Id, 100)))
	return group.Arn
}

func toGroups(groups ...types.WeightedTargetGroup) types.RuleAction {
	return &types.RuleActionMemberForward{Value: types.ForwardAction{TargetGroups: groups}}
}

func weigh(group *string, weight int32) types.WeightedTargetGroup {
	return types.WeightedTargetGroup{TargetGroupIdentifier: group, Weight: &weight}
}

func answerWith(status int32) types.RuleAction {
	return &types.RuleActionMemberFixedResponse{Value: types.FixedResponseAction{StatusCode: &status}}
}

func pathPrefix(prefix string) types.RuleMatch {
	return &types.RuleMatchMemberHttpMatch{Value: types.HttpMatch{PathMatch: &types.PathMatch{Match: &types.PathMatchTypeMemberPrefix{Value: prefix}, CaseSensitive: aws.Bool(true)}}}
}
