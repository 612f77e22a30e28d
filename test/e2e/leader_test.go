// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestLeaderKilled kills podgate's leader in the middle of a rolling update: the first
// new pods are Ready, old ones are on their way out, others still to be replaced. Its
// process gets SIGKILL, so that it can neither finish a call nor give back the lease, and
// its pod is removed at the same time, so that it cannot come back as the same replica.
// Nothing is scaled.
func TestLeaderKilled(t *testing.T) {
	app := application()
	app.MaxUnavailable = "0"
	s := start(t, options{}).deploy(app, targetGroup())

	var killed corev1.Pod
	sum := s.underFault(func(*load.Generator) {
		s.app.Image = imageV2
		s.apply()
		s.waitMiddle()
		leader, err := s.leader(s.ctx)
		s.must(err)
		killed = *leader
		s.kill([]corev1.Pod{killed})
		s.assertUnderWay()
	})

	s.assertNoneLost(sum)
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}

	leader, err := s.leader(s.ctx)
	s.must(err)

	if leader.Name == killed.Name {
		t.Errorf("pod %s leads, which was killed", leader.Name)
	}

	s.waitElected(leader.Name)
	s.waitPodgateAlone()
	s.assertOpenStayedOpen()
	// A call of the webhook may meet the dead replica before its endpoint is gone; failure
	// policy Ignore then means no gate, and the drain alone protects the rollout.
	s.logUngated()
	s.logLatencies()
}

// waitMiddle waits until a rollout has both new pods that are Ready and old ones that
// are being replaced and some that are not yet.
func (s *service) waitMiddle() {
	s.t.Helper()
	s.eventually("the middle of the rollout", func(context.Context) (bool, error) {
		alive := s.alive()
		fresh := pick(alive, func(p env.PodHistory) bool { return p.Version == "v2" && !p.Ready.IsZero() })
		leaving := pick(alive, func(p env.PodHistory) bool { return p.Version == "v1" && !p.Terminating.IsZero() })
		return len(fresh) > 0 && len(leaving) > 0, nil
	})
}

// leader is podgate's pod that holds the lease.
func (w *world) leader(ctx context.Context) (*corev1.Pod, error) {
	var lease coordinationv1.Lease
	if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: podgateNamespace, Name: "podgate-leader"}, &lease); err != nil {
		return nil, fmt.Errorf("get lease: %w", err)
	}

	if lease.Spec.HolderIdentity == nil {
		return nil, fmt.Errorf("nobody holds the lease %s", lease.Name)
	}

	// An identity is the pod's name and something random.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	var pod corev1.Pod
	if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: podgateNamespace, Name: name}, &pod); err != nil {
		return nil, fmt.Errorf("get leader %s: %w", *lease.Spec.HolderIdentity, err)
	}

	return &pod, nil
}

// kill kills the processes of replicas and then removes their pods.
func (w *world) kill(replicas []corev1.Pod) {
	w.t.Helper()
	var pids []int
	for _, p := range replicas {
		_, container, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
		pid, err := processOf(container)
		w.must(err)
		pids = append(pids, pid)
	}

	for _, pid := range pids {
		w.must(syscall.Kill(pid, syscall.SIGKILL))
	}

	for _, p := range replicas {
		w.must(w.cluster.Delete(w.ctx, &p, client.GracePeriodSeconds(0), client.Preconditions{UID: &p.UID}))
		w.t.Logf("killed the process of %s and removed the pod", p.Name)
	}
}

// processOf is the one process of a container, which is named in its control group.
func processOf(container string) (int, error) {
	if len(container) < 64 {
		return 0, fmt.Errorf("find process of container %q: that is no id", container)
	}

	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, fmt.Errorf("find process of container %s: %w", container, err)
	}

	var found []int
	for _, f := range files {
		// A process may end while it is looked at.
		b, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(b, []byte(container)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			return 0, fmt.Errorf("find process of container %s: %w", container, err)
		}
		found = append(found, pid)
	}

	slices.Sort(found)
	if len(found) != 1 {
		return 0, fmt.Errorf("find process of container %s: found %v, want one", container, found)
	}

	return found[0], nil
}
