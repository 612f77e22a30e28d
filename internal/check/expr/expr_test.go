// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// all are the variables, for tests that do not ask which there are.
var all = []Variable{Pod, Response, Value, Object, Objects}

// input has a value for each of them.
func input() Input {
	return Input{
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "shop", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"cni": "ready"}},
			Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "web"}}},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}},
				Conditions: []corev1.PodCondition{{Type: "targets.podgate.dev/web", Status: "True"}, {Type: corev1.ContainersReady, Status: "True"}},
				ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Ready: true, RestartCount: 2, Image: "web:1", ImageID: "sha256:1", AllocatedResourcesStatus: []corev1.ResourceStatus{
					{Name: "example.com/gpu", Resources: []corev1.ResourceHealth{{ResourceID: "0", Health: corev1.ResourceHealthStatusUnhealthy}}},
				}}, {Name: "proxy"}},
			},
		},
		Response: HTTPResponse{
			Status: 200,
			Header: http.Header{"X-Cache": {"warm"}, "Vary": {"a", "b"}},
			Body:   []byte(`{"lag": 3, "share": 0.5, "ready": true, "parts": ["a", "b"], "none": null}`),
		},
		Value: 0.995,
		Object: map[string]any{
			"metadata": map[string]any{"generation": int64(3)},
			"status":   map[string]any{"observedGeneration": int64(3), "conditions": []any{map[string]any{"type": "Complete", "status": "True"}}},
		},
		Objects: []map[string]any{{"n": int64(1)}, {"n": int64(2)}},
	}
}

// eval compiles and evaluates an expression.
func eval(t *testing.T, text string, in Input) (bool, error) {
	t.Helper()
	program, err := Compile(text, all...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return program.Passes(t.Context(), in)
}

// TestPasses: expressions that people write.
func TestPasses(t *testing.T) {
	const healthy = "pod.status.containerStatuses.all(c, !has(c.allocatedResourcesStatus) || c.allocatedResourcesStatus.all(r, r.resources.all(x, x.health != 'Unhealthy')))"
	for text, want := range map[string]bool{
		"true":                 true,
		"false":                false,
		"value >= 0.99":        true,
		"value > 1":            false,
		"value * 100.0 > 99.0": true,

		"response.status >= 200 && response.status < 300":                                  true,
		"response.status in [503, 504]":                                                    false,
		"response.headers['x-cache'] == 'warm'":                                            true,
		"response.headers['X-Cache'] == 'warm' && 'X-CACHE' in response.headers":           true,
		"has(response.headers.Vary) && response.headers.vary == 'a, b'":                    true,
		"has(response.headers.Age)":                                                        false,
		"'age' in response.headers || response.headers.exists(h, h == 'x-cache')":          true,
		"response.body.contains('ready') && response.body.matches('\"lag\": [0-9]{1,2},')": true,
		"response.json.lag < 5 && response.json.lag + 1 == 4":                              true,
		"response.json.share >= 0.5 && response.json.ready":                                true,
		"response.json.ready":                                                              true,
		"response.json.parts.exists(p, p == 'b') && response.json.none == null":            true,
		"response.json.?parts[?7].orValue('') == ''":                                       true,
		"size(response.json.parts) == 2 && response.json.parts.map(p, p + '!')[0] == 'a!'": true,

		"object.status.observedGeneration == object.metadata.generation":                 true,
		"object.status.conditions.exists(c, c.type == 'Complete' && c.status == 'True')": true,
		"objects.all(o, o.n > 0) && objects.map(o, int(o.n)).sum() == 3":                 true,
		"objects.filter(o, o.n > 1).size() == 1":                                         true,

		healthy: false,
		"pod.status.containerStatuses.all(c, c.ready)":                                                          false,
		"pod.status.containerStatuses.exists_one(c, c.restartCount > 1)":                                        true,
		"pod.metadata.annotations['cni'] == 'ready' && pod.metadata.labels.app == 'web'":                        true,
		"pod.spec.nodeName == 'node-1' && isIP(pod.status.podIPs[0].ip)":                                        true,
		"pod.status.conditions.filter(c, c.type.startsWith('targets.podgate.dev/')).all(c, c.status == 'True')": true,
		"has(pod.metadata.annotations.gone)":                                                                    false,
		"isQuantity('1.5e3') && isQuantity('1e-99') && isQuantity('2E') && !isQuantity('x')":                    true,
		"quantity('1e3').compareTo(quantity('1k')) == 0 && quantity('250m').asApproximateFloat() == 0.25":       true,
		"quantity('1Gi').isGreaterThan(quantity('500Mi')) && semver('1.2.3').major() == 1":                      true,
	} {
		if got, err := eval(t, text, input()); err != nil || got != want {
			t.Errorf("%s\ngot %t and the error %v", text, got, err)
		}
	}
}

// TestLaw1WhatFailsIsNoAnswer: an expression that cannot be evaluated opens nothing and closes nothing, and tells nothing.
func TestLaw1WhatFailsIsNoAnswer(t *testing.T) {
	absent := input()
	absent.Response.Body, absent.Pod = []byte("secret-not-json"), nil
	binary := input()
	binary.Response.Body = []byte{'a', 0xff}
	large := input()
	large.Pod.Annotations = map[string]string{"secret": strings.Repeat("a", maxAnnotations)}

	for name, tc := range map[string]struct {
		reason string
		text   string
		in     Input
	}{
		"Field":        {reason: "There is no such field.", text: "pod.status.reason == 'secret'", in: input()},
		"Image":        {reason: "Images are not to be seen.", text: "pod.status.containerStatuses[0].image == 'web:1'", in: input()},
		"Containers":   {reason: "The template is not to be seen.", text: "pod.spec.containers.size() == 1", in: input()},
		"Key":          {reason: "There is no such key.", text: "pod.metadata.annotations['secret'] == ''", in: input()},
		"Header":       {reason: "There is no such header.", text: "response.headers['secret'] == ''", in: input()},
		"Index":        {reason: "The list is shorter.", text: "objects[7].n == 1", in: input()},
		"Type":         {reason: "A text has no order with numbers.", text: "response.json.parts[0] < 5", in: input()},
		"NotBool":      {reason: "The result is a number.", text: "response.json.lag", in: input()},
		"NotJSON":      {reason: "The body is none.", text: "response.json.lag < 5", in: absent},
		"NoJSON":       {reason: "Nor is there any field.", text: "!has(response.json.lag)", in: absent},
		"Binary":       {reason: "The body is not text.", text: "!response.body.contains('x')", in: binary},
		"NoPod":        {reason: "Nothing is known of a pod.", text: "pod.metadata.name != ''", in: absent},
		"Division":     {reason: "By nothing.", text: "1 / (size(objects) - 2) == 1", in: input()},
		"Annotations":  {reason: "They are not to be seen, so nobody knows that one is absent.", text: "!('hold' in pod.metadata.annotations)", in: large},
		"Annotations2": {reason: "They are not to be seen, so nobody knows that one is absent.", text: "!has(pod.metadata.annotations.hold)", in: large},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := Compile(tc.text, all...)
			if err != nil {
				t.Fatal(err)
			}
			if got := program.Answer(t.Context(), tc.in); got != (check.Answer{Word: check.ExpressionFailed}) {
				t.Errorf("%s\ngot %s (%s)", tc.reason, got.Verdict, got.Word)
			}
			if _, err := program.Passes(t.Context(), tc.in); !errors.Is(err, ErrFailed) || err.Error() != ErrFailed.Error() {
				t.Errorf("%s\nthe error %v tells more", tc.reason, err)
			}
		})
	}
}

// TestAnswer: what a check says that is nothing but its expression.
func TestAnswer(t *testing.T) {
	for text, want := range map[string]check.Answer{
		"value > 0.0": {Verdict: check.Pass, Word: check.ExpressionTrue},
		"value < 0.0": {Verdict: check.Fail, Word: check.ExpressionFalse},
	} {
		program, err := Compile(text, Value)
		if err != nil {
			t.Fatal(err)
		}
		if got := program.Answer(t.Context(), input()); got != want {
			t.Errorf("%s: got %s (%s)", text, got.Verdict, got.Word)
		}
	}
}

// TestInvalidExpressions: the author is told what is wrong, and where, in one line.
func TestInvalidExpressions(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "column 1: Syntax error: mismatched input '<EOF>'",
		"value >":                       "column 8: Syntax error: ",
		"value >= 1 &&\n valu < 2.0":    "line 2, column 2: undeclared reference to 'valu'",
		"pod.status.phase == 'Running'": "column 1: undeclared reference to 'pod'",
		"value.status":                  "column 6: type 'double' does not support field selection",
		"value":                         "the result is not true or false, but of the type double",
		"{b'a': 1}.a == 1":              "the expression cannot be compiled",
		"'a'.matches('(')":              "column 13: invalid matches argument",
		"authorizer.path('/').check('get').allowed()": "column 42: allowed is not available in checks",
		strings.Repeat("ä", 1025):                     "the expression has 1025 characters, and may have 1024",
	} {
		_, err := Compile(text, Value)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngot %v\nwant %s", text, err, want)
		}
	}

	if _, err := Compile("response.staus == 200", Response); err == nil || err.Error() != "column 9: undefined field 'staus'" {
		t.Errorf("got %v", err)
	}
	if _, err := Compile("true || "+strings.Repeat("ä", 1000-len("true || ''"))+"''", Value); err == nil {
		t.Error("this is no expression")
	}
	if _, err := Compile("'"+strings.Repeat("ä", 1024-len("''!='a'"))+"'!='a'", Value); err != nil {
		t.Errorf("1024 characters: %v", err)
	}
}

// TestReads: a text or a field that is called like a variable is none.
func TestReads(t *testing.T) {
	for text, want := range map[string]bool{
		"value < 1.0":                                      false,
		"value < 1.0 && 'pod' == \"pod\"":                  false,
		"object.pod == 'pod'":                              false,
		"value < 1.0 || pod.metadata.name == 'web-0'":      true,
		"object.spec.names.exists(n, n == .pod.spec.node)": true,
	} {
		program, err := Compile(text, Value, Object, Pod)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := program.Reads(Pod); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
}

// TestReadsBody: bodies are fetched only for expressions that may look at them.
func TestReadsBody(t *testing.T) {
	for text, want := range map[string]bool{
		"response.status == 200":                            false,
		"response.headers['a'] == 'body'":                   false,
		"pod.body == 'a' && response.status == 200":         false,
		"response.body == ''":                               true,
		".response.body == ''":                              true,
		"has(response.body)":                                true,
		"response.status == 200 || response.json.ready":     true,
		"response == response":                              true,
		"[response].exists(r, r.body == '')":                true,
		"pod.status.conditions.all(c, response.body == '')": true,
	} {
		program, err := Compile(text, Response, Pod)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := program.ReadsBody(); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
}

// TestEndedContext: a caller that gave up gets its own error, and no answer.
func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	program, err := Compile("true")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := program.Passes(ctx, Input{}); got || !errors.Is(err, context.Canceled) {
		t.Errorf("got %t and the error %v", got, err)
	}
}

// TestConcurrentUse: one program, several pods at once.
func TestConcurrentUse(t *testing.T) {
	program, err := Compile("pod.metadata.name == 'web-1' && response.json.lag == 3", all...)
	if err != nil {
		t.Fatal(err)
	}

	var calls sync.WaitGroup
	for i := range 8 {
		calls.Go(func() {
			in := input()
			if i%2 == 1 {
				in.Pod.Name = "web-2"
			}
			for range 200 {
				if got, err := program.Passes(t.Context(), in); err != nil || got != (i%2 == 0) {
					t.Errorf("got %t and the error %v", got, err)
				}
			}
		})
	}
	calls.Wait()
}

// BenchmarkPod measures one evaluation about a pod.
func BenchmarkPod(b *testing.B) {
	for name, text := range map[string]string{
		"None":   "true",
		"Pod":    "pod.status.containerStatuses.all(c, c.restartCount < 5)",
		"Health": "pod.status.containerStatuses.all(c, !has(c.allocatedResourcesStatus) || c.allocatedResourcesStatus.all(r, r.resources.all(x, x.health != 'Unhealthy')))",
	} {
		b.Run(name, func(b *testing.B) {
			program, err := Compile(text, Pod)
			if err != nil {
				b.Fatal(err)
			}
			in := input()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := program.Passes(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
