// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	// remembered is how long a group's targets are, those that were healthy unseen.
	remembered = 5 * time.Minute
	// batch is how many targets a call takes.
	batch = 200
)

// row is a target by address and port.
type row struct {
	id   string
	port int32
}

// states are a group's targets. A nil health is not known.
type states map[row]*types.TargetHealth

// targets reads and changes target groups.
type targets struct {
	api *elb.Client

	mu     sync.Mutex
	groups map[string]*memory
}

// memory is what was last seen of a group, and since when it is not read as a whole.
type memory struct {
	rows  states
	since time.Time
}

func newTargets(api *elb.Client) *targets { return &targets{api: api, groups: map[string]*memory{}} }

// list gives a group's targets: as they are the first time, and then for a while those
// that were healthy without asking again.
func (t *targets) list(ctx context.Context, group string) (states, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.groups[group]
	if known == nil || time.Since(known.since) > remembered {
		rows, err := t.read(ctx, group, nil)
		if err != nil {
			return nil, err
		}
		t.groups[group] = &memory{rows: rows, since: time.Now()}
		return clone(rows), nil
	}

	var ask []types.TargetDescription
	for r, h := range known.rows {
		if h == nil || h.State != types.TargetHealthStateEnumHealthy {
			ask = append(ask, describe(r))
		}
	}

	if len(ask) == 0 {
		return clone(known.rows), nil
	}

	rows, err := t.read(ctx, group, ask)
	if err != nil {
		return nil, err
	}

	for _, d := range ask {
		delete(known.rows, row{*d.Id, *d.Port})
	}

	for r, h := range rows {
		if h == nil || h.Reason != types.TargetHealthReasonEnumNotRegistered {
			known.rows[r] = h
		}
	}

	return clone(known.rows), nil
}

func (t *targets) read(ctx context.Context, group string, only []types.TargetDescription) (states, error) {
	out, err := t.api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: only})
	if err != nil {
		return nil, err
	}
	rows := states{}
	for _, d := range out.TargetHealthDescriptions {
		rows[row{*d.Target.Id, *d.Target.Port}] = d.TargetHealth
	}
	return rows, nil
}

// register makes rows targets.
func (t *targets) register(ctx context.Context, group string, rows []row) error {
	return t.change(group, rows, true, func(some []types.TargetDescription) error {
		_, err := t.api.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &group, Targets: some})
		return err
	})
}

// deregister takes rows out.
func (t *targets) deregister(ctx context.Context, group string, rows []row) error {
	return t.change(group, rows, false, func(some []types.TargetDescription) error {
		_, err := t.api.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &group, Targets: some})
		return err
	})
}

// change calls in batches, and forgets the health of what was changed.
func (t *targets) change(group string, rows []row, add bool, call func([]types.TargetDescription) error) error {
	for some := range slices.Chunk(rows, batch) {
		var described []types.TargetDescription
		for _, r := range some {
			described = append(described, describe(r))
		}

		if err := call(described); err != nil {
			return err
		}

		t.mu.Lock()
		if known := t.groups[group]; known != nil {
			for _, r := range some {
				if _, there := known.rows[r]; there || add {
					known.rows[r] = nil
				}
			}
		}

		t.mu.Unlock()
	}

	return nil
}

func describe(r row) types.TargetDescription {
	return types.TargetDescription{Id: aws.String(r.id), Port: aws.Int32(r.port)}
}

func clone(rows states) states {
	all := states{}
	for r, h := range rows {
		all[r] = h
	}
	return all
}

// leaving reports whether a target drains.
func leaving(h *types.TargetHealth) bool {
	return h != nil && (h.State == types.TargetHealthStateEnumDraining || h.State == types.TargetHealthStateEnumUnhealthyDraining)
}
