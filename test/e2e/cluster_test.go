// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podgate/podgate/sim/awssim"
)

// elsewhere is what the first cluster's pods answer.
const elsewhere = "elsewhere"

// TestSecondCluster binds a group in which the targets of another cluster serve, as a namespace does that was restored or
// synced. They stay while this cluster's pods come, are updated and go, and when the binding goes, and clients notice
// nothing. The first cluster's pods are servers on the node that no pod of this cluster is.
func TestSecondCluster(t *testing.T) {
	s := start(t, scaled()).balance(quick(), targetGroup())
	first := s.firstCluster(3)

	sum := s.underLoad(func() {
		s.join()
		s.waitForeign(len(first))
		s.apply()
		s.waitBoth()

		s.app.Image = imageV2
		s.apply()
		s.waitBoth()

		s.app.Replicas = 0
		s.apply()
		s.waitBoth()
		s.unbind()
	})

	for _, version := range []string{elsewhere, "v1", "v2"} {
		if versions(sum)[version] == 0 {
			t.Errorf("answers by version: %v, want some of %s", versions(sum), version)
		}
	}
	s.assertNoneLeft(first)
}

// firstCluster has another cluster's targets serve in the group, and returns their ports on the node.
func (s *service) firstCluster(n int) []int32 {
	s.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, elsewhere) })

	var ports []int32
	var targets []types.TargetDescription
	for range n {
		l, err := new(net.ListenConfig).Listen(s.ctx, "tcp", node+":0")
		s.must(err)
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = server.Serve(l) }()
		s.t.Cleanup(func() { _ = server.Close() })

		port := int32(l.Addr().(*net.TCPAddr).Port)
		ports = append(ports, port)
		targets = append(targets, types.TargetDescription{Id: aws.String(node), Port: &port})
	}

	_, err := s.sim.ELB().RegisterTargets(s.ctx, &elb.RegisterTargetsInput{TargetGroupArn: &s.lb.TargetGroupARN, Targets: targets})
	s.must(err)
	s.must(s.lb.WaitHealthy(s.ctx, n))
	return ports
}

// waitForeign waits until the binding says that so many targets are somebody else's.
func (s *service) waitForeign(n int) {
	s.t.Helper()
	s.eventually("the binding to report another cluster's targets", func(ctx context.Context) (bool, error) {
		b, err := s.bindingObject(ctx)
		if err != nil {
			return false, err
		}

		conditions, _, err := unstructured.NestedSlice(b.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			fields, _ := c.(map[string]any)
			message, _ := fields["message"].(string)
			return fields["type"] == "TargetsHeld" && fields["reason"] == "ForeignTargets" && strings.HasPrefix(message, fmt.Sprintf("%d targets", n))
		}), err
	})
	s.waitEvent("ForeignTargets")
	s.waitMetric("podgate_foreign_targets", fmt.Sprintf("namespace=%q", s.app.Namespace))
}

// waitBoth waits until the Deployment is complete, no replaced pod is left, and requests reach the pods and the other
// cluster.
func (s *service) waitBoth() {
	s.t.Helper()
	s.must(s.cluster.WaitDeployment(s.ctx, s.app.Namespace, s.app.Name))
	s.eventually("the data path to route to all pods and the other cluster", func(ctx context.Context) (bool, error) {
		want := addresses(s.alive())
		want[node] = true
		routed, err := s.routed(ctx)
		return len(s.alive()) == s.app.Replicas && maps.Equal(routed, want), err
	})
}

// unbind deletes the binding and waits until podgate has let go of it.
func (s *service) unbind() {
	s.t.Helper()
	b, err := s.bindingObject(s.ctx)
	s.must(err)
	s.must(s.cluster.Delete(s.ctx, b))
	s.eventually("the binding's end", func(ctx context.Context) (bool, error) {
		_, err := s.bindingObject(ctx)
		return apierrors.IsNotFound(err), nil
	})
	s.waitTold(s.app.Namespace, "of what the binding leaves", func(e corev1.Event) bool {
		return e.Reason == "ForeignTargets" && strings.Contains(e.Message, "stay in the group of this deleted binding")
	})
}

// assertNoneLeft asserts that the other cluster's targets were healthy all the time.
func (s *service) assertNoneLeft(ports []int32) {
	s.t.Helper()
	transitions, err := s.transitions(s.ctx)
	s.must(err)
	for _, t := range transitions {
		if t.Clock == awssim.ClockAPI && t.From == "healthy" && slices.Contains(ports, int32(t.Target.Port)) {
			s.t.Errorf("the other cluster's target at port %d became %s at %s", t.Target.Port, t.To, t.Time.Format(clock))
		}
	}

	calls, err := s.sim.Calls(s.ctx, 0)
	s.must(err)
	for _, c := range calls {
		theirs := func(t awssim.Target) bool { return slices.Contains(ports, int32(t.Port)) }
		if c.Operation == "DeregisterTargets" && slices.ContainsFunc(c.Targets, theirs) {
			s.t.Errorf("podgate deregistered %v", c.Targets)
		}
	}
}
