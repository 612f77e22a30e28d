// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/sim/awssim/lattice"
)

// Control speaks to the simulator's control API.
type Control struct {
	url string
}

// Settings are the values in force.
func (c Control) Settings(ctx context.Context) (awssim.Settings, error) {
	var s awssim.Settings
	err := c.call(ctx, http.MethodGet, "config", nil, &s)
	return s, err
}

// Listeners tell where load balancers really listen.
func (c Control) Listeners(ctx context.Context) ([]awssim.ListenerInfo, error) {
	var l []awssim.ListenerInfo
	err := c.call(ctx, http.MethodGet, "listeners", nil, &l)
	return l, err
}

// Hosts are the addresses of load balancers by their names.
func (c Control) Hosts(ctx context.Context) (map[string]string, error) {
	body, err := c.ask(ctx, http.MethodGet, "hosts", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()

	hosts := map[string]string{}
	for lines := bufio.NewScanner(body); lines.Scan(); {
		if address, name, ok := strings.Cut(lines.Text(), " "); ok {
			hosts[name] = address
		}
	}
	return hosts, nil
}

// Networks tell where service networks of VPC Lattice really answer.
func (c Control) Networks(ctx context.Context) ([]lattice.FrontInfo, error) {
	var l []lattice.FrontInfo
	err := c.call(ctx, http.MethodGet, "networks", nil, &l)
	return l, err
}

// CA is the certificate of the authority that signs those of ACM, in PEM.
func (c Control) CA(ctx context.Context) ([]byte, error) {
	body, err := c.ask(ctx, http.MethodGet, "ca", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	return io.ReadAll(body)
}

// ExpireCertificate makes a certificate of ACM one that has just expired.
func (c Control) ExpireCertificate(ctx context.Context, arn string) error {
	return c.call(ctx, http.MethodPost, "acm/expired", map[string]string{"certificateArn": arn}, nil)
}

// Transitions are the changes of targets after a sequence number, oldest first.
func (c Control) Transitions(ctx context.Context, since int64) ([]awssim.Transition, error) {
	var t []awssim.Transition
	err := c.call(ctx, http.MethodGet, "transitions?since="+strconv.FormatInt(since, 10), nil, &t)
	return t, err
}

// Calls are the calls of the AWS API after a sequence number, oldest first.
func (c Control) Calls(ctx context.Context, since int64) ([]awssim.Call, error) {
	var l []awssim.Call
	err := c.call(ctx, http.MethodGet, "calls?since="+strconv.FormatInt(since, 10), nil, &l)
	return l, err
}

// Failures are the requests after a sequence number that load balancers could not have
// answered by a target, in the order in which they ended.
func (c Control) Failures(ctx context.Context, since int64) ([]awssim.Failure, error) {
	var l []awssim.Failure
	err := c.call(ctx, http.MethodGet, "failures?since="+strconv.FormatInt(since, 10), nil, &l)
	return l, err
}

// AddFault puts a fault in force and returns its id.
func (c Control) AddFault(ctx context.Context, f awssim.Fault) (string, error) {
	var out struct {
		ID string `json:"id"`
	}
	err := c.call(ctx, http.MethodPost, "faults", f, &out)
	return out.ID, err
}

// Faults are those in force.
func (c Control) Faults(ctx context.Context) ([]awssim.Fault, error) {
	var f []awssim.Fault
	err := c.call(ctx, http.MethodGet, "faults", nil, &f)
	return f, err
}

// RemoveFaults removes one fault, or all of them when id is empty.
func (c Control) RemoveFaults(ctx context.Context, id string) error {
	path := "faults"
	if id != "" {
		path += "/" + id
	}
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// targetHealth is what the control API is told of a target's health.
type targetHealth struct {
	TargetGroupARN string         `json:"targetGroupArn"`
	Target         *awssim.Target `json:"target,omitempty"`
	awssim.Script
}

// SetHealth scripts the health of a target, or of a whole group when target is nil.
func (c Control) SetHealth(ctx context.Context, targetGroupARN string, target *awssim.Target, s awssim.Script) error {
	return c.call(ctx, http.MethodPost, "health", targetHealth{targetGroupARN, target, s}, nil)
}

// ClearHealth ends a script: the target is checked again.
func (c Control) ClearHealth(ctx context.Context, targetGroupARN string, target *awssim.Target) error {
	return c.call(ctx, http.MethodDelete, "health", targetHealth{TargetGroupARN: targetGroupARN, Target: target}, nil)
}

// AddVPC adds a network.
func (c Control) AddVPC(ctx context.Context, v awssim.VPC) error {
	return c.call(ctx, http.MethodPost, "ec2/vpcs", v, nil)
}

// AddInstances adds instances to subnets that there are.
func (c Control) AddInstances(ctx context.Context, instances ...awssim.Instance) error {
	return c.call(ctx, http.MethodPost, "ec2/instances", instances, nil)
}

// LoseTarget lets the simulator forget a target.
func (c Control) LoseTarget(ctx context.Context, targetGroupARN string, target awssim.Target) error {
	return c.call(ctx, http.MethodDelete, "targets", targetHealth{TargetGroupARN: targetGroupARN, Target: &target}, nil)
}

// call sends in as JSON and reads the answer into out; either may be nil.
func (c Control) call(ctx context.Context, method, path string, in, out any) error {
	body, err := c.ask(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()

	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("simulator %s %s: read answer: %w", method, path, err)
	}
	return nil
}

// ask sends in as JSON, unless it is nil, and returns a good answer's body.
func (c Control) ask(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("simulator %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}

	r, err := http.NewRequestWithContext(ctx, method, c.url+"/_awssim/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("simulator %s %s: %w", method, path, err)
	}

	// A connection each time: nothing is left open that a test would have to close.
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}

	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("simulator %s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}

	return resp.Body, nil
}
