// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

// traffic is a cluster whose load balancers get requests while something goes wrong, beside those of somebody else. When a test
// ends no request was lost, and what is somebody else's is as it was.
type traffic struct {
	*cluster
	pods    int
	servers []*http.Server
	flows   []*flow
}

func newTraffic(t *testing.T, change ...func(*awssim.Config)) *traffic {
	t.Helper()
	c := &traffic{cluster: newIngressCluster(t, append([]func(*awssim.Config){func(conf *awssim.Config) {
		conf.EphemeralPorts, conf.ProvisionDelay = true, 0
	}}, change...)...)}
	c.albClass()
	c.theirs()
	t.Cleanup(c.end)
	return c
}

// theirs makes a load balancer, with a rule and target groups, that is named like one of podgate's, and requests that it gets.
func (c *traffic) theirs() {
	c.Helper()
	must := func(err error) {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
	}
	name := aws.String("k8s-theirs-0123456789")
	lb, err := c.elb.CreateLoadBalancer(c.Context(), &elb.CreateLoadBalancerInput{Name: name, Subnets: []string{"subnet-1", "subnet-2"}})
	must(err)
	group, err := c.elb.CreateTargetGroup(c.Context(), &elb.CreateTargetGroupInput{
		Name: name, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String(ingressVPC), TargetType: elbtypes.TargetTypeEnumIp,
		HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(4), UnhealthyThresholdCount: aws.Int32(10),
		Tags: []elbtypes.Tag{{Key: aws.String("elbv2.k8s.aws/cluster"), Value: aws.String("another")}},
	})
	must(err)
	arn := group.TargetGroups[0].TargetGroupArn
	listener, err := c.elb.CreateListener(c.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: arn}},
	})
	must(err)
	c.byHand(*listener.Listeners[0].ListenerArn)
	ip, port := c.answering("theirs")
	_, err = c.elb.RegisterTargets(c.Context(), &elb.RegisterTargetsInput{TargetGroupArn: arn, Targets: []elbtypes.TargetDescription{{Id: &ip, Port: &port}}})
	must(err)
	dns := *lb.LoadBalancers[0].DNSName
	c.eventually("theirs serves", func() bool { return c.rows(*arn)[ip] == "healthy" && c.get(dns, "/") == "200 theirs" })
	c.flow(dns, "/", "200 theirs")

	before := c.describe(*lb.LoadBalancers[0].LoadBalancerArn, *arn)
	c.Cleanup(func() {
		if diff := cmp.Diff(before, c.describe(*lb.LoadBalancers[0].LoadBalancerArn, *arn)); diff != "" {
			c.Errorf("what is theirs changed (-was +is):\n%s", diff)
		}
	})
}

// byHand makes a rule of a listener, as a person does.
func (c *traffic) byHand(listener string) {
	c.Helper()
	if _, err := c.elb.CreateRule(c.Context(), &elb.CreateRuleInput{
		ListenerArn: &listener, Priority: aws.Int32(900), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/by-hand"}}},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("418")}}},
	}); err != nil {
		c.Fatal(err)
	}
}

// describe is all that AWS says of a load balancer and a target group.
func (c *traffic) describe(balancer, group string) string {
	c.Helper()
	ctx := context.WithoutCancel(c.Context())
	var all []any
	add := func(out any, err error) {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
		all = append(all, out)
	}
	lbs, err := c.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancer}})
	add(lbs.LoadBalancers, err)
	attributes, err := c.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &balancer})
	add(attributes.Attributes, err)
	tags, err := c.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{balancer, group}})
	add(tags.TagDescriptions, err)
	groups, err := c.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})
	add(groups.TargetGroups, err)
	ofGroup, err := c.elb.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &group})
	add(ofGroup.Attributes, err)
	health, err := c.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
	add(health.TargetHealthDescriptions, err)
	listeners, err := c.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &balancer})
	add(listeners.Listeners, err)
	for _, l := range listeners.Listeners {
		rules, err := c.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn})
		add(rules.Rules, err)
	}

	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// answering serves a text at an address of its own.
func (c *traffic) answering(text string) (ip string, port int32) {
	c.Helper()
	c.pods++
	ip = fmt.Sprintf("127.0.49.%d", c.pods)
	return ip, c.answeringAt(ip, text)
}

// answeringAt serves a text at a port of an address.
func (c *traffic) answeringAt(ip, text string) int32 {
	c.Helper()
	return c.serveAt(ip, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// serveAt serves at a port of an address.
func (c *traffic) serveAt(ip string, handler http.HandlerFunc) int32 {
	c.Helper()
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	go func() { _ = server.Serve(l) }()
	c.servers = append(c.servers, server)
	return int32(l.Addr().(*net.TCPAddr).Port)
}

// app makes a Service with a pod that answers with its name, and returns the pod's address.
func (c *traffic) app(name string) (*corev1.Service, string) {
	c.Helper()
	ip, port := c.answering(name)
	svc := c.nodePortService(name, port)
	c.pod(name, name, ip)
	return svc, ip
}

// expose makes an Ingress for a Service's port 80, whose targets are pods, with quick checks. Annotations are in pairs.
func (c *traffic) expose(name, service, path string, annotations ...string) *networkingv1.Ingress {
	c.Helper()
	return c.ingress(name, service, path, append([]string{
		"target-type", "ip", "healthcheck-interval-seconds", "5", "healthcheck-timeout-seconds", "4", "unhealthy-threshold-count", "10",
		"target-group-attributes", "deregistration_delay.timeout_seconds=5",
	}, annotations...)...)
}

// serves waits until an Ingress has a name and requests for a path are answered there, and has them go on to the end.
func (c *traffic) serves(ing *networkingv1.Ingress, path, want string) *flow {
	c.Helper()
	c.eventually(ing.Name+" has a name", func() bool { return c.hostname(ing) != "" })
	name := c.hostname(ing)
	c.eventually(path+" is answered with "+want, func() bool { return c.get(name, path) == want })
	return c.flow(name, path, want)
}

// annotate changes an annotation of an Ingress.
func (c *traffic) annotate(ing *networkingv1.Ingress, name, value string) {
	c.Helper()
	c.edit(ing, func() { ing.Annotations["alb.ingress.kubernetes.io/"+name] = value })
}

// edit changes an Ingress.
func (c *traffic) edit(ing *networkingv1.Ingress, change func()) {
	c.Helper()
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(ing), ing); err != nil {
		c.Fatal(err)
	}
	before := ing.DeepCopy()
	change()
	if err := c.kube.Patch(c.Context(), ing, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// get asks the load balancer of a name for a path.
func (c *traffic) get(name, path string) string {
	for _, l := range c.sim.Listeners() {
		if strings.EqualFold(l.DNSName, name) && l.Port == 80 {
			r, err := http.NewRequestWithContext(context.WithoutCancel(c.Context()), http.MethodGet, "http://"+l.Address+path, nil)
			if err != nil {
				return err.Error()
			}
			return answer(http.DefaultTransport, r)
		}
	}
	return "no listener"
}

// listener is the ARN of a listener of the load balancer of a name.
func (c *traffic) listener(name string, port int32) string {
	c.Helper()
	for _, l := range c.sim.Listeners() {
		if strings.EqualFold(l.DNSName, name) && l.Port == port {
			return l.ListenerARN
		}
	}
	c.Fatalf("%s has no listener for port %d", name, port)
	return ""
}

// answer is what a request is answered, by a connection of its own.
func answer(by http.RoundTripper, r *http.Request) string {
	r.Close = true
	resp, err := by.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// flow is requests for the same, one after the other.
type flow struct {
	what, want string
	ask        func() string
	cease      chan struct{}
	ended      chan struct{}
	asked      atomic.Int64
	lost       []string
}

// flow has requests for a path sent to a load balancer until the test ends.
func (c *traffic) flow(name, path, want string) *flow {
	return c.flowOf(path, want, func() string { return c.get(name, path) })
}

func (c *traffic) flowOf(what, want string, ask func() string) *flow {
	f := &flow{what: what, want: want, ask: ask, cease: make(chan struct{}), ended: make(chan struct{})}
	c.flows = append(c.flows, f)
	go f.run()
	return f
}

func (f *flow) run() {
	defer close(f.ended)
	for {
		select {
		case <-f.cease:
			return
		case <-time.After(10 * time.Millisecond):
		}
		at := time.Now()
		if got := f.ask(); got != f.want {
			f.lost = append(f.lost, at.Format("15:04:05.000 ")+got)
		}
		f.asked.Add(1)
	}
}

// stop ends the requests before what serves them is taken away.
func (f *flow) stop() {
	close(f.cease)
	<-f.ended
}

// goesOn waits until some more requests were answered.
func (c *traffic) goesOn() {
	c.Helper()
	for _, f := range c.flows {
		select {
		case <-f.ended:
		default:
			n := f.asked.Load() + 20
			c.eventually("requests for "+f.what+" go on", func() bool { return f.asked.Load() >= n })
		}
	}
}

// end ends the requests, and counts. What answers them ends after them.
func (c *traffic) end() {
	defer func() {
		for _, s := range c.servers {
			_ = s.Close()
		}
	}()
	for _, f := range c.flows {
		select {
		case <-f.ended:
		default:
			f.stop()
		}
		if len(f.lost) > 0 {
			c.Errorf("of %d requests for %s %d were not answered with %q: %q", f.asked.Load(), f.what, len(f.lost), f.want, f.lost[:min(5, len(f.lost))])
		}
	}
}

// mortal is the way of one process at a time to AWS and to the API server. The process dies when it has changed something at AWS,
// and never learns what it was answered.
type mortal struct {
	sim  http.Handler
	dead atomic.Bool
	mu   sync.Mutex
	died chan string
}

var errDead = errors.New("the process is dead")

// ServeHTTP is AWS.
func (m *mortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || m.dead.Load() {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form, _ := url.ParseQuery(string(body)) // ACM's are JSON, and read.
	operation := form.Get("Action")
	if operation == "" || strings.HasPrefix(operation, "Describe") {
		m.sim.ServeHTTP(w, r)
		return
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead.Load() {
		panic(http.ErrAbortHandler)
	}
	m.sim.ServeHTTP(httptest.NewRecorder(), r)
	m.dead.Store(true)
	m.died <- operation
	panic(http.ErrAbortHandler)
}

// to is the way to the API server.
func (m *mortal) to(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if m.dead.Load() {
			return nil, errDead
		}
		return next.RoundTrip(r)
	})
}

// TestIngressKilled: processes each of which dies once it has changed something at AWS, and never learns that it did, make,
// change and remove what Ingresses ask for. Nothing is made twice, and no request is lost.
func TestIngressKilled(t *testing.T) {
	c := newTraffic(t)
	m := &mortal{sim: c.sim.Handler(), died: make(chan string, 1)}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	c.cfg = rest.CopyConfig(c.cfg)
	c.cfg.WrapTransport = transport.Wrappers(c.cfg.WrapTransport, m.to)

	var killed []string
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			select {
			case operation := <-m.died:
				killed = append(killed, operation)
				c.stop()
				m.dead.Store(false)
				c.start()
			default:
			}
			if holds() {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("never happened: %s; killed by %q", what, killed)
			}
		}
	}
	group := []string{"group.name", c.ns}
	svc, ip := c.app("web")
	c.app("api")
	web, api := c.expose("web", "web", "/web", group...), c.expose("api", "api", "/api", group...)
	c.start()
	until("web is served", func() bool { return c.hostname(web) != "" && c.get(c.hostname(web), "/web") == "200 web" })
	until("api is served", func() bool { return c.hostname(api) != "" && c.get(c.hostname(api), "/api") == "200 api" })
	c.flow(c.hostname(web), "/web", "200 web")
	ofAPI := c.flow(c.hostname(api), "/api", "200 api")
	c.byHand(c.listener(c.hostname(web), 80))
	c.flow(c.hostname(web), "/by-hand", "418 ")

	// Another port of the pods is another target group, to which the requests move.
	before := arnsOf(c.bindings())
	svc.Spec.Ports[0].TargetPort = intstr.FromInt32(c.answeringAt(ip, "web"))
	if err := c.kube.Update(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	c.annotate(web, "load-balancer-attributes", "idle_timeout.timeout_seconds=30")
	until("the target group is another one", func() bool {
		now := arnsOf(c.bindings())
		return len(now) == 2 && !slices.Equal(now, before) && len(c.made()) == 5
	})
	ofAPI.stop()
	if err := c.kube.Delete(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	until("api goes", func() bool { return c.gone(api) && len(c.bindings()) == 1 && len(c.made()) == 4 })
	c.goesOn()
	t.Logf("killed by %q", killed)
	if len(killed) < 20 {
		t.Errorf("only %d processes were killed: %q", len(killed), killed)
	}
}

// arnsOf are the target groups of bindings.
func arnsOf(bindings []elbv2.TargetGroupBinding) []string {
	var arns []string
	for _, b := range bindings {
		arns = append(arns, b.Spec.TargetGroupARN)
	}
	slices.Sort(arns)
	return arns
}

// TestIngressThrottledAtFirst: while AWS throttles every call a new Ingress is made, slowly, and what serves is not touched.
func TestIngressThrottledAtFirst(t *testing.T) {
	c := newTraffic(t)
	c.app("old")
	old := c.expose("old", "old", "/")
	c.start()
	c.serves(old, "/", "200 old")

	if _, err := c.sim.AddFault(awssim.Fault{Error: &awssim.APIError{Code: "Throttling", Message: "Rate exceeded"}, DurationSeconds: 20}); err != nil {
		t.Fatal(err)
	}
	c.app("new")
	first := c.expose("new", "new", "/")
	c.serves(first, "/", "200 new")
	c.goesOn()
	if !slices.ContainsFunc(c.sim.Calls(0), func(call awssim.Call) bool { return call.ErrorCode == "Throttling" }) {
		t.Error("nothing was throttled")
	}
	c.eventually("each is made once", func() bool { return len(c.made()) == 6 && len(c.bindings()) == 2 })
}

// TestIngressSlowToShow: AWS shows late what was made, changed and deleted. Nothing is made twice, and no request is lost.
func TestIngressSlowToShow(t *testing.T) {
	c := newTraffic(t)
	for _, service := range []string{"elasticloadbalancing", "ec2"} {
		if _, err := c.sim.AddFault(awssim.Fault{Service: service, LagSeconds: 5}); err != nil {
			t.Fatal(err)
		}
	}
	svc, ip := c.app("web")
	c.app("api")
	web := c.expose("web", "web", "/", "group.name", c.ns, "group.order", "9")
	c.start()
	c.serves(web, "/", "200 web")

	api := c.expose("api", "api", "/api", "group.name", c.ns)
	ofAPI := c.serves(api, "/api", "200 api")
	before := arnsOf(c.bindings())
	svc.Spec.Ports[0].TargetPort = intstr.FromInt32(c.answeringAt(ip, "web"))
	if err := c.kube.Update(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	c.eventually("the target group is another one", func() bool {
		now := arnsOf(c.bindings())
		return len(now) == 2 && !slices.Equal(now, before)
	})
	ofAPI.stop()
	if err := c.kube.Delete(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	c.eventually("api goes", func() bool { return c.gone(api) && len(c.bindings()) == 1 && len(c.made()) == 4 })
	c.goesOn()
}

// TestIngressQuotaOfRules: what has no place at AWS is told so, whether podgate counts it or AWS does, and takes nothing from the
// others. It is served when there is place.
func TestIngressQuotaOfRules(t *testing.T) {
	c := newTraffic(t, func(conf *awssim.Config) { conf.Quotas.RulesPerBalancer = 2 })
	for _, name := range []string{"a", "b", "late"} {
		c.app(name)
	}
	a, b := c.expose("a", "a", "/a", "group.name", c.ns), c.expose("b", "b", "/b", "group.name", c.ns)
	c.start()
	c.serves(a, "/a", "200 a")
	ofB := c.serves(b, "/b", "200 b")

	// It is invalid first, so that it has no rule before it has all of them.
	many := c.expose("many", "late", "/many", "group.name", c.ns, "group.order", "-1", "scheme", "public")
	c.edit(many, func() {
		delete(many.Annotations, "alb.ingress.kubernetes.io/scheme")
		paths := &many.Spec.Rules[0].HTTP.Paths
		for n := range 300 { // of which five patterns go into a rule, two for each path
			further := *(*paths)[0].DeepCopy()
			further.Path = fmt.Sprintf("/many-%d", n)
			*paths = append(*paths, further)
		}
	})
	late := c.expose("late", "late", "/late", "group.name", c.ns)
	c.eventually("the one that asks for too much is told", func() bool { return c.event(many.Name, v1alpha1.ReasonLimitExceeded, "") })
	c.eventually("the one for which there is no place is told", func() bool { return c.event(late.Name, v1alpha1.ReasonLimitExceeded, "") })
	c.goesOn()
	if c.hostname(late) != "" {
		t.Errorf("the one without rules has the name %s", c.hostname(late))
	}
	if c.hostname(many) != "" || c.event(a.Name, v1alpha1.ReasonLoadBalancerFailed, "") || c.event(b.Name, v1alpha1.ReasonLoadBalancerFailed, "") {
		t.Errorf("the large one has the name %q, and others are told", c.hostname(many))
	}

	ofB.stop()
	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.serves(late, "/late", "200 late")
}

// TestIngressCertificateExpires: the listener has another certificate before its own expires; and where there is none, all else
// goes on, and it has the next one that there is.
func TestIngressCertificateExpires(t *testing.T) {
	const host = "tls.example.com"
	c := newTraffic(t, func(conf *awssim.Config) {
		conf.ACM = awssim.ACM{Certificates: []awssim.Certificate{{ID: "first", Domains: []string{host}, ValidDays: 1, KeyAlgorithm: "EC_prime256v1"}}}
	})
	first := "arn:aws:acm:" + region + ":123456789012:certificate/first"
	account := acm.New(acm.Options{Region: region, BaseEndpoint: c.elb.Options().BaseEndpoint, Credentials: c.elb.Options().Credentials})
	request := func() string {
		t.Helper()
		out, err := account.RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String(host), KeyAlgorithm: acmtypes.KeyAlgorithmEcPrime256v1})
		if err != nil {
			t.Fatal(err)
		}
		return *out.CertificateArn
	}
	ca, err := c.sim.CA()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)

	c.app("web")
	web := c.expose("web", "web", "/", "listen-ports", `[{"HTTP":80},{"HTTPS":443}]`)
	c.edit(web, func() { web.Spec.Rules[0].Host = host })
	c.start()
	c.eventually("web has a name", func() bool { return c.hostname(web) != "" })
	name := c.hostname(web)
	ask := func(port int32, config *tls.Config) func() string {
		scheme := map[int32]string{80: "http://", 443: "https://"}[port]
		at := ""
		for _, l := range c.sim.Listeners() {
			if l.ListenerARN == c.listener(name, port) {
				at = l.Address
			}
		}
		by := &http.Transport{TLSClientConfig: config}
		return func() string {
			r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, scheme+at+"/", nil)
			if err != nil {
				return err.Error()
			}
			r.Host = host
			return answer(by, r)
		}
	}
	plain, secure := ask(80, nil), ask(443, &tls.Config{ServerName: host, RootCAs: trusted})
	has := func() string {
		out, err := c.elb.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{c.listener(name, 443)}})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Listeners[0].Certificates[0].CertificateArn
	}
	c.eventually("both ports answer", func() bool { return plain() == "200 web" && secure() == "200 web" })
	c.flowOf("http", "200 web", plain)
	checked := c.flowOf("https", "200 web", secure)

	// A process that starts asks ACM at once.
	second := request()
	c.start()
	c.eventually("the listener has the second certificate", func() bool { return has() == second })
	expire := func(arn string) {
		t.Helper()
		if err := c.sim.ExpireCertificate(arn); err != nil {
			t.Fatal(err)
		}
	}
	expire(first)
	c.goesOn()

	checked.stop()
	expire(second)
	c.start()
	c.eventually("people are told", func() bool { return c.event(web.Name, v1alpha1.ReasonNoCertificate, "has expired") })
	if got := ask(443, &tls.Config{InsecureSkipVerify: true})(); got != "200 web" {
		t.Errorf("a client that checks nothing is answered %q", got)
	}
	third := request()
	c.start()
	c.eventually("the listener has the third certificate", func() bool { return has() == third })
	c.flowOf("https again", "200 web", secure)
	c.goesOn()
}

// TestIngressPeoplesMistakes: a member is made invalid, a Service is deleted and made again, and a load balancer is protected that
// is to go. What can be served is.
func TestIngressPeoplesMistakes(t *testing.T) {
	c := newTraffic(t)
	before := c.config
	c.config = func(cfg *manager.Config) {
		before(cfg)
		cfg.AbsenceGrace = time.Minute
	}
	for _, name := range []string{"a", "b", "other"} {
		c.app(name)
	}
	other := c.expose("other", "other", "/")
	a, b := c.expose("a", "a", "/a", "group.name", c.ns), c.expose("b", "b", "/b", "group.name", c.ns)
	c.start()
	c.serves(other, "/", "200 other")
	ofA, ofB := c.serves(a, "/a", "200 a"), c.serves(b, "/b", "200 b")
	name := c.hostname(a)

	c.edit(b, func() {
		b.Annotations["alb.ingress.kubernetes.io/scheme"] = "public"
		b.Spec.Rules[0].HTTP.Paths[0].Path = "/elsewhere"
	})
	c.edit(a, func() { a.Spec.Rules[0].HTTP.Paths = append(a.Spec.Rules[0].HTTP.Paths, pathOf(a, "/more")) })
	c.eventually("the member is told", func() bool { return c.event(b.Name, v1alpha1.ReasonInvalidAnnotation, "scheme") })
	c.eventually("the other one goes on changing", func() bool { return c.get(name, "/more") == "200 a" })
	c.goesOn()

	var svc corev1.Service
	if err := c.kube.Get(t.Context(), client.ObjectKey{Namespace: c.ns, Name: "a"}, &svc); err != nil {
		t.Fatal(err)
	}
	if err := c.kube.Delete(t.Context(), &svc); err != nil {
		t.Fatal(err)
	}
	c.eventually("people are told", func() bool { return c.event(a.Name, v1alpha1.ReasonPathNotServed, "") })
	c.goesOn()
	groups := arnsOf(c.bindings())
	c.nodePortService("a", svc.Spec.Ports[0].TargetPort.IntVal)
	c.eventually("its target group is a new one", func() bool {
		now := arnsOf(c.bindings())
		return len(now) == 3 && !slices.Equal(now, groups)
	})
	c.goesOn()

	// Deletion protection is a person's.
	lbs, err := c.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
	if err != nil {
		t.Fatal(err)
	}
	arn := lbs.LoadBalancers[slices.IndexFunc(lbs.LoadBalancers, func(lb elbtypes.LoadBalancer) bool { return strings.EqualFold(*lb.DNSName, name) })].LoadBalancerArn
	protection := elbtypes.LoadBalancerAttribute{Key: aws.String("deletion_protection.enabled"), Value: aws.String("true")}
	if _, err := c.elb.ModifyLoadBalancerAttributes(t.Context(), &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn, Attributes: []elbtypes.LoadBalancerAttribute{protection}}); err != nil {
		t.Fatal(err)
	}
	ofA.stop()
	ofB.stop()
	for _, ing := range []*networkingv1.Ingress{a, b} {
		if err := c.kube.Delete(t.Context(), ing); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually("whoever goes last is told", func() bool {
		return c.event(a.Name, v1alpha1.ReasonLoadBalancerHeld, "protect") || c.event(b.Name, v1alpha1.ReasonLoadBalancerHeld, "protect")
	})
	attributes, err := c.elb.DescribeLoadBalancerAttributes(t.Context(), &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: arn})
	if err != nil || !slices.ContainsFunc(attributes.Attributes, func(a elbtypes.LoadBalancerAttribute) bool { return *a.Key == *protection.Key && *a.Value == "true" }) {
		t.Errorf("the protection is %v, %v", attributes, err)
	}
	c.goesOn()
}

// TestIngressFinishesRequests: a Service is made again while a request is at a target of its old target group. The group stays in
// use until its targets have drained, so the request is answered.
func TestIngressFinishesRequests(t *testing.T) {
	c := newTraffic(t)
	before := c.config
	c.config = func(cfg *manager.Config) {
		before(cfg)
		cfg.AbsenceGrace = time.Minute
	}
	asked, release := make(chan struct{}, 1), make(chan struct{})
	c.pods++
	ip := fmt.Sprintf("127.0.49.%d", c.pods)
	port := c.serveAt(ip, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			asked <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "web")
	})
	svc := c.nodePortService("web", port)
	c.pod("web", "web", ip)
	web := c.expose("web", "web", "/", "target-group-attributes", "deregistration_delay.timeout_seconds=120")
	c.start()
	c.serves(web, "/", "200 web")
	old := arnsOf(c.bindings())[0]
	c.eventually("its target is healthy", func() bool { return c.rows(old)[ip] == "healthy" })

	answered := make(chan string, 1)
	go func() { answered <- c.get(c.hostname(web), "/slow") }()
	<-asked
	if err := c.kube.Delete(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	c.nodePortService("web", port)
	c.eventually("the target leaves its old target group", func() bool { return c.rows(old)[ip] != "healthy" })
	c.goesOn()
	close(release)
	if got := <-answered; got != "200 web" {
		t.Errorf("the request that was there is answered %q", got)
	}
	c.eventually("the old target group goes", func() bool {
		now := arnsOf(c.bindings())
		return len(now) == 1 && now[0] != old && len(c.made()) == 4
	})
}

// pathOf is the first path of an Ingress with another value.
func pathOf(ing *networkingv1.Ingress, path string) networkingv1.HTTPIngressPath {
	p := *ing.Spec.Rules[0].HTTP.Paths[0].DeepCopy()
	p.Path = path
	return p
}
