// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

// forService gives a group the tags of AWS Gateway API Controller.
func forService(namespace, name, cluster string) func(*vpclattice.CreateTargetGroupInput) {
	return func(in *vpclattice.CreateTargetGroupInput) {
		in.Tags = map[string]string{gwc.TagServiceNamespace: namespace, gwc.TagServiceName: name, gwc.TagClusterName: cluster, gwc.TagManagedBy: "123456789012/" + cluster + "/" + testVPC}
	}
}

// wanted is what a binding says that has its groups found.
func wanted(name string) balancer.Group { return balancer.Group{Name: "service:" + name} }

// tagged makes a group with such tags that can be used.
func (s *simulation) tagged(t *testing.T, name, namespace, service, cluster string, edit ...func(*vpclattice.CreateTargetGroupInput)) balancer.Group {
	t.Helper()
	g := s.made(t, name, append(edit, forService(namespace, service, cluster))...)
	s.settled(t, g, types.TargetGroupStatusActive)
	return g
}

// remove deletes a group.
func (s *simulation) remove(t *testing.T, g balancer.Group) {
	t.Helper()
	if _, err := s.client.DeleteTargetGroup(t.Context(), &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: &g.Ref.Group}); err != nil {
		t.Fatal(err)
	}
}

func TestDiscover(t *testing.T) {
	s := simulate(t, awssim.Config{})
	_, err := s.discover(t, wanted("shop/web"))
	checkKind(t, err, balancer.ErrNotFound)
	says(t, err, "no target group in region eu-test-1 has the tags that AWS Gateway API Controller gives those of Service shop/web")

	s.made(t, "by-hand")
	s.tagged(t, "api", "shop", "api", "blue")
	s.tagged(t, "elsewhere", "test", "web", "blue")
	one := s.tagged(t, "web-route", "shop", "web", "blue")
	got, err := s.discover(t, wanted("shop/web"))
	if err != nil || got.Ref != one.Ref || got.Name != "service:shop/web@blue" {
		t.Fatalf("one group: got %+v, %v", got, err)
	}

	two := s.tagged(t, "web-grpc", "shop", "web", "blue", unchecked)
	got, err = s.discover(t, wanted("shop/web"))
	both := []string{one.Ref.Group, two.Ref.Group}
	slices.Sort(both)
	if err != nil || got.Ref.Group != strings.Join(both, ",") || got.Name != "service:shop/web@blue" {
		t.Fatalf("a route came: got %+v, %v", got, err)
	}
	if got.HealthCheckEnabled || !strings.Contains(got.Caveat, "Health checks of target group web-grpc are off") || got.HealthCheckInterval != 30*time.Second {
		t.Errorf("one of them has no health checks: got %+v", got)
	}

	s.remove(t, one)
	got, err = s.discover(t, wanted("shop/web"))
	if err != nil || got.Ref != two.Ref {
		t.Errorf("a route went: got %+v, %v", got, err)
	}
}

// TestDiscoverOneCluster: two clusters of an account may have a Service of the same namespace and name.
func TestDiscoverOneCluster(t *testing.T) {
	s := simulate(t, awssim.Config{})
	s.tagged(t, "blue", "shop", "web", "blue")
	green := s.tagged(t, "green", "shop", "web", "green")
	_, err := s.discover(t, wanted("shop/web"))
	checkKind(t, err, balancer.ErrInvalid)
	says(t, err, "several clusters have target groups for a Service shop/web: say in spec.lattice.clusterName which one is meant: blue, green")

	got, err := s.discover(t, wanted("shop/web@green"))
	if err != nil || got.Ref != green.Ref {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestDiscoverKeepsToItsCluster: a binding that has found groups goes on with those of the same cluster when a second one
// begins to have a Service of that namespace and name, while routes come and go, and says so.
func TestDiscoverKeepsToItsCluster(t *testing.T) {
	s := simulate(t, awssim.Config{})
	s.tagged(t, "blue-one", "shop", "web", "blue")
	found, err := s.discover(t, wanted("shop/web"))
	if err != nil {
		t.Fatal(err)
	}
	again := wanted("shop/web")
	again.Before = found.Name

	s.tagged(t, "green", "shop", "web", "green")
	two := s.tagged(t, "blue-two", "shop", "web", "blue", unchecked)
	got, err := s.discover(t, again)
	if err != nil || got.Name != found.Name || got.Ref.Group != traits.Join([]string{found.Ref.Group, two.Ref.Group}) {
		t.Fatalf("got %+v, %v, want both groups of cluster blue", got, err)
	}
	const says = "Several clusters have target groups for a Service shop/web: blue, green. podgate goes on with those of blue, which it found first: say in spec.lattice.clusterName which cluster is meant. Health checks of target group blue-two are off"
	if !strings.HasPrefix(got.Caveat, says) {
		t.Errorf("got the caveat %q", got.Caveat)
	}

	// Who says which cluster is meant is told nothing, and one that is not among them helps nobody.
	again.Name += "@green"
	if got, err := s.discover(t, again); err != nil || got.Caveat != "" || got.Name != "service:shop/web@green" {
		t.Errorf("green is meant: got %+v, %v", got, err)
	}
	for _, before := range []string{"service:shop/web", ""} {
		again = wanted("shop/web")
		again.Before = before
		_, err = s.discover(t, again)
		checkKind(t, err, balancer.ErrInvalid)
	}
}

// TestDiscoverMovesToNoOtherCluster: when the last group of a binding's cluster goes, as a route is replaced, those of another
// cluster do not take its place until the owner says so.
func TestDiscoverMovesToNoOtherCluster(t *testing.T) {
	s := simulate(t, awssim.Config{})
	again := wanted("shop/web")
	again.Before = "service:shop/web@blue"
	missing := func(want string) {
		t.Helper()
		_, err := s.discover(t, again)
		checkKind(t, err, balancer.ErrNotFound)
		says(t, err, want)
	}

	missing("is there a route to it or a ServiceExport")
	green := s.tagged(t, "green", "shop", "web", "green")
	missing("cluster blue, whose target groups for Service shop/web podgate found before, has none now, and only cluster green has: set spec.lattice.clusterName if that is meant")
	s.tagged(t, "red", "shop", "web", "red")
	missing("and only clusters green, red have: set")

	blue := s.tagged(t, "blue", "shop", "web", "blue")
	if got, err := s.discover(t, again); err != nil || got.Ref != blue.Ref {
		t.Errorf("blue has one again: got %+v, %v", got, err)
	}
	again.Name += "@green"
	if got, err := s.discover(t, again); err != nil || got.Ref != green.Ref {
		t.Errorf("green is meant: got %+v, %v", got, err)
	}
}

// TestDiscoverGroupThatGoes: one that vanishes between two calls is no error.
func TestDiscoverGroupThatGoes(t *testing.T) {
	missing := &awssim.APIError{Code: "ResourceNotFoundException", Status: 404}
	for operation, fault := range map[string]func(group string) awssim.Fault{
		"ListTagsForResource": func(string) awssim.Fault { return awssim.Fault{Count: 1} },
		"GetTargetGroup":      func(group string) awssim.Fault { return awssim.Fault{TargetGroupARN: group} },
	} {
		t.Run(operation, func(t *testing.T) {
			s := simulate(t, awssim.Config{})
			one := s.tagged(t, "web-one", "shop", "web", "blue")
			s.tagged(t, "web-two", "shop", "web", "blue")
			f := fault(one.Ref.Group)
			f.Operation, f.Error = operation, missing
			s.fault(t, f)
			got, err := s.discover(t, wanted("shop/web"))
			if err != nil || strings.Contains(got.Ref.Group, ",") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestDiscoverForgetsWhatIsGone: what a group's description said some seconds ago does not count once its health cannot be read
// because it is gone.
func TestDiscoverForgetsWhatIsGone(t *testing.T) {
	s := simulate(t, awssim.Config{})
	one := s.tagged(t, "web-one", "shop", "web", "blue")
	two := s.tagged(t, "web-two", "shop", "web", "blue")
	both, err := s.discover(t, wanted("shop/web"))
	if err != nil {
		t.Fatal(err)
	}

	s.remove(t, one)
	for end := time.Now().Add(balancertest.Patience); !gone(err); time.Sleep(time.Millisecond) {
		if _, err = s.provider.Health(t.Context(), both); time.Now().After(end) {
			t.Fatalf("got %v", err)
		}
	}
	again := wanted("shop/web")
	again.Before = both.Name
	if got, err := s.provider.Resolve(t.Context(), again); err != nil || got.Ref != two.Ref {
		t.Errorf("got %+v, %v", got, err)
	}
}

// creating is an HTTP client to which one target group looks as if it were being created.
type creating struct {
	aws.HTTPClient
	group string
}

func (c *creating) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, c.group) {
		return resp, err
	}

	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	body = bytes.ReplaceAll(body, []byte(`"ACTIVE"`), []byte(`"CREATE_IN_PROGRESS"`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// TestDiscoverWaitsForAGroup: while one of a Service's groups is being created, nobody knows all of them.
func TestDiscoverWaitsForAGroup(t *testing.T) {
	s := simulate(t, awssim.Config{})
	s.tagged(t, "web-one", "shop", "web", "blue")
	two := s.tagged(t, "web-two", "shop", "web", "blue")
	slow := s.config.Copy()
	slow.HTTPClient = &creating{slow.HTTPClient, id(two.Ref)}
	_, err := New(slow, testRegion).Resolve(t.Context(), wanted("shop/web"))
	checkKind(t, err, balancer.ErrNotReady)

	got, err := s.provider.Resolve(t.Context(), wanted("shop/web"))
	if err != nil || !strings.Contains(got.Ref.Group, ",") {
		t.Errorf("both are there: got %+v, %v", got, err)
	}
}

// TestDiscoverGoesOnWhileItWaits: a binding that has found groups goes on with those that are there, and with none that has
// gone, while another one is being created, as when a route is replaced.
func TestDiscoverGoesOnWhileItWaits(t *testing.T) {
	s := simulate(t, awssim.Config{})
	one := s.tagged(t, "web-one", "shop", "web", "blue")
	two := s.tagged(t, "web-two", "shop", "web", "blue")
	three := s.tagged(t, "web-three", "shop", "web", "blue")
	slow := s.config.Copy()
	slow.HTTPClient = &creating{slow.HTTPClient, id(three.Ref)}
	again := wanted("shop/web")
	again.Before = "service:shop/web@blue"

	got, err := New(slow, testRegion).Resolve(t.Context(), again)
	if err != nil || got.Ref.Group != traits.Join([]string{one.Ref.Group, two.Ref.Group}) || !got.Unfinished || got.Name != again.Before {
		t.Errorf("the third is being created: got %+v, %v", got, err)
	}

	s.remove(t, one)
	got, err = New(slow, testRegion).Resolve(t.Context(), again)
	if err != nil || got.Ref != two.Ref || !got.Unfinished {
		t.Errorf("the first is gone: got %+v, %v", got, err)
	}

	s.remove(t, two)
	_, err = New(slow, testRegion).Resolve(t.Context(), again)
	checkKind(t, err, balancer.ErrNotReady)

	got, err = s.provider.Resolve(t.Context(), again)
	if err != nil || got.Ref != three.Ref || got.Unfinished {
		t.Errorf("the third is there: got %+v, %v", got, err)
	}
}

// TestDiscoverBoundsItsCalls: an account may have hundreds of groups. A search reads some of their tags, and the next one goes on.
func TestDiscoverBoundsItsCalls(t *testing.T) {
	s := simulate(t, awssim.Config{})
	const groups = 2*maxTags + 10
	for i := range groups - 1 {
		s.made(t, fmt.Sprintf("other-%d", i), forService("shop", "other", "blue"))
	}
	one := s.tagged(t, "web", "shop", "web", "blue")

	for range 2 {
		before := s.count("ListTagsForResource")
		_, err := s.discover(t, wanted("shop/web"))
		checkKind(t, err, balancer.ErrNotReady)
		if n := s.count("ListTagsForResource") - before; n != maxTags {
			t.Errorf("%d calls, want %d", n, maxTags)
		}
	}

	for range 2 {
		got, err := s.discover(t, wanted("shop/web"))
		if err != nil || got.Ref != one.Ref {
			t.Fatalf("got %+v, %v", got, err)
		}
		if n := s.count("ListTagsForResource"); n != groups {
			t.Errorf("%d calls, want one for each of %d groups", n, groups)
		}
	}

	// What was read long ago counts until its turn comes again.
	s.pass(tagsKept)
	for i := range 3 {
		if got, err := s.discover(t, wanted("shop/web")); err != nil || got.Ref != one.Ref {
			t.Fatalf("got %+v, %v", got, err)
		}
		if n, want := s.count("ListTagsForResource"), groups+min((i+1)*maxTags, groups); n != want {
			t.Errorf("%d calls, want %d", n, want)
		}
	}
}

// TestDiscoveredGroupsTogether: a pod is healthy when all groups of its Service say so.
func TestDiscoveredGroupsTogether(t *testing.T) {
	s := simulate(t, awssim.Config{})
	one := s.used(t, s.made(t, "web-one", forService("shop", "web", "blue")))
	two := s.used(t, s.made(t, "web-two", forService("shop", "web", "blue")))
	both, err := s.discover(t, wanted("shop/web"))
	if err != nil {
		t.Fatal(err)
	}
	target := s.newTarget(t)
	s.register(t, one, target)
	if err := s.SetHealth(one.Ref.Group, nil, awssim.Script{Outcomes: []string{"pass"}}); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, one, target, "healthy in one", func(h gate.Health, _ bool) bool { return h.State == gate.Healthy })
	if h := s.health(t, both)[target]; h.State == gate.Healthy || h.Reason != "TargetNotFound" || !strings.HasSuffix(h.Description, "("+id(two.Ref)+")") {
		t.Errorf("the other lacks it: %+v", h)
	}

	s.register(t, two, target)
	s.eventually(t, both, target, "unhealthy in the other", func(h gate.Health, _ bool) bool { return h.State == gate.Unhealthy })
	if err := s.SetHealth(two.Ref.Group, nil, awssim.Script{Outcomes: []string{"pass"}}); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, both, target, "healthy in both", func(h gate.Health, _ bool) bool { return h.State == gate.Healthy })

	err = s.provider.Register(t.Context(), both, []gate.Target{target}, nil)
	checkKind(t, err, balancer.ErrInvalid)
	again, err := s.provider.Resolve(t.Context(), balancer.Group{Ref: both.Ref, Name: both.Name})
	if err != nil || again.Ref != both.Ref || again.Name != both.Name {
		t.Errorf("by its ARNs: got %+v, %v", again, err)
	}

	// A group that is gone says so, so that the others are looked up again.
	s.lose(t, two, target)
	s.eventually(t, two, target, "gone", func(_ gate.Health, listed bool) bool { return !listed })
	gone := both
	gone.Ref.Group += "," + testARN
	_, err = s.provider.Health(t.Context(), gone)
	checkKind(t, err, balancer.ErrNotFound)
}

// TestLaw1AGroupCountsUnlessItIsLeftOver: a group that no service uses and nobody fills keeps no target waiting for ever. One
// that is new, or is used, or holds a target, does, and what was true a while ago is asked again.
func TestLaw1AGroupCountsUnlessItIsLeftOver(t *testing.T) {
	s := simulate(t, awssim.Config{})
	one := s.used(t, s.made(t, "web-one", forService("shop", "web", "blue")))
	left := s.tagged(t, "web-left", "shop", "web", "blue")
	target, other := s.newTarget(t), s.newTarget(t)
	if err := s.SetHealth(one.Ref.Group, nil, awssim.Script{Outcomes: []string{"pass"}}); err != nil {
		t.Fatal(err)
	}
	s.register(t, one, target)
	s.eventually(t, one, target, "healthy in one", func(h gate.Health, _ bool) bool { return h.State == gate.Healthy })

	var both balancer.Group
	check := func(when string, want gate.State) {
		t.Helper()
		if got := s.health(t, both)[target]; got.State != want {
			t.Errorf("%s: %+v", when, got)
		}
	}
	look := func() {
		t.Helper()
		var err error
		if both, err = s.discover(t, wanted("shop/web")); err != nil || !strings.Contains(both.Ref.Group, ",") {
			t.Fatalf("got %+v, %v", both, err)
		}
	}

	look()
	check("its route may be about to use it", gate.Initial)
	s.pass(leftOverAfter)
	look()
	check("it is left over", gate.Healthy)
	asked := s.count("GetTargetGroup")
	check("nobody asks again at once", gate.Healthy)
	s.pass(useKept)
	check("it is asked about again", gate.Healthy)
	check("and that counts", gate.Healthy)
	if n := s.count("GetTargetGroup") - asked; n != 1 {
		t.Errorf("asked about %d times", n)
	}

	s.pass(useKept)
	s.fault(t, awssim.Fault{Operation: "GetTargetGroup", Count: 1, Error: &awssim.APIError{Code: "Throttling"}})
	check("nobody can tell", gate.Initial)

	look()
	s.register(t, left, other)
	check("somebody fills it", gate.Initial)
	s.lose(t, left, other)
	s.eventually(t, left, other, "gone", func(_ gate.Health, listed bool) bool { return !listed })
	check("it is empty again", gate.Healthy)

	s.used(t, left)
	s.pass(useKept)
	check("a service uses it since it was looked up", gate.Initial)
	look()
	check("and goes on using it", gate.Initial)
}
