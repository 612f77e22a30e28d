// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// floor gives the latencies of the least that could do flip's work: a loop for each
// group that reads it once a second and patches the pods whose target is healthy. It
// knows its pods beforehand, decides nothing and proves nothing. No controller runs.
func (w *world) floor(ctx context.Context, groups, n int) ([]time.Duration, error) {
	gs, err := w.addGroups(ctx, "floor", groups, "initial")
	if err != nil {
		return nil, err
	}

	pods, err := w.addPods(ctx, gs, "floor", n, conditions(0, containersReady))
	if err != nil {
		return nil, err
	}

	byGroup := map[*group]map[string]*pod{}
	for _, p := range pods {
		if byGroup[p.group] == nil {
			byGroup[p.group] = map[string]*pod{}
		}
		byGroup[p.group][p.ip] = p
	}

	for g, members := range byGroup {
		if err := w.registerTargets(ctx, g, members); err != nil {
			return nil, err
		}
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, flipWindow+time.Minute)
	defer cancel()
	loops, loopCtx := errgroup.WithContext(ctx)
	for i, g := range gs {
		loops.Go(func() error {
			if err := pause(loopCtx, time.Duration(i)*time.Second/time.Duration(len(gs))); err != nil {
				return err
			}
			return w.bareLoop(loopCtx, g, byGroup[g])
		})
	}

	if err := w.becomeHealthy(ctx, pods); err != nil {
		cancel()
		_ = loops.Wait()
		return nil, err
	}

	if err := loops.Wait(); err != nil {
		return nil, err
	}

	if err := pause(ctx, time.Second); err != nil { // the watch's last events
		return nil, err
	}

	latencies, _, err := w.openings(ctx, pods, mark)
	return latencies, err
}

// bareLoop reads a group once a second until all of its pods are patched.
func (w *world) bareLoop(ctx context.Context, g *group, waiting map[string]*pod) error {
	every := time.NewTicker(time.Second)
	defer every.Stop()

	for len(waiting) > 0 {
		out, err := w.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &g.arn})
		if err != nil {
			return err
		}

		for _, d := range out.TargetHealthDescriptions {
			p := waiting[*d.Target.Id]
			if p == nil || d.TargetHealth.State != elbtypes.TargetHealthStateEnumHealthy {
				continue
			}
			if err := w.setStatus(ctx, p, conditions(0, elbv2.GateType(g.name))); err != nil {
				return err
			}
			delete(waiting, p.ip)
		}

		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	return nil
}

// registerTargets registers pods in a controller's place.
func (w *world) registerTargets(ctx context.Context, g *group, pods map[string]*pod) error {
	in := &elb.RegisterTargetsInput{TargetGroupArn: &g.arn}
	for _, p := range pods {
		n := int32(port)
		in.Targets = append(in.Targets, elbtypes.TargetDescription{Id: &p.ip, Port: &n})
	}
	_, err := w.elb.RegisterTargets(ctx, in)
	return err
}
