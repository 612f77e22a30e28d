// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
)

// Whatever is wrong with a group is told on its binding and in an event, with what to do, and while all of that is wrong
// pods of another binding come and open.
func TestLatticeBadInputHurtsNobodyElse(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	good := s.used("web", s.group("web", nil), "healthy")
	s.group("twin", nil)
	s.group("twin-2", nil)
	s.sayOtherwise(`"name":"twin-2"`, `"name":"twin"`)
	s.service("bad")
	tests := map[string]struct {
		spec v1alpha1.Lattice
		says string
	}{
		"region":  {v1alpha1.Lattice{TargetGroupARN: strings.Replace(good, region, "us-east-1", 1)}, "spec.lattice.region us-east-1"},
		"account": {v1alpha1.Lattice{TargetGroupARN: strings.Replace(good, "123456789012", "210987654321", 1)}, "spec.lattice.roleARN"},
		"twins":   {v1alpha1.Lattice{TargetGroupName: "twin"}, "targetGroupARN"},
		"missing": {v1alpha1.Lattice{TargetGroupName: "later"}, "create it"},
	}
	for name, tc := range tests {
		s.create(&v1alpha1.TargetBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns},
			Spec:       v1alpha1.TargetBindingSpec{ServiceRef: v1alpha1.ServiceReference{Name: "bad", Port: intstr.FromInt32(80)}, Lattice: &tc.spec},
		})
	}

	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: good}, "")
	s.start()
	for name, tc := range tests {
		reason := ""
		s.eventually(name+" is told", func() bool {
			c := s.verdict(v1alpha1.GatePrefix + name)
			reason = c.Reason
			return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, tc.says)
		})
		s.eventually(name+" has an event", func() bool { return s.event(name, reason, tc.says) })
	}

	s.carrier("web-1", "10.0.0.1", gwc.Gate)
	s.eventually("another binding's pod opens", func() bool { return s.condition("web-1", gwc.Gate).Status == corev1.ConditionTrue })
	if c := s.verdict(v1alpha1.GatePrefix + "web"); c.Reason != v1alpha1.ReasonSynced {
		t.Errorf("the binding that is in order says %s: %s", c.Reason, c.Message)
	}
}

// A pod without an address of the group's family is told, and the others are served.
func TestLatticeIPv6PodInIPv4Group(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	arn := s.used("web", s.group("web", nil), "healthy")
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: arn}, "")
	s.start()
	s.carrier("web-1", "10.0.0.1", gwc.Gate)
	s.carrier("web-2", "fd00::2", gwc.Gate)

	s.eventually("the pod of the group's family opens", func() bool { return s.condition("web-1", gwc.Gate).Status == corev1.ConditionTrue })
	s.eventually("the other one is told", func() bool {
		g := s.condition("web-2", gwc.Gate)
		return g.Status != corev1.ConditionTrue && strings.Contains(g.Message, "ipv4")
	})
	s.eventually("an event says so", func() bool { return s.event("web-2", v1alpha1.ReasonBindingNotReady, "ipv4") })
	if c := s.verdict(v1alpha1.GatePrefix + "web"); c.Status != metav1.ConditionTrue {
		t.Errorf("the binding serves the other pod, and says %s: %s", c.Reason, c.Message)
	}
	if rows := s.rows(arn); len(rows) != 1 {
		t.Errorf("the group holds %v, want the one pod", rows)
	}
}

// sayOtherwise has VPC Lattice's answers to podgate say something else in place of a text: a real one lets no two groups
// of an account have one name, unless another account shares its own.
func (s latticeSite) sayOtherwise(text, instead string) {
	s.Helper()
	to, err := url.Parse(*s.elb.Options().BaseEndpoint)
	if err != nil {
		s.Fatal(err)
	}

	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = bytes.ReplaceAll(body, []byte(text), []byte(instead))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	s.Cleanup(server.Close)
	s.Setenv("AWS_ENDPOINT_URL_VPC_LATTICE", server.URL)
}
