// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	latticetypes "github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/sim/awssim/lattice"
)

// site is a cluster with VPC Lattice, whose delays are small.
type latticeSite struct {
	*cluster
	api *vpclattice.Client
}

func newLattice(t *testing.T, conf awssim.Lattice) latticeSite {
	t.Helper()
	if conf.Timing == nil {
		conf.Timing = &awssim.Profile{InitialHealthyChecks: 1}
	}
	c := newClusterWith(t, awssim.Config{Lattice: conf})
	endpoint := c.elb.Options().BaseEndpoint
	return latticeSite{c, vpclattice.New(vpclattice.Options{Region: region, BaseEndpoint: endpoint, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})}
}

// group makes a target group of pods.
func (s latticeSite) group(name string, tags map[string]string) string {
	s.Helper()
	out, err := s.api.CreateTargetGroup(s.Context(), &vpclattice.CreateTargetGroupInput{
		Name: &name, Type: latticetypes.TargetGroupTypeIp, Tags: tags,
		Config: &latticetypes.TargetGroupConfig{Port: aws.Int32(80), Protocol: latticetypes.TargetGroupProtocolHttp, VpcIdentifier: aws.String("vpc-0a1b2c3d4e5f60718")},
	})
	if err != nil {
		s.Fatal(err)
	}
	return *out.Arn
}

// used has a service forward to a group, whose targets are in a state.
func (s latticeSite) used(name, arn, state string) string {
	s.Helper()
	service, err := s.api.CreateService(s.Context(), &vpclattice.CreateServiceInput{Name: &name})
	if err != nil {
		s.Fatal(err)
	}
	s.eventually("a listener forwards to the group", func() bool {
		_, err := s.api.CreateListener(s.Context(), &vpclattice.CreateListenerInput{
			ServiceIdentifier: service.Id, Name: aws.String("http"), Protocol: latticetypes.ListenerProtocolHttp,
			DefaultAction: &latticetypes.RuleActionMemberForward{Value: latticetypes.ForwardAction{TargetGroups: []latticetypes.WeightedTargetGroup{{TargetGroupIdentifier: &arn}}}},
		})
		return err == nil
	})
	s.script(arn, state)
	return arn
}

// rows reads a group's targets by address.
func (s latticeSite) rows(arn string) map[string]string {
	s.Helper()
	out, err := s.api.ListTargets(s.Context(), &vpclattice.ListTargetsInput{TargetGroupIdentifier: &arn})
	if err != nil {
		s.Fatal(err)
	}
	rows := map[string]string{}
	for _, t := range out.Items {
		rows[*t.Id] = string(t.Status)
	}
	return rows
}

// bind makes a TargetBinding of the Service web.
func (s latticeSite) bind(spec v1alpha1.Lattice, membership v1alpha1.Membership) {
	s.Helper()
	s.create(&v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: s.ns},
		Spec:       v1alpha1.TargetBindingSpec{ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}, Lattice: &spec, Membership: membership},
	})
}

// status reads what podgate published of the binding.
func (s latticeSite) status() v1alpha1.TargetBindingStatus {
	s.Helper()
	var b v1alpha1.TargetBinding
	if err := s.kube.Get(s.Context(), types.NamespacedName{Namespace: s.ns, Name: "web"}, &b); err != nil {
		s.Fatal(err)
	}
	return b.Status
}

// counts reads the target counts, with the total first.
func (s latticeSite) counts() v1alpha1.TargetCounts {
	s.Helper()
	if c := s.status().Targets; c != nil {
		return *c
	}
	return v1alpha1.TargetCounts{}
}

// delete begins a pod's deletion, and leaves it terminating.
func (s latticeSite) terminate(pod *corev1.Pod) {
	s.Helper()
	if err := s.kube.Delete(s.Context(), pod, client.GracePeriodSeconds(60)); err != nil {
		s.Fatal(err)
	}
}

// warned lists the warnings about the binding.
func (s latticeSite) warned() []string {
	s.Helper()
	var all eventsv1.EventList
	if err := s.kube.List(s.Context(), &all, client.InNamespace(s.ns)); err != nil {
		s.Fatal(err)
	}
	var found []string
	for _, e := range all.Items {
		if e.Regarding.Kind == "TargetBinding" && e.Type == corev1.EventTypeWarning {
			found = append(found, e.Reason)
		}
	}
	return found
}

// podgate registers a pod when it is ready, says what its target is, deregisters it at its deletion while it goes on
// running, and does nothing of that twice when another leader begins.
func TestLatticeManaged(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	arn := s.used("web", s.group("web", nil), "initial")
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupName: "web"}, "")
	s.start()
	one := s.pod("web-1", "web", "10.0.0.1")
	s.pod("web-2", "web", "10.0.0.2")
	s.eventually("both are registered", func() bool { return len(s.rows(arn)) == 2 })
	s.eventually("the status says what they are", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 2, Initial: 2} })
	if got := s.status().Group; got == nil || got.ID != arn || got.Name != "web" || got.DrainSeconds != 60 {
		t.Errorf("published of the group: %+v", got)
	}

	s.script(arn, "healthy")
	s.eventually("the status follows", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 2, Healthy: 2} })

	registered := len(s.calls("RegisterTargets"))
	s.start()
	s.eventually("another leader serves the binding", func() bool { return s.verdict(v1alpha1.GatePrefix+"web").Status == metav1.ConditionTrue })
	s.never("it registers again", time.Second, func() bool { return len(s.calls("RegisterTargets")) != registered })

	s.terminate(one)
	s.eventually("it is deregistered while it ends", func() bool { return s.rows(arn)["10.0.0.1"] == "DRAINING" })
	s.eventually("the status says so", func() bool { return s.counts().Draining == 1 })
	if got := s.rows(arn)["10.0.0.2"]; got != "HEALTHY" {
		t.Errorf("the other pod's target is %q", got)
	}
}

// What a leader did not live to do, the next one does.
func TestLatticeLeaderChange(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	arn := s.used("web", s.group("web", nil), "healthy")
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: arn[strings.LastIndex(arn, "/")+1:]}, "")
	s.start()
	one := s.pod("web-1", "web", "10.0.0.1")
	s.pod("web-2", "web", "10.0.0.2")
	s.eventually("both serve", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 2, Healthy: 2} })
	s.stop()

	s.terminate(one)
	s.pod("web-3", "web", "10.0.0.3")
	s.start()
	s.eventually("the one that left is deregistered", func() bool { return s.rows(arn)["10.0.0.1"] == "DRAINING" })
	s.eventually("the one that came is registered", func() bool { return s.rows(arn)["10.0.0.3"] == "HEALTHY" })
}

// Beside AWS Gateway API Controller podgate finds the groups that the other one fills, for as long as they are there, and
// changes none.
func TestLatticeDiscovers(t *testing.T) {
	s := newLattice(t, awssim.Lattice{DrainDelay: time.Second})
	tags := map[string]string{gwc.TagServiceNamespace: s.ns, gwc.TagServiceName: "web", gwc.TagClusterName: "blue"}
	one := s.used("web-one", s.group("web-one", tags), "healthy")
	two := s.group("web-two", tags)
	s.service("web")
	s.bind(v1alpha1.Lattice{Discover: true}, v1alpha1.MembershipExternal)
	s.start()
	s.pod("web-1", "web", "10.0.0.1")
	both := func() bool {
		got := s.status().Group
		return got != nil && strings.Contains(got.ID, one) && strings.Contains(got.ID, two)
	}
	s.eventually("both groups are found", both)

	target := []latticetypes.Target{{Id: aws.String("10.0.0.1"), Port: aws.Int32(8080)}}
	register := func(arn string) {
		if _, err := s.api.RegisterTargets(s.Context(), &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &arn, Targets: target}); err != nil {
			t.Fatal(err)
		}
	}
	register(one)
	s.start() // A new leader begins with a read.
	s.eventually("one of two is not enough", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 1, Initial: 1} })

	register(two)
	s.start()
	s.eventually("the other is not used", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 1, Other: 1} })

	// A second cluster of the account begins to have a Service of this name, and takes nothing away.
	s.group("web-green", map[string]string{gwc.TagServiceNamespace: s.ns, gwc.TagServiceName: "web", gwc.TagClusterName: "green"})

	if _, err := s.api.DeregisterTargets(s.Context(), &vpclattice.DeregisterTargetsInput{TargetGroupIdentifier: &two, Targets: target}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.DeleteTargetGroup(s.Context(), &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: &two}); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.eventually("what is left of the groups is found", func() bool { got := s.status().Group; return got != nil && got.ID == one })
	s.eventually("and says healthy", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 1, Healthy: 1} })
	s.eventually("the binding says which cluster's they are", func() bool {
		c := meta.FindStatusCondition(s.status().Conditions, v1alpha1.ConditionSupported)
		return c != nil && strings.Contains(c.Message, "podgate goes on with those of blue")
	})
	if n, m := len(s.calls("RegisterTargets")), len(s.calls("DeregisterTargets")); n != 2 || m != 1 {
		t.Errorf("%d registrations and %d deregistrations, want only the test's own", n, m)
	}
}

// Two ports of a Service are found as one set of groups: a pod is a target on each, and its gate opens when both are healthy.
func TestLatticeDiscoversTwoPorts(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	tags := map[string]string{gwc.TagServiceNamespace: s.ns, gwc.TagServiceName: "web", gwc.TagClusterName: "blue"}
	groups := map[int32]string{8080: s.used("web", s.group("web", tags), "initial"), 9090: s.used("admin", s.group("admin", tags), "initial")}
	s.create(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: s.ns}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"},
		Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}, {Name: "admin", Port: 90, TargetPort: intstr.FromInt32(9090)}},
	}})
	for name, port := range map[string]int32{"web": 80, "admin": 90} {
		s.create(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns}, Spec: v1alpha1.TargetBindingSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(port)}, Membership: v1alpha1.MembershipExternal, Lattice: &v1alpha1.Lattice{Discover: true},
		}})
	}

	s.start()
	s.carrier("web-1", "10.0.0.1", gwc.Gate)
	for port, arn := range groups {
		if _, err := s.api.RegisterTargets(s.Context(), &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &arn, Targets: []latticetypes.Target{{Id: aws.String("10.0.0.1"), Port: &port}}}); err != nil {
			t.Fatal(err)
		}
	}

	// Each is observed in its own right: what is proven of a target is recorded on the pod.
	s.eventually("both targets are known to be the pod's", func() bool {
		var pod corev1.Pod
		if err := s.kube.Get(s.Context(), types.NamespacedName{Namespace: s.ns, Name: "web-1"}, &pod); err != nil {
			t.Fatal(err)
		}
		return strings.Count(pod.Annotations[v1alpha1.ProvenAnnotation], "10.0.0.1") == 2
	})
	s.script(groups[8080], "healthy")
	s.never("one port of two opens the gate", 2*time.Second, func() bool { return s.condition("web-1", gwc.Gate).Status == corev1.ConditionTrue })
	s.script(groups[9090], "healthy")
	s.eventually("the gate opens", func() bool { return s.condition("web-1", gwc.Gate).Status == corev1.ConditionTrue })

	read := len(s.calls("ListTargets"))
	s.never("the groups are read for an open gate", 3*time.Second, func() bool { return len(s.calls("ListTargets"))-read > 4 })
}

// A Service that is deleted and made again never takes its group out of the gate.
func TestLatticeServiceIsMadeAgain(t *testing.T) {
	s := newLattice(t, awssim.Lattice{DrainDelay: time.Second})
	groups := map[string]string{"web": s.used("web", s.group("web", nil), "healthy"), "admin": s.used("admin", s.group("admin", nil), "initial")}
	admin := func() *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "admin", Namespace: s.ns}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}}
	}
	s.service("web")
	s.create(admin())
	for name := range groups {
		s.create(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns}, Spec: v1alpha1.TargetBindingSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: name, Port: intstr.FromInt32(80)}, Lattice: &v1alpha1.Lattice{TargetGroupName: name},
		}})
	}
	s.start()
	s.carrier("web-1", "10.0.0.1", gwc.Gate)
	s.eventually("both hold the pod", func() bool {
		return s.rows(groups["web"])["10.0.0.1"] == "HEALTHY" && s.rows(groups["admin"])["10.0.0.1"] == "INITIAL" && s.condition("web-1", gwc.Gate).Reason == "Initial"
	})

	if err := s.kube.Delete(s.Context(), admin()); err != nil {
		t.Fatal(err)
	}
	s.eventually("its Service is missed", func() bool { return s.condition("web-1", gwc.Gate).Reason == v1alpha1.ReasonNoBinding })
	s.eventually("the pod leaves its group", func() bool { return len(s.rows(groups["admin"])) == 0 })
	s.never("the other group opens the gate", time.Second, func() bool { return s.condition("web-1", gwc.Gate).Status == corev1.ConditionTrue })

	s.create(admin())
	s.eventually("the gate waits for it again", func() bool { return s.condition("web-1", gwc.Gate).Reason == "Initial" })
}

// A group that is being made is waited for, and nobody is warned.
func TestLatticeGroupIsBeingMade(t *testing.T) {
	s := newLattice(t, awssim.Lattice{CreateDelay: 4 * time.Second})
	arn := s.group("web", nil)
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: arn}, "")
	s.pod("web-1", "web", "10.0.0.1")
	s.start()
	key := v1alpha1.GatePrefix + "web"
	s.eventually("podgate waits", func() bool { return s.verdict(key).Reason == v1alpha1.ReasonTargetGroupNotReady })
	s.eventually("and goes on", func() bool { return s.verdict(key).Reason == v1alpha1.ReasonSynced && len(s.rows(arn)) == 1 })
	if got := s.warned(); len(got) > 0 {
		t.Errorf("warned of %v", got)
	}
}

// Targets of a group in no service are registered, and the status shows that they do not serve.
func TestLatticeUnusedGroup(t *testing.T) {
	s := newLattice(t, awssim.Lattice{})
	arn := s.group("web", nil)
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: arn}, "")
	s.start()
	s.pod("web-1", "web", "10.0.0.1")
	s.eventually("it is registered", func() bool { return s.rows(arn)["10.0.0.1"] == "UNUSED" })
	s.eventually("the status counts it apart", func() bool { return s.counts() == v1alpha1.TargetCounts{Total: 1, Other: 1} })
}

// At the quota those that fit are registered, and the binding says what to do.
func TestLatticeQuota(t *testing.T) {
	s := newLattice(t, awssim.Lattice{Quotas: lattice.Quotas{TargetsPerGroup: 2}})
	arn := s.used("web", s.group("web", nil), "healthy")
	s.service("web")
	s.bind(v1alpha1.Lattice{TargetGroupARN: arn}, "")
	s.start()
	for i, name := range []string{"web-1", "web-2", "web-3"} {
		s.pod(name, "web", "10.0.0."+string(rune('1'+i)))
	}
	s.eventually("the group is filled", func() bool { return len(s.rows(arn)) == 2 })
	s.eventually("the binding says so", func() bool { return s.verdict(v1alpha1.GatePrefix+"web").Reason == v1alpha1.ReasonTooManyTargets })
}

// What can never work is said at once, and what to do about it.
func TestLatticeBadInput(t *testing.T) {
	const arn = "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-00000000000000000"
	tests := []struct {
		reason string
		spec   v1alpha1.Lattice
		says   string
	}{
		{"another region's", v1alpha1.Lattice{TargetGroupARN: strings.Replace(arn, "eu-west-1", "us-east-1", 1)}, "spec.lattice.region us-east-1"},
		{"another account's", v1alpha1.Lattice{TargetGroupARN: strings.Replace(arn, "123456789012", "210987654321", 1)}, "name a role of that account in spec.lattice.roleARN"},
		{"another account's role", v1alpha1.Lattice{TargetGroupARN: arn, RoleARN: "arn:aws:iam::210987654321:role/web"}, "name a role of the group's account"},
		{"one that is not there", v1alpha1.Lattice{TargetGroupARN: arn}, "does not exist"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			s := newLattice(t, awssim.Lattice{})
			s.bind(tc.spec, "")
			s.service("web")
			s.start()
			s.eventually("the binding says what is wrong", func() bool {
				c := s.verdict(v1alpha1.GatePrefix + "web")
				return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, tc.says)
			})
		})
	}
}
