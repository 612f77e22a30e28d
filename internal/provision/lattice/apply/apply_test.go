// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	services "github.com/podgate/podgate/internal/provision/lattice"
	"github.com/podgate/podgate/sim/awssim"
)

const vpc = "vpc-0a1b2c3d4e5f60718"

// mortal is an HTTP client of a process that may die with each call that changes something.
type mortal struct {
	http.Client
	// dies says whether the process dies with a call, before it or after it.
	dies func(n int) (before, after bool)
	n    int
}

var errDied = errors.New("the process died")

func (m *mortal) Do(req *http.Request) (*http.Response, error) {
	if m.dies == nil || req.Method == http.MethodGet || strings.HasSuffix(req.URL.Path, "/listtargets") {
		return m.Client.Do(req)
	}
	m.n++
	before, after := m.dies(m.n)
	if before {
		return nil, errDied
	}
	resp, err := m.Client.Do(req)
	if err == nil && after && resp.StatusCode < 300 {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, errDied
	}
	return resp, err
}

// world is a simulated VPC Lattice with a network, and the bindings of a cluster.
type world struct {
	t        *testing.T
	config   aws.Config
	api      *vpclattice.Client
	network  string
	bindings map[string]*services.Binding
}

func newWorld(t *testing.T) *world {
	t.Helper()
	var cfg awssim.Config
	cfg.Region, cfg.NoDataPath, cfg.Throttle, cfg.TimeScale = "eu-test-1", true, awssim.ThrottleOff, 1000
	sim, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})

	w := &world{t: t, bindings: map[string]*services.Binding{}, config: aws.Config{
		Region: "eu-test-1", BaseEndpoint: aws.String(server.URL), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")),
	}}
	w.api = w.client(nil)
	network, err := w.api.CreateServiceNetwork(t.Context(), &vpclattice.CreateServiceNetworkInput{Name: aws.String("mesh")})
	if err != nil {
		t.Fatal(err)
	}
	w.network = *network.Id
	return w
}

func (w *world) client(dies func(int) (bool, bool)) *vpclattice.Client {
	cfg := w.config.Copy()
	cfg.HTTPClient = &mortal{dies: dies}
	return vpclattice.NewFromConfig(cfg)
}

// Of implements Bindings.
func (w *world) Of(arn string) (*services.Binding, bool) { return w.bindings[arn], false }

// Set implements Bindings: a target is registered.
func (w *world) Set(ctx context.Context, arn string, of services.TargetGroup) error {
	w.bindings[arn] = &of.Binding
	_, err := w.api.RegisterTargets(ctx, &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &arn, Targets: []types.Target{{Id: aws.String("10.0.0.1"), Port: aws.Int32(80)}}})
	return err
}

// Delete implements Bindings: nobody deregisters the target.
func (w *world) Delete(_ context.Context, _, name string) error {
	maps.DeleteFunc(w.bindings, func(_ string, b *services.Binding) bool { return "k8s-"+b.Service == name })
	return nil
}

// reach performs plans until there is nothing to do, and returns what there is then. The process dies as it may.
func (w *world) reach(stack services.Stack, dies func(int) (bool, bool)) services.Observed {
	w.t.Helper()
	c := New(w.client(dies), w)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		seen, err := c.Observe(w.t.Context(), stack, vpc)
		if err != nil {
			w.t.Fatal(err)
		}
		plan := services.Make(stack, seen)
		if len(plan.Refusals) > 0 {
			w.t.Fatal(plan.Refusals)
		}
		if len(plan.Steps)+len(plan.Waits) == 0 {
			return seen
		}
		for _, s := range plan.Steps {
			err := c.Perform(w.t.Context(), s)
			var conflict *types.ConflictException
			if err != nil && !errors.Is(err, errDied) && !errors.As(err, &conflict) {
				w.t.Fatal(err)
			}
			if err != nil {
				break
			}
		}
	}
	w.t.Fatalf("no end: %v", services.Make(stack, mustObserve(w, stack)))
	return services.Observed{}
}

func mustObserve(w *world, stack services.Stack) services.Observed {
	seen, err := New(w.api, w).Observe(w.t.Context(), stack, vpc)
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

// stack is one of a host with these rules.
func (w *world) stack(rules ...services.Rule) services.Stack {
	s := services.Service{Resource: "a.example.com", Name: "k8s-a", Domain: "a.example.com", Listeners: []services.Listener{{Name: "http-80", Port: 80, Protocol: "HTTP", Rules: rules}}}
	for _, r := range rules {
		for _, f := range r.Action.Forward {
			g := services.TargetGroup{
				Resource: f.Group, Name: "k8s-" + f.Group, VPC: vpc, Protocol: "HTTP", Version: "HTTP1", Port: 80, AddressType: "IPV4",
				HealthCheck: services.HealthCheck{Off: true}, Binding: services.Binding{Namespace: "shop", Service: f.Group, Port: 80},
			}
			if !slices.ContainsFunc(s.TargetGroups, func(has services.TargetGroup) bool { return has.Name == g.Name }) {
				s.TargetGroups = append(s.TargetGroups, g)
			}
		}
	}
	stack := w.nothing()
	stack.Services = []services.Service{s}
	return stack
}

// nothing is the stack when it is not wanted any more.
func (w *world) nothing() services.Stack {
	return services.Stack{Identity: services.Identity{Tags: map[string]string{"podgate.dev/created-by": "test/" + vpc, "podgate.dev/gateway": "shop/gw"}, ResourceTag: "podgate.dev/resource"}, Network: w.network, Quotas: services.DefaultQuotas}
}

func to(groups ...string) services.Action {
	var a services.Action
	for i, g := range groups {
		a.Forward = append(a.Forward, services.Forward{Group: g, Weight: int32(len(groups) - 1 - i)}) //nolint:gosec // It is small.
	}
	return a
}

// rules are those of all services as lines, with the names of target groups.
func rules(seen services.Observed) []string {
	names := map[string]string{}
	for _, g := range seen.TargetGroups {
		names[g.ARN] = g.Name
	}
	var lines []string
	for _, s := range seen.Services {
		for _, l := range s.Has {
			slices.SortFunc(l.Has, func(a, b services.ObservedRule) int { return a.Priority - b.Priority })
			for _, r := range l.Has {
				for i := range r.Action.Forward {
					r.Action.Forward[i].Group = names[r.Action.Forward[i].Group]
				}
				lines = append(lines, fmt.Sprintf("%s:%d %s of %s: %s", s.Domain, l.Port, r.Match, r.Owner, r.Action))
			}
		}
	}
	return lines
}

// TestLaw13LatticeDeaths: whichever call the process dies with, before or after it, in the end all is as it is wanted, and then nothing is
// left but what somebody else made.
func TestLaw13LatticeDeaths(t *testing.T) {
	all := services.Match{Path: "/", Prefix: true}
	special := services.Match{Path: "/a", Method: "GET", Headers: []services.Header{{Name: "v", Value: "One"}}}
	for name, dies := range map[string]func(int) (bool, bool){
		"never":              nil,
		"after each call":    func(int) (bool, bool) { return false, true },
		"before each second": func(n int) (bool, bool) { return n%2 == 1, false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			theirs := map[string]string{"podgate.dev/created-by": "other/" + vpc, "podgate.dev/gateway": "shop/gw", "podgate.dev/resource": "a.example.com"}
			if _, err := w.api.CreateService(t.Context(), &vpclattice.CreateServiceInput{Name: aws.String("k8s-theirs"), Tags: theirs}); err != nil {
				t.Fatal(err)
			}

			for _, step := range []struct {
				stack services.Stack
				want  []string
			}{
				{w.stack(services.Rule{Owner: "r", Match: all, Action: to("one", "two")}), []string{"a.example.com:80 /* of r: forward to k8s-one (1), k8s-two (0)"}},
				{w.stack(services.Rule{Owner: "q", Match: special, Action: to("three")}, services.Rule{Owner: "r", Match: all, Action: to("two", "one")}),
					[]string{"a.example.com:80 GET /a v: One of q: forward to k8s-three (0)", "a.example.com:80 /* of r: forward to k8s-two (1), k8s-one (0)"}},
				{w.stack(services.Rule{Owner: "r", Match: all, Action: services.Action{Answer: 500}}), []string{"a.example.com:80 /* of r: answer 500"}},
				{w.nothing(), nil},
			} {
				got := rules(w.reach(step.stack, dies))
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Fatal(diff)
				}
			}

			list, err := w.api.ListServices(t.Context(), &vpclattice.ListServicesInput{})
			if err != nil || len(list.Items) != 1 || *list.Items[0].Name != "k8s-theirs" {
				t.Errorf("services are %v, want somebody else's: %v", list, err)
			}
			groups, err := w.api.ListTargetGroups(t.Context(), &vpclattice.ListTargetGroupsInput{})
			if err != nil || len(groups.Items) > 0 {
				t.Errorf("target groups are %v, want none: %v", groups, err)
			}
		})
	}
}

// TestLaw13LatticeNames: somebody else's service or target group of a name that is wanted is told, and stays.
func TestLaw13LatticeNames(t *testing.T) {
	w := newWorld(t)
	if _, err := w.api.CreateService(t.Context(), &vpclattice.CreateServiceInput{Name: aws.String("k8s-a"), Tags: map[string]string{"podgate.dev/gateway": "shop/gw"}}); err != nil {
		t.Fatal(err)
	}
	seen := mustObserve(w, w.stack())
	if diff := cmp.Diff(map[string]string{"k8s-a": "shop/gw"}, seen.Foreign); diff != "" || len(seen.Services) > 0 {
		t.Errorf("services %v, foreign %s", seen.Services, diff)
	}
}
