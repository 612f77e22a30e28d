// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/uninstall"
)

// TestDeclinedSecret: a Secret that somebody offers with a certificate that is not served is named, with the reason. One that
// is served is not, nor one that podgate is told to serve, nor to somebody who may not read it.
func TestDeclinedSecret(t *testing.T) {
	c := newCluster(t, nil)
	const says = "podgate does not serve the certificate of Secret webhook-cert in namespace "
	status := func() answer {
		t.Helper()
		return c.run("--podgate-namespace", c.ns, "status")
	}
	quiet := func(when string, a answer) {
		t.Helper()
		if a.code != ExitDone || strings.Contains(a.out+a.err, "webhook-cert") {
			t.Errorf("%s: exit code %d, %s%s", when, a.code, a.out, a.err)
		}
	}

	podgate := container("--webhook-port=9443")
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: uninstall.Deployment}, Spec: podgate}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: certificate.OfferedName}}
	c.create(deployment)
	quiet("no Secret", status())

	c.create(secret)
	c.has(status(), ExitDone, says+c.ns, "tls: failed to find any PEM data in certificate input", "delete the Secret")

	c.as = "somebody"
	quiet("not allowed", status())
	c.as = ""

	deployment.Spec = container("--webhook-certificate-secret=webhook-cert")
	c.put(deployment)
	quiet("provided", status())

	deployment.Spec = podgate
	c.put(deployment)
	secret.Data = kubetest.SelfSigned(t, "other.example.com")
	c.put(secret)
	c.has(status(), ExitDone, says, "not podgate-webhook."+c.ns+".svc")

	secret.Data = kubetest.SelfSigned(t, certificate.DNSNames(c.ns)...)
	c.put(secret)
	quiet("served", status())
}

// put changes an object.
func (c *cluster) put(o client.Object) {
	c.Helper()
	if err := c.kube.Update(c.Context(), o); err != nil {
		c.Fatal(err)
	}
}

// container is a Deployment of one container with an argument.
func container(arg string) appsv1.DeploymentSpec {
	labels := map[string]string{"app": "podgate"}
	return appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "podgate", Image: "podgate", Args: []string{arg}}}},
		},
	}
}

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
