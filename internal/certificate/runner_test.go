// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon lets everybody hear of the last change and act on it.
const soon = 2 * time.Second

// installed is a cluster with two replicas that serve.
func installed(t *testing.T) (*cluster, *events, [2]*replica) {
	t.Helper()
	c, e := newCluster(), &events{}
	var replicas [2]*replica
	for i := range replicas {
		replicas[i] = startReplica(t, &handle{cluster: c, delay: 50 * time.Millisecond}, testPolicy, e)
	}
	time.Sleep(soon)
	return c, e, replicas
}

func (c *cluster) annotate(value string) {
	c.keep(func(s *corev1.Secret) *corev1.Secret {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.RotateAnnotation, value)
		return s
	})
}

// authorities is how many authorities the configuration's entries trust, one number for
// each entry.
func (c *cluster) authorities() []int {
	var out []int
	_, config := c.now()
	for _, raw := range bundlesOf(config) {
		certs, _ := parseCerts(raw)
		out = append(out, len(certs))
	}
	return out
}

func TestInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e := newCluster(), &events{}
		slow := &handle{cluster: c, delay: 50 * time.Millisecond}
		slow.cut(time.Millisecond) // Until the test waits, no time passes, and no pair can be there.
		r := startReplica(t, slow, testPolicy, e)
		if r.Ready(nil) == nil {
			t.Error("ready without a pair")
		}

		if _, err := r.keypair.GetCertificate(nil); err == nil {
			t.Error("serving without a pair")
		}

		other := startReplica(t, slow, testPolicy, e)
		time.Sleep(soon)

		for i, r := range []*replica{r, other} {
			if err := r.Ready(nil); err != nil {
				t.Errorf("replica %d: not ready: %v", i, err)
			}
			if err := (&client{decided: map[string]error{}}).call(c, r); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		}

		if !r.serves().Leaf.Equal(other.serves().Leaf) {
			t.Error("the replicas serve different certificates")
		}

		if diff := cmp.Diff([]int{1, 1}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities: -want, +got:\n%s", diff)
		}

		if secret, _ := c.now(); secret.Type != corev1.SecretTypeTLS || e.count("Normal AuthorityCreated") != 1 || e.count("Normal CertificateIssued") != 1 {
			t.Errorf("want one authority and one pair in a Secret of type TLS, got type %s, events %q", secret.Type, e.list())
		}

		if got := testutil.ToFloat64(r.metrics.expiry.WithLabelValues("serving")); got != float64(r.serves().Leaf.NotAfter.Unix()) {
			t.Errorf("expiry metric: want the served certificate's, got %v", got)
		}
	})
}

func TestRotateCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, replicas := installed(t)
		before := replicas[0].serves()
		c.annotate(RotateCA)
		time.Sleep(soon)

		if diff := cmp.Diff([]int{2, 2}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities after the request: -want, +got:\n%s", diff)
		}

		if secret, _ := c.now(); secret.Annotations[v1alpha1.RotateAnnotation] != "" {
			t.Error("the request is still there")
		}

		if !replicas[0].serves().Leaf.Equal(before.Leaf) {
			t.Error("the new authority's pair is served before API servers had time to hear of it")
		}

		time.Sleep(testPolicy.Propagation + soon)
		for i, r := range replicas {
			if r.serves().Leaf.Equal(before.Leaf) {
				t.Errorf("replica %d still serves the old pair", i)
			}
		}

		time.Sleep(testPolicy.Overlap - 2*soon)
		if diff := cmp.Diff([]int{2, 2}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities in the overlap: -want, +got:\n%s", diff)
		}

		time.Sleep(3 * soon)
		if diff := cmp.Diff([]int{1, 1}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities after the overlap: -want, +got:\n%s", diff)
		}

		if e.count("AuthorityCreated") != 2 || e.count("CertificateIssued") != 2 || e.count("AuthorityRetired") != 1 {
			t.Errorf("want two authorities, two pairs and one retired, got events %q", e.list())
		}
	})
}

func TestRotateServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, replicas := installed(t)
		before := replicas[0].serves()
		c.annotate(RotateServing)
		time.Sleep(soon)

		for i, r := range replicas {
			if r.serves().Leaf.Equal(before.Leaf) {
				t.Errorf("replica %d still serves the old pair", i)
			}
		}

		if secret, _ := c.now(); secret.Annotations[v1alpha1.RotateAnnotation] != "" || e.count("AuthorityCreated") != 1 {
			t.Errorf("want the request gone and the authority kept, got annotations %v, events %q", secret.Annotations, e.list())
		}

		total := testutil.ToFloat64(replicas[0].metrics.rotations.WithLabelValues("serving")) + testutil.ToFloat64(replicas[1].metrics.rotations.WithLabelValues("serving"))
		if total != 2 {
			t.Errorf("rotations counted by both replicas: want the first pair and the second, got %v", total)
		}
	})
}

// TestSecretDeleted: a replica that starts while the authority is being replaced gets the
// old pair, which is what is trusted everywhere.
func TestSecretDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, replicas := installed(t)
		before := replicas[0].serves()
		c.keep(func(*corev1.Secret) *corev1.Secret { return nil })
		time.Sleep(soon)
		late := startReplica(t, &handle{cluster: c}, testPolicy, &events{})
		time.Sleep(soon)

		for i, r := range append(replicas[:], late) {
			if got := r.serves(); got == nil || !got.Leaf.Equal(before.Leaf) {
				t.Errorf("replica %d does not serve the old pair", i)
			}
		}

		if diff := cmp.Diff([]int{2, 2}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities: -want, +got:\n%s", diff)
		}

		time.Sleep(testPolicy.Propagation)
		if replicas[0].serves().Leaf.Equal(before.Leaf) {
			t.Error("the old pair is still served")
		}
	})
}

// TestSecretDeletedAndForgotten: a replica that never saw the Secret replaces it. It
// cannot know the pair that others may still serve, but caBundle tells that there is one.
func TestSecretDeletedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, replicas := installed(t)
		for _, r := range replicas {
			r.crash()
		}

		c.keep(func(*corev1.Secret) *corev1.Secret { return nil })
		late := startReplica(t, &handle{cluster: c}, testPolicy, &events{})
		time.Sleep(soon)

		if late.serves() != nil {
			t.Error("a pair of an authority that nobody has heard of is served")
		}

		if diff := cmp.Diff([]int{2, 2}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities: -want, +got:\n%s", diff)
		}

		time.Sleep(testPolicy.Propagation)
		if late.serves() == nil || late.Ready(nil) != nil {
			t.Error("still no pair after the propagation wait")
		}
	})
}

func TestBundleRepaired(t *testing.T) {
	for name, change := range map[string]func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration{
		"Blanked": func(o *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			o.Webhooks[0].ClientConfig.CABundle = nil
			return o
		},
		"Garbage": func(o *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			o.Webhooks[1].ClientConfig.CABundle = []byte("garbage")
			return o
		},
		"EntryAdded": func(o *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			o.Webhooks = append([]admissionv1.MutatingWebhook{{Name: "another"}}, o.Webhooks...)
			return o
		},
		"Replaced": func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			return configuration("mpod.elbv2.k8s.aws")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, replicas := installed(t)
				c.configure(change)
				_, changed := c.now()
				time.Sleep(soon)

				for _, n := range c.authorities() {
					if n != 1 {
						t.Errorf("want every entry to trust the authority, got %v", c.authorities())
					}
				}

				if _, repaired := c.now(); len(repaired.Webhooks) != len(changed.Webhooks) {
					t.Errorf("entries: want %d, got %d", len(changed.Webhooks), len(repaired.Webhooks))
				}

				if patches := testutil.ToFloat64(replicas[0].metrics.patches) + testutil.ToFloat64(replicas[1].metrics.patches); patches != 2 {
					t.Errorf("patches: want one at installation and one repair, got %v", patches)
				}
			})
		})
	}
}

// TestConfigurationLate: podgate may be installed before its webhook configuration.
func TestConfigurationLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.configure(func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration { return nil })
		r := startReplica(t, &handle{cluster: c}, testPolicy, &events{})
		time.Sleep(soon)

		if err := r.Ready(nil); err != nil {
			t.Errorf("not ready: %v", err)
		}

		c.configure(func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			return configuration("a")
		})

		time.Sleep(soon)
		if diff := cmp.Diff([]int{1}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities: -want, +got:\n%s", diff)
		}
	})
}

// TestConfigurationForbidden: what is wrong with the configuration keeps no replica from
// serving what the Secret holds.
func TestConfigurationForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, replicas := installed(t)
		blind := startReplica(t, &handle{cluster: c, blind: true}, testPolicy, &events{})
		time.Sleep(soon)
		if got := blind.serves(); got == nil || !got.Leaf.Equal(replicas[0].serves().Leaf) {
			t.Error("the Secret's pair is not served")
		}
		if blind.Ready(nil) == nil {
			t.Error("ready without knowing whether the pair is trusted")
		}
		if testutil.ToFloat64(blind.metrics.failures) == 0 {
			t.Error("the failure was not counted")
		}
	})
}

func TestGarbageIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, replicas := installed(t)
		before := replicas[0].serves()
		c.keep(func(s *corev1.Secret) *corev1.Secret {
			for k := range s.Data {
				s.Data[k] = []byte("garbage")
			}
			return s
		})

		time.Sleep(soon)
		if !replicas[0].serves().Leaf.Equal(before.Leaf) {
			t.Error("want the old pair served until its successor is trusted")
		}

		time.Sleep(testPolicy.Propagation)
		if replicas[0].serves().Leaf.Equal(before.Leaf) {
			t.Error("the garbage was not replaced")
		}

		if n := e.count("Warning InvalidCertificate"); n < 1 || n > len(replicas) {
			t.Errorf("want one warning of each replica that saw it at most, got %q", e.list())
		}
	})
}

// TestForeignSecret: a pair that somebody else provides is served and never written.
func TestForeignSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := mustAuthority(t, time.Now())
		theirs := written(t, material{signer: ca, trust: []*x509.Certificate{ca.cert}, pair: mustPair(t, ca, time.Now())})
		theirs.Labels = nil
		c, e := newCluster(), &events{}
		c.keep(func(*corev1.Secret) *corev1.Secret { return theirs.DeepCopy() })
		before, _ := c.now()
		r := startReplica(t, &handle{cluster: c}, testPolicy, e)
		time.Sleep(2 * testPolicy.ServingValidity)

		if got := r.serves(); got == nil || !got.Leaf.Equal(mustTLS(t, theirs).Leaf) {
			t.Error("their pair is not served")
		}

		if diff := cmp.Diff([]int{1, 1}, c.authorities()); diff != "" {
			t.Errorf("trusted authorities: -want, +got:\n%s", diff)
		}

		if after, _ := c.now(); after.ResourceVersion != before.ResourceVersion {
			t.Error("their Secret was written")
		}

		c.keep(func(s *corev1.Secret) *corev1.Secret { s.Data["tls.crt"] = []byte("garbage"); return s })
		before, _ = c.now()
		time.Sleep(time.Hour)

		if after, _ := c.now(); after.ResourceVersion != before.ResourceVersion || r.serves() == nil {
			t.Error("their garbage was written over, or the last good pair is not served any more")
		}

		if e.count("leaves it alone") != 1 {
			t.Errorf("want one warning that says what to do, got %q", e.list())
		}
	})
}

func TestUnknownRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, replicas := installed(t)
		before := replicas[0].serves()
		c.annotate("everything")
		time.Sleep(soon)
		if !replicas[0].serves().Leaf.Equal(before.Leaf) {
			t.Error("rotated")
		}
		if e.count(`must be serving or ca`) != len(replicas) {
			t.Errorf("want a warning that says what may be asked, got %q", e.list())
		}
	})
}

// TestRenewsByItself: a replica that nobody helps is trusted at every minute.
func TestRenewsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e := newCluster(), &events{}
		r := startReplica(t, &handle{cluster: c}, testPolicy, e)
		caller := &client{decided: map[string]error{}}
		for range 12 * 60 {
			time.Sleep(time.Minute)
			if err := caller.call(c, r); err != nil {
				t.Fatal(err)
			}
		}

		// An authority of three hours serves two of them at most, a pair of one forty minutes.
		if n := e.count("AuthorityCreated"); n != 7 {
			t.Errorf("authorities in twelve hours: want 7, got %d", n)
		}

		if n := e.count("CertificateIssued"); n < 18 || n > 24 {
			t.Errorf("pairs in twelve hours: want about 20, got %d", n)
		}
	})
}

func TestBundlePatch(t *testing.T) {
	read := configuration("a", "b", "c")
	read.ResourceVersion = "7"
	read.Webhooks[1].ClientConfig.CABundle = []byte("want")
	raw, err := bundlePatch(read, []byte("want"))
	if err != nil {
		t.Fatal(err)
	}

	edited := read.DeepCopy()
	edited.Webhooks[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"edited": "by-hand"}}
	got, err := apply(raw, edited)
	if err != nil {
		t.Fatal(err)
	}

	want := edited.DeepCopy()
	for i := range want.Webhooks {
		want.Webhooks[i].ClientConfig.CABundle = []byte("want")
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("patched: -want, +got:\n%s", diff)
	}

	edited.ResourceVersion = "8"
	if _, err := apply(raw, edited); err == nil {
		t.Error("want the patch refused by a configuration that has changed since it was read")
	}

	if n := strings.Count(string(raw), "caBundle"); n != 2 {
		t.Errorf("want two entries written, got %s", raw)
	}
}

func mustTLS(t *testing.T, s *corev1.Secret) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(s.Data["tls.crt"], s.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	return c
}
