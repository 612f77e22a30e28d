// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/manager"
)

// TestSilentLeader: a leader is silent when its lease stays as it is, not when the clock here is ahead.
func TestSilentLeader(t *testing.T) {
	c := newCluster(t, nil)
	c.now = func() time.Time { return time.Now().Add(time.Hour) }
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: manager.LeaseName}, Spec: coordinationv1.LeaseSpec{HolderIdentity: new("podgate-1"), RenewTime: new(metav1.NowMicro())}}
	c.create(lease)
	c.has(c.run("--podgate-namespace", c.ns, "status"), ExitDone, "the leader podgate-1 is silent")

	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			lease.Spec.RenewTime = new(metav1.NowMicro())
			_ = c.kube.Update(ctx, lease)
			time.Sleep(50 * time.Millisecond)
		}
	}()

	a := c.run("--podgate-namespace", c.ns, "status")
	stop()
	<-stopped

	if strings.Contains(a.out, "silent") {
		t.Errorf("the leader renews its lease, and it says\n%s", a.out)
	}
}
