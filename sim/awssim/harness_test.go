// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is a running simulator with an SDK client; every answer that any client
// of it gets is held to the service model.
type env struct {
	*testing.T
	sim     *Sim
	handler http.Handler
	elb     *elbv2.Client
	lattice *vpclattice.Client
	stop    func() // ends Run and waits for it
}

func start(t *testing.T, cfg Config) *env {
	t.Helper()
	if cfg.EC2.VPCs == nil {
		vpc := DefaultVPC(cmp.Or(cfg.Region, "eu-west-1"))
		vpc.SecurityGroups = []SecurityGroup{{ID: "sg-1", Name: "one"}, {ID: "sg-2", Name: "two"}, {ID: "sg-3", Name: "three"}}
		cfg.EC2.VPCs = []VPC{vpc}
	}
	if cfg.ACM.Certificates == nil {
		for _, id := range append([]string{"default", "one", "two", "three", "four"}, strings.Split("abcdefghijklmnopqrstuvwxyz", "")...) {
			cfg.ACM.Certificates = append(cfg.ACM.Certificates, Certificate{ID: id, KeyAlgorithm: "EC_prime256v1"})
		}
	}
	sim, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	e := &env{T: t, sim: sim}
	e.handler = e.checked(sim.Handler())
	e.elb = e.client("AKIATEST")
	e.lattice = e.latticeClient("AKIATEST")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	stopped := false
	e.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}

	t.Cleanup(e.stop)
	return e
}

// checked holds what next answers to the service model.
func (e *env) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		defer func() {
			for name, values := range recorder.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(recorder.Code)
			_, _ = w.Write(recorder.Body.Bytes())
		}()

		next.ServeHTTP(recorder, r)
		if strings.HasPrefix(r.URL.Path, "/_awssim/") {
			return
		}
		if r.URL.Path != "/" {
			for _, problem := range checkLatticeAnswer(r.Method, r.URL.EscapedPath(), recorder) {
				e.Errorf("answer to %s %s deviates from the service model: %s", r.Method, r.URL.Path, problem)
			}
			return
		}

		if target := r.Header.Get("X-Amz-Target"); target != "" {
			for _, problem := range checkACMAnswer(target, recorder) {
				e.Errorf("answer to %s deviates from the service model: %s", target, problem)
			}
			return
		}
		if r.Form.Get("Version") == ec2Version {
			for _, problem := range checkEC2Answer(r.Form.Get("Action"), recorder.Code, recorder.Body.Bytes()) {
				e.Errorf("answer to %s deviates from the service model: %s", r.Form.Get("Action"), problem)
			}
			return
		}
		for _, problem := range checkAnswer(r.Form.Get("Version"), r.Form.Get("Action"), recorder.Code, recorder.Body.Bytes()) {
			e.Errorf("answer to %s deviates from the service model: %s", r.Form.Get("Action"), problem)
		}
	})
}

// direct is a transport without a network, for use inside synctest.
type direct struct{ handler http.Handler }

func (d direct) Do(r *http.Request) (response *http.Response, err error) {
	recorder := httptest.NewRecorder()
	defer func() {
		switch problem := recover(); problem {
		case nil:
		case http.ErrAbortHandler:
			response, err = nil, io.ErrUnexpectedEOF
		default:
			panic(problem)
		}
	}()

	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}

	d.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func (e *env) config(key string) aws.Config {
	return aws.Config{
		Region:      e.sim.cfg.Region,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
		HTTPClient:  direct{e.handler},
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func (e *env) client(key string) *elbv2.Client {
	return elbv2.NewFromConfig(e.config(key), func(o *elbv2.Options) { o.BaseEndpoint = aws.String("http://awssim.invalid") })
}

func (e *env) sts(key string) *sts.Client {
	return sts.NewFromConfig(e.config(key), func(o *sts.Options) { o.BaseEndpoint = aws.String("http://awssim.invalid") })
}

// inBubble runs f in a bubble of fake time, without sockets.
func inBubble(t *testing.T, cfg Config, f func(e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.NoDataPath = true
		e := start(t, cfg)
		f(e)
		e.stop()
	})
}

// group makes a target group of ip targets; edit may change the request.
func (e *env) group(name string, edit ...func(*elbv2.CreateTargetGroupInput)) string {
	e.Helper()
	in := &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-0a1b2c3d4e5f60718"), TargetType: types.TargetTypeEnumIp,
	}
	for _, f := range edit {
		f(in)
	}
	out, err := e.elb.CreateTargetGroup(e.Context(), in)
	if err != nil {
		e.Fatal(err)
	}
	return *out.TargetGroups[0].TargetGroupArn
}

// network turns a group into one for a network load balancer.
func network(in *elbv2.CreateTargetGroupInput) { in.Protocol = types.ProtocolEnumTcp }

// balance makes a load balancer with a listener that forwards to a group, and
// returns the listener's ARN.
func (e *env) balance(group string, kind types.LoadBalancerTypeEnum) string {
	e.Helper()
	protocol := types.ProtocolEnumHttp
	if kind == types.LoadBalancerTypeEnumNetwork {
		protocol = types.ProtocolEnumTcp
	}
	return e.listen(e.balancer("web", kind), protocol, 80, forwardTo(group))
}

func (e *env) balancer(name string, kind types.LoadBalancerTypeEnum) string {
	e.Helper()
	out, err := e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{Name: &name, Type: kind, Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		e.Fatal(err)
	}
	return *out.LoadBalancers[0].LoadBalancerArn
}

func (e *env) listen(balancer string, protocol types.ProtocolEnum, port int32, action types.Action) string {
	e.Helper()
	in := &elbv2.CreateListenerInput{LoadBalancerArn: &balancer, Protocol: protocol, Port: &port, DefaultActions: []types.Action{action}}
	if protocol == types.ProtocolEnumHttps || protocol == types.ProtocolEnumTls {
		in.Certificates = certificates("default")
	}

	out, err := e.elb.CreateListener(e.Context(), in)
	if err != nil {
		e.Fatal(err)
	}
	return *out.Listeners[0].ListenerArn
}

// certificates are certificates in ACM, by their ids.
func certificates(ids ...string) []types.Certificate {
	var list []types.Certificate
	for _, id := range ids {
		list = append(list, types.Certificate{CertificateArn: aws.String("arn:aws:acm:eu-west-1:123456789012:certificate/" + id)})
	}
	return list
}

func forwardTo(group string) types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}
}

// used makes a group behind an application load balancer.
func (e *env) used(edit ...func(*elbv2.CreateTargetGroupInput)) string {
	e.Helper()
	g := e.group("web", edit...)
	e.balance(g, types.LoadBalancerTypeEnumApplication)
	return g
}

func described(targets ...Target) []types.TargetDescription {
	var list []types.TargetDescription
	for _, t := range targets {
		d := types.TargetDescription{Id: aws.String(t.ID)}
		if t.Port != 0 {
			d.Port = aws.Int32(int32(t.Port))
		}
		list = append(list, d)
	}
	return list
}

func (e *env) register(group string, targets ...Target) {
	e.Helper()
	if _, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: described(targets...)}); err != nil {
		e.Fatal(err)
	}
}

func (e *env) deregister(group string, targets ...Target) {
	e.Helper()
	if _, err := e.elb.DeregisterTargets(e.Context(), &elbv2.DeregisterTargetsInput{TargetGroupArn: &group, Targets: described(targets...)}); err != nil {
		e.Fatal(err)
	}
}

func (e *env) script(group string, script Script) {
	e.Helper()
	if err := e.sim.SetHealth(group, nil, script); err != nil {
		e.Fatal(err)
	}
}

func (e *env) attribute(group, key, value string) {
	e.Helper()
	_, err := e.elb.ModifyTargetGroupAttributes(e.Context(), &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
	})
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) describe(group string, targets ...Target) []types.TargetHealthDescription {
	e.Helper()
	out, err := e.elb.DescribeTargetHealth(e.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: described(targets...)})
	if err != nil {
		e.Fatal(err)
	}
	return out.TargetHealthDescriptions
}

// states are the states of a group's rows, by address and port as the API
// lists them.
func (e *env) states(group string) map[Target]string {
	e.Helper()
	states := map[Target]string{}
	for _, d := range e.describe(group) {
		states[Target{ID: *d.Target.Id, Port: int(aws.ToInt32(d.Target.Port))}] = string(d.TargetHealth.State)
	}
	return states
}

// raw posts a form as a signed client would, and answers status and body.
func (e *env) raw(form url.Values) (int, string) {
	e.Helper()
	return e.rawAs("elasticloadbalancing", form)
}

func (e *env) rawAs(service string, form url.Values) (int, string) {
	e.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewBufferString(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20240101/"+e.sim.cfg.Region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	recorder := httptest.NewRecorder()
	e.handler.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

// codeOf is the service's code of an error; empty when there is none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// patience is how long a test waits for something that should not take long.
const patience = 20 * time.Second

// until waits for something that really takes time, such as a socket.
func (e *env) until(what string, done func() bool) {
	e.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			e.Fatalf("timed out waiting until %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
