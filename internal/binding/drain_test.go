// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// TestTimeOfTargetGroupBinding: what a pod needs follows from the group.
func TestTimeOfTargetGroupBinding(t *testing.T) {
	cases := map[string]struct {
		reason           string
		published, asked string
		protocol         string
		want, routed     time.Duration
	}{
		"ALB":            {reason: "5 s to deregister, 20 s of routing, 30 s in flight.", published: `{"arn":"a","protocol":"HTTP","deregistrationDelaySeconds":300}`, want: 55 * time.Second, routed: 25 * time.Second},
		"ALBSecure":      {reason: "HTTPS is an ALB's, too.", published: `{"arn":"a","protocol":"HTTPS","deregistrationDelaySeconds":300}`, want: 55 * time.Second, routed: 25 * time.Second},
		"ShortDelay":     {reason: "What takes longer than the delay is cut anyway.", published: `{"arn":"a","protocol":"HTTP","deregistrationDelaySeconds":10}`, want: 35 * time.Second, routed: 25 * time.Second},
		"NoDelay":        {reason: "Routing goes on even then.", published: `{"arn":"a","protocol":"HTTP"}`, want: 25 * time.Second, routed: 25 * time.Second},
		"NLB":            {reason: "New connections come for two minutes.", published: `{"arn":"a","protocol":"TCP","deregistrationDelaySeconds":300}`, want: 155 * time.Second, routed: 125 * time.Second},
		"NLBOther":       {reason: "Whatever is not HTTP is a network load balancer's.", published: `{"arn":"a","protocol":"TCP_UDP","deregistrationDelaySeconds":0}`, want: 125 * time.Second, routed: 125 * time.Second},
		"Unresolved":     {reason: "What is not known may be the slowest.", want: 155 * time.Second, routed: 125 * time.Second},
		"Garbage":        {reason: "So may what cannot be read.", published: `{`, want: 155 * time.Second, routed: 125 * time.Second},
		"ManifestSaysIt": {reason: "The manifest may know the protocol first.", protocol: "HTTP", want: 55 * time.Second, routed: 25 * time.Second},
		"Asked":          {reason: "The binding's owner knows best.", published: `{"arn":"a","protocol":"TCP"}`, asked: "12500ms", want: 12500 * time.Millisecond, routed: 12500 * time.Millisecond},
		"AskedWrongly":   {reason: "What is no duration states nothing.", published: `{"arn":"a","protocol":"HTTP"}`, asked: "12", want: 25 * time.Second, routed: 25 * time.Second},
		"AskedTooLittle": {reason: "Nor does nothing at all.", published: `{"arn":"a","protocol":"HTTP"}`, asked: "0s", want: 25 * time.Second, routed: 25 * time.Second},
		"AskedTooMuch":   {reason: "Nor does more than an hour.", published: `{"arn":"a","protocol":"HTTP"}`, asked: "61m", want: 25 * time.Second, routed: 25 * time.Second},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &elbv2.TargetGroupBinding{}
			b.Annotations = map[string]string{v1alpha1.PublishedAnnotation: tc.published}
			if tc.asked != "" {
				b.Annotations[v1alpha1.DrainTimeAnnotation] = tc.asked
			}

			if tc.protocol != "" {
				b.Spec.TargetGroupProtocol = &tc.protocol
			}

			if got := Of(b).Terms().Time(); got != tc.want {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}

			if got := Of(b).Need().Routed(); got != tc.routed {
				t.Errorf("%s\nwant new requests for %s, got %s", tc.reason, tc.routed, got)
			}
		})
	}
}

// lattice is a binding of a group of VPC Lattice as a leader found it.
func lattice(found *v1alpha1.ResolvedGroup) v1alpha1.TargetBinding {
	return v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Lattice: &v1alpha1.Lattice{TargetGroupARN: "arn"}}, Status: v1alpha1.TargetBindingStatus{Group: found}}
}

// TestTimeOfTargetBinding: the same, and each load balancer has its own way to drain.
func TestTimeOfTargetBinding(t *testing.T) {
	group := &v1alpha1.ResolvedGroup{ID: "arn", Protocol: "HTTP", DrainSeconds: 300}
	cases := map[string]struct {
		reason       string
		b            v1alpha1.TargetBinding
		want, routed time.Duration
	}{
		"HAProxy": {
			reason: "Only what insists on the server comes, for as long as the binding says.",
			b:      v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{HAProxy: &v1alpha1.HAProxy{DrainSeconds: 10}}},
			want:   45 * time.Second, routed: 15 * time.Second,
		},
		"ELBv2": {
			reason: "A target group is one, whichever kind names it.",
			b:      v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{ELBv2: &v1alpha1.ELBv2{TargetGroupARN: "arn"}}, Status: v1alpha1.TargetBindingStatus{Group: group}},
			want:   55 * time.Second, routed: 25 * time.Second,
		},
		"Lattice": {
			reason: "5 s to deregister, and the minute for which the target drains.",
			b:      lattice(&v1alpha1.ResolvedGroup{ID: "arn", Protocol: "HTTP", DrainSeconds: 60}),
			want:   65 * time.Second, routed: 35 * time.Second,
		},
		"LatticeUnchecked": {
			reason: "Without health checks requests come for five minutes.",
			b:      lattice(&v1alpha1.ResolvedGroup{ID: "arn", Protocol: "HTTP", HealthCheckDisabled: true, DrainSeconds: 60}),
			want:   335 * time.Second, routed: 305 * time.Second,
		},
		"LatticeUnresolved": {
			reason: "Nobody knows whether it is checked.",
			b:      lattice(nil),
			want:   335 * time.Second, routed: 305 * time.Second,
		},
		"Asked": {
			reason: "The binding's owner knows better, whichever kind it is.",
			b: v1alpha1.TargetBinding{
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.DrainTimeAnnotation: "12s"}},
				Spec:       v1alpha1.TargetBindingSpec{HAProxy: &v1alpha1.HAProxy{DrainSeconds: 10}},
			},
			want: 12 * time.Second, routed: 12 * time.Second,
		},
		"Unresolved": {
			reason: "What is not known may be the slowest.",
			b:      v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{ELBv2: &v1alpha1.ELBv2{TargetGroupName: "web"}}},
			want:   155 * time.Second, routed: 125 * time.Second,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := OfOwn(&tc.b).Terms().Time(); got != tc.want {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}
			if got := OfOwn(&tc.b).Need().Routed(); got != tc.routed {
				t.Errorf("%s\nwant new requests for %s, got %s", tc.reason, tc.routed, got)
			}
		})
	}
}

// TestRecommendedIsFollowed: when the owner says so, within bounds, whoever wrote it.
func TestRecommendedIsFollowed(t *testing.T) {
	const alb = `{"arn":"a","protocol":"HTTP","deregistrationDelaySeconds":300}`
	cases := map[string]struct {
		reason            string
		said, recommended string
		want              time.Duration
	}{
		"Followed": {reason: "It is asked for.", said: v1alpha1.DrainRecommended, recommended: "75s", want: 75 * time.Second},
		"NotAsked": {reason: "Nobody asked.", recommended: "75s", want: 55 * time.Second},
		"Nothing":  {reason: "There is none.", said: v1alpha1.DrainRecommended, want: 55 * time.Second},
		"Own":      {reason: "The owner's own number counts.", said: "40s", recommended: "75s", want: 40 * time.Second},
		"Less":     {reason: "Nothing says that less would do.", said: v1alpha1.DrainRecommended, recommended: "1s", want: 55 * time.Second},
		"More":     {reason: "Nor is it without end.", said: v1alpha1.DrainRecommended, recommended: "1h", want: 110 * time.Second},
		"Garbage":  {reason: "What cannot be read is none.", said: v1alpha1.DrainRecommended, recommended: "soon", want: 55 * time.Second},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &elbv2.TargetGroupBinding{}
			b.Annotations = map[string]string{v1alpha1.PublishedAnnotation: alb, v1alpha1.DrainTimeAnnotation: tc.said, v1alpha1.RecommendedDrainAnnotation: tc.recommended}
			if got := Of(b).Terms().Time(); got != tc.want {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}
			if got := Of(b).Need().Time(); got != tc.want {
				t.Errorf("by its parts it is %s", got)
			}
		})
	}

	own := &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{HAProxy: &v1alpha1.HAProxy{DrainSeconds: 30}}}
	own.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: v1alpha1.DrainRecommended}
	own.Status.Drain = &v1alpha1.DrainStatus{RecommendedSeconds: 20}
	if got := OfOwn(own).Terms().Time(); got != 20*time.Second {
		t.Errorf("HAProxy tells that 20 s suffice, got %s", got)
	}
}
