// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

func TestOpensWithin(t *testing.T) {
	const arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
	published := func(protocol string) string {
		return `{"arn":"` + arn + `","name":"web","targetType":"ip","protocol":"` + protocol + `","healthCheckIntervalSeconds":10}`
	}

	open := func(timeout string) map[string]string {
		return map[string]string{v1alpha1.OnTimeoutAnnotation: "Open", v1alpha1.TimeoutAnnotation: timeout, v1alpha1.PublishedAnnotation: published("TCP")}
	}

	for name, tc := range map[string]struct {
		reason      string
		annotations map[string]string
		want        time.Duration
	}{
		"Unknown":   {reason: "Nothing was resolved yet: an ALB with AWS's defaults.", want: time.Minute},
		"ALB":       {reason: "One check of the group's.", annotations: map[string]string{v1alpha1.PublishedAnnotation: published("HTTP")}, want: 40 * time.Second},
		"NLB":       {reason: "It takes its time.", annotations: map[string]string{v1alpha1.PublishedAnnotation: published("TCP")}, want: 330 * time.Second},
		"OpensLate": {reason: "It may stay closed until its time-out opens it.", annotations: open("900s"), want: 900 * time.Second},
		"OpensSoon": {reason: "Its time-out opens it at the latest.", annotations: open("60s"), want: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Annotations: tc.annotations}}
			b.Spec.TargetGroupARN = arn
			if got := opensWithin(binding.Of(b)); got != tc.want {
				t.Errorf("%s\ngot %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}
