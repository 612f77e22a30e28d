// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

const (
	admissionGroups = 1000
	admissionRate   = 500 // reviews a second
	admissionTime   = 20 * time.Second
	// reviewTimeout is the webhook's own, as the chart has it.
	reviewTimeout = 5 * time.Second
)

// admission measures the webhook's answers, at a rate that does not wait for them.
func admission(ctx context.Context, w *world) ([]Measure, error) {
	gs, err := w.addGroups(ctx, "admission", admissionGroups, "healthy")
	if err != nil {
		return nil, err
	}

	if err := w.addBindings(ctx, gs); err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}

	if _, err := w.readAll(ctx, 0); err != nil {
		return nil, err
	}

	if err := pause(ctx, 10*time.Second); err != nil { // its own writes on the bindings
		return nil, err
	}

	reviewer, err := w.reviewer(ctx)
	if err != nil {
		return nil, err
	}
	defer reviewer.CloseIdleConnections()

	// Calls begin to come fast, and make their connections. What is measured are the calls after that.
	first := w.reviews(ctx, reviewer, gs, time.Second)

	before, began := w.cpu(), time.Now()
	r := w.reviews(ctx, reviewer, gs, admissionTime)
	used := percent(w.cpu()-before, time.Since(began))

	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}

	measures := []Measure{
		info("median", 1000*percentile(r.latencies, 50), "ms"),
		bounded("p99", 1000*percentile(r.latencies, 99), "ms", 5),
		info("longest", 1000*percentile(r.latencies, 100), "ms"),
		info("p99 from the send", 1000*percentile(r.answers, 99), "ms"),
		info("p99 of a first second", 1000*percentile(first.latencies, 99), "ms"),
		bounded("lost gates", float64(r.lost+first.lost), "", 0),
		info("reviews", float64(len(r.latencies)), ""),
		info("latest start after its schedule", 1000*r.late.Seconds(), "ms"),
		info("processor", used, "% of a core"),
	}
	if err := cmp.Or(first.err, r.err); err != nil {
		return measures, fmt.Errorf("the first gate was lost: %w", err)
	}

	return measures, nil
}

// reviewer is a client that trusts what the webhook's configuration says, as the API server does.
func (w *world) reviewer(ctx context.Context) (*http.Client, error) {
	roots := x509.NewCertPool()
	var name string
	err := w.eventually(ctx, "the webhook's authority is published", time.Minute, func(ctx context.Context) (bool, error) {
		var cfg admissionv1.MutatingWebhookConfiguration
		if err := w.kube.Get(ctx, client.ObjectKey{Name: "podgate-webhook"}, &cfg); err != nil {
			return false, err
		}
		if service := cfg.Webhooks[0].ClientConfig.Service; service != nil {
			name = service.Name + "." + service.Namespace + ".svc"
		}
		return roots.AppendCertsFromPEM(cfg.Webhooks[0].ClientConfig.CABundle), nil
	})
	if err != nil {
		return nil, err
	}

	c := &http.Client{Timeout: reviewTimeout, Transport: &http.Transport{
		// API servers call over HTTP/1.1 and keep 25 connections.
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, NextProtos: []string{"http/1.1"}}, MaxIdleConnsPerHost: 25,
	}}

	return c, w.eventually(ctx, "the webhook answers", time.Minute, func(ctx context.Context) (bool, error) {
		err := w.review(ctx, c, w.groups[0])
		if err != nil && ctx.Err() != nil {
			return false, err
		}
		return err == nil, nil
	})
}

// reviewed is what came of the reviews.
type reviewed struct {
	// latencies are from the schedule, answers from when the bench came to send.
	latencies, answers []time.Duration

	lost int
	late time.Duration
	err  error // the first lost gate's
}

// reviews sends them by the clock, for some time. A latency is from the schedule to the
// whole answer, a failed one included.
func (w *world) reviews(ctx context.Context, c *http.Client, gs []*group, during time.Duration) reviewed {
	n := int(during/time.Second) * admissionRate
	var r reviewed
	var mu sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / admissionRate)
		if pause(ctx, time.Until(due)) != nil {
			break
		}

		late := time.Since(due)
		all.Go(func() {
			sent := time.Now()
			err := w.review(ctx, c, gs[i*7919%len(gs)])
			took, answered := time.Since(due), time.Since(sent)
			mu.Lock()
			defer mu.Unlock()
			r.latencies, r.answers = append(r.latencies, took), append(r.answers, answered)
			r.late = max(r.late, late)
			if err != nil {
				r.lost++
				if r.err == nil {
					r.err = err
				}
			}
		})
	}

	all.Wait()
	return r
}

// review asks about one pod; an error when the answer does not add its group's gate.
func (w *world) review(ctx context.Context, c *http.Client, g *group) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://127.0.0.1:"+w.ports["webhook-port"]+"/mutate-v1-pod", bytes.NewReader(creation(g)))
	if err != nil {
		return err
	}

	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s", resp.Status, body)
	}

	return hasGate(body, elbv2.GateType(g.name))
}

// creation is a review of the creation of one of the group's pods.
func creation(g *group) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002",`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"namespace":%[1]q,"operation":"CREATE",`+
		`"userInfo":{"username":"system:serviceaccount:kube-system:replicaset-controller"},"object":{"apiVersion":"v1","kind":"Pod",`+
		`"metadata":{"generateName":"%[2]s-5d9c7b8f6-","namespace":%[1]q,"labels":{"app":%[2]q,"pod-template-hash":"5d9c7b8f6"}},`+
		`"spec":{"containers":[{"name":"app","image":"app","ports":[{"name":"http","containerPort":8080}],"resources":{"requests":{"cpu":"100m"}}}],`+
		`"serviceAccountName":"default","terminationGracePeriodSeconds":60}},"dryRun":false}}`, apps, g.name)
}

// hasGate is nil when an answer adds one gate, the wanted one, to a pod without any.
func hasGate(body []byte, want string) error {
	var answer struct {
		Response struct {
			Allowed bool   `json:"allowed"`
			Patch   []byte `json:"patch"`
		} `json:"response"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}

	var patch []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if len(answer.Response.Patch) > 0 {
		if err := json.Unmarshal(answer.Response.Patch, &patch); err != nil {
			return fmt.Errorf("read the patch: %w", err)
		}
	}

	var found []string
	for _, op := range patch {
		found = append(found, conditionTypes(op.Value)...)
	}

	if !answer.Response.Allowed || len(found) != 1 || found[0] != want {
		return fmt.Errorf("want the gate %s, got %v in %.500s", want, found, body)
	}

	return nil
}

// conditionTypes reads one gate, or a list of them.
func conditionTypes(value []byte) []string {
	type gate struct {
		ConditionType string `json:"conditionType"`
	}

	var list []gate
	if json.Unmarshal(value, &list) != nil {
		list = make([]gate, 1)
		_ = json.Unmarshal(value, &list[0])
	}

	var all []string
	for _, g := range list {
		if g.ConditionType != "" {
			all = append(all, g.ConditionType)
		}
	}

	return all
}
