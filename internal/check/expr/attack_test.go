// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/cel/environment"
)

// enough is how long a compilation or an evaluation may take on a busy machine. Without bounds each of these takes much longer.
const enough = 10 * time.Second

// repeated is a text, and then others of which there are as many as fit into an expression with the end and are not too deep.
func repeated(begin, each, end string) string {
	n := min(maxDepth-4, (maxLength-len(begin)-len(end))/len(each))
	return begin + strings.Repeat(each, n) + end
}

// body is one that fills what is read of responses.
func body(part string) HTTPResponse {
	return HTTPResponse{Status: 200, Body: []byte(strings.Repeat(part, (64<<10)/len(part)))}
}

// TestRefusedExpressions: no single step of these can be bounded by cost or time, so they are not compiled.
func TestRefusedExpressions(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		text   string
		want   string
	}{
		"Replace":       {reason: "64 KiB times 64 KiB.", text: "response.body.replace('', response.body) == ''", want: "replace is not available in checks"},
		"Join":          {reason: "64 KiB times 64 KiB.", text: "response.body.split('').join(response.body) == ''", want: "join is not available in checks"},
		"Format":        {reason: "A precision is a length.", text: "'%.999999999f'.format([1.0]) == ''", want: "format is not available in checks"},
		"Range":         {reason: "A number becomes as many elements.", text: "lists.range(1000000000).size() == 1", want: "range is not available in checks"},
		"Sets":          {reason: "Each with each.", text: "sets.contains(response.body.split(''), response.body.split(''))", want: "sets.contains is not available in checks"},
		"SetsRootless":  {reason: "The same.", text: ".sets.contains(response.body.split(''), response.body.split(''))", want: "sets.contains is not available in checks"},
		"Distinct":      {reason: "Each with each.", text: "response.body.split('').distinct().size() == 1", want: "distinct is not available in checks"},
		"IndexOf":       {reason: "Each with each.", text: "response.body.indexOf(response.body.substring(1)) == 1", want: "indexOf is not available in checks"},
		"Flatten":       {reason: "It is not charged.", text: "[[1]].flatten().size() == 1", want: "flatten is not available in checks"},
		"Find":          {reason: "Its pattern is not bounded.", text: "response.body.find('(a*)*b') == ''", want: "find is not available in checks"},
		"FindAll":       {reason: "Its pattern is not bounded.", text: "response.body.findAll('(a*)*b').size() == 1", want: "findAll is not available in checks"},
		"Pattern":       {reason: "A pattern of the pod's own.", text: "'a'.matches(response.body)", want: "the pattern of matches has to be a literal"},
		"PatternGlobal": {reason: "The same.", text: "matches('a', response.body)", want: "the pattern of matches has to be a literal"},
		"PatternSum":    {reason: "It is no literal either.", text: "response.body.matches('a' + '.*')", want: "the pattern of matches has to be a literal"},
		"PatternSize":   {reason: "It has 16,000 instructions.", text: repeated("response.body.matches('", ".{1,999}", "')"), want: "it is too large"},
		"PatternDyn":    {reason: "The same, on what has no type.", text: repeated("response.json.matches('", ".{1,999}", "')"), want: "it is too large"},
		"OptMap":        {reason: "It is repeated within itself when it is expanded.", text: repeated("optional.of(1)", ".optMap(a,a)", ".hasValue()"), want: "optMap is not available in checks"},
		"OptFlatMap":    {reason: "The same.", text: repeated("optional.of(1)", ".optFlatMap(a,optional.of(a))", ".hasValue()"), want: "optFlatMap is not available in checks"},
		"Lists":         {reason: "Lists in lists double at each step.", text: repeated("[1]", ".map(a,[a,a])", " == []"), want: "cannot be in another one"},
		"ListsOfLists":  {reason: "So they do without brackets.", text: repeated("[['a'],['b']]", ".map(a,a.map(b,a))", " == []"), want: "cannot be in another one"},
		"Maps":          {reason: "So do maps.", text: repeated("[1]", ".map(a,{1:[a]})", " == []"), want: "cannot be in another one"},
		"Transform":     {reason: "So do they.", text: "{1: 1}.transformMap(k, v, {1: v, 2: v}) == {}", want: "transformMap is not available in checks"},
		"Sum":           {reason: "It is not known what is added, and so not charged.", text: repeated("['a']", ".map(a,string(response.json+response.json))", " == []"), want: "it is not known what + adds"},
		"Struct":        {reason: "Protocol buffers are lists and maps, too.", text: "google.protobuf.ListValue{values: []} == []", want: "types cannot be constructed"},
		"TimeZone":      {reason: "It is read from a file.", text: "timestamp('2026-01-01T00:00:00Z').getHours('Asia/Tokyo') == 1", want: "getHours is not available in checks"},
		"Depth":         {reason: "The types of lists in lists take long to check.", text: strings.Repeat("[", 200) + strings.Repeat("]", 200) + " == []", want: "nested too deep"},
		"DepthChain":    {reason: "So do those of calls.", text: "[1]" + strings.Repeat(".map(a,[a,a])", 70) + " == []", want: "nested too deep"},
		"Dyn":           {reason: "It hides types.", text: "dyn(response.body) == 1", want: "dyn is not available in checks"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			if _, err := Compile(tc.text, all...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\n%s: got the error %v, want %s", tc.reason, tc.text, err, tc.want)
			}
			if took := time.Since(began); took > enough {
				t.Errorf("%s\nit took %s", tc.reason, took)
			}
		})
	}
}

// TestExpressionsThatBlowUp: what can be bounded is cut by cost, or in time, and the answer tells nothing.
func TestExpressionsThatBlowUp(t *testing.T) {
	objects := make([]map[string]any, 200)
	for i := range objects {
		objects[i] = map[string]any{"spec": map[string]any{"text": strings.Repeat("a", 4<<10)}}
	}
	deep := strings.Repeat("[", 9999) + strings.Repeat("]", 9999)

	for name, tc := range map[string]struct {
		reason string
		text   string
		in     Input
	}{
		"Nested":        {reason: "200 to the fourth steps.", text: "objects.all(a, objects.all(b, objects.all(c, objects.all(d, a == b || c == d || true))))", in: Input{Objects: objects}},
		"NestedExists":  {reason: "None of them ends early.", text: "objects.exists(a, objects.exists(b, objects.exists(c, a.x == b.x && b.x == c.x)))", in: Input{Objects: objects}},
		"Characters":    {reason: "64 Ki elements, each with each.", text: "response.body.split('').all(a, response.body.split('').all(b, a == b))", in: Input{Response: body("a")}},
		"Doubling":      {reason: "A text doubles at each step.", text: repeated("[response.body]", ".map(a,a+a)", " == []"), in: Input{Response: body("a")}},
		"DoublingSplit": {reason: "The same, with another name for it.", text: "(response.body+response.body).split('#').exists(a, (a+a).split('#').exists(b, (b+b).split('#').exists(c, (c+c).split('#').exists(d, (d+d).split('#').exists(e, (e+e).split('#').exists(f, (f+f+f+f).contains(f+f)))))))", in: Input{Response: body("a")}},
		"Pattern":       {reason: "All states are alive at all characters.", text: "response.body.matches('(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b')", in: Input{Response: body("a")}},
		"PatternLarge":  {reason: "It has nearly as many instructions as it may.", text: "response.body.matches('.{1,450}b')", in: Input{Response: body("a")}},
		"PatternDyn":    {reason: "What has no type is bounded, too.", text: "response.json.matches('.{1,450}b')", in: Input{Response: HTTPResponse{Body: []byte(`"` + strings.Repeat("a", 60<<10) + `"`)}}},
		"PatternGlobal": {reason: "So is the other way to call it.", text: "matches(response.body, '.{1,450}b')", in: Input{Response: body("a")}},
		"Deep":          {reason: "It is compared again and again.", text: "response.json == response.json && [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(a, response.body.split('').all(b, response.json == response.json))", in: Input{Response: HTTPResponse{Body: []byte(deep)}}},
		"TooDeep":       {reason: "Nobody reads that far.", text: "response.json == []", in: Input{Response: body("[")}},
		"Quantity":      {reason: "It is divided by a number of a thousand million digits.", text: "quantity('1e-999999999').isGreaterThan(quantity('1'))"},
		"QuantityUpper": {reason: "The same.", text: "quantity('1E-999999999').isGreaterThan(quantity('1'))"},
		"IsQuantity":    {reason: "The same.", text: "isQuantity('1e-999999999')"},
		"QuantityLeast": {reason: "An exponent has two digits.", text: "isQuantity('1e-100')"},
		"QuantityLong":  {reason: "Nobody writes that many digits.", text: "quantity(response.body).isGreaterThan(quantity('1'))", in: Input{Response: body("9")}},
		"QuantityDyn":   {reason: "What has no type is bounded, too.", text: "isQuantity(response.json.q)", in: Input{Response: HTTPResponse{Body: []byte(`{"q": "1e-999999999"}`)}}},
		"Contains":      {reason: "A long text in a longer one.", text: "(response.body + 'b').contains(response.body.substring(1) + 'b')", in: Input{Response: body("a")}},
		"Sums":          {reason: "A list of many parts is no list to walk.", text: repeated("(objects", "+objects", ").all(a, a.spec.text.contains(a.spec.text))"), in: Input{Objects: objects}},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := Compile(tc.text, all...)
			if err != nil {
				t.Fatalf("%s: %v", tc.text, err)
			}

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err = program.Passes(t.Context(), tc.in)
			took := time.Since(began)
			runtime.ReadMemStats(&after)

			if !errors.Is(err, ErrFailed) || err.Error() != ErrFailed.Error() {
				t.Errorf("%s\ngot the error %v", tc.reason, err)
			}
			if took > enough {
				t.Errorf("%s\nit took %s", tc.reason, took)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > 200<<20 {
				t.Errorf("%s\nit made %d MiB", tc.reason, made>>20)
			}
			t.Logf("%s, %d KiB", took, (after.TotalAlloc-before.TotalAlloc)>>10)
		})
	}
}

// TestNothingOfTheExpressionsOwn: an expression has the variables that it is given, and no more.
func TestNothingOfTheExpressionsOwn(t *testing.T) {
	for _, name := range []string{"authorizer", "request", "oldObject", "params", "namespaceObject", "variables", "self", "env"} {
		if _, err := Compile(fmt.Sprintf("%s != null", name), all...); err == nil {
			t.Errorf("there is a variable %s", name)
		}
	}
}

// refused are the functions and macros of Kubernetes that expressions may not use, each of which was looked at.
var refused = set(
	// As long as one thing times another, or as a number says.
	"replace", "join", "lists.range", "format", "strings.quote", "flatten", "reverse", "slice", "sort", "@sortByAssociatedKeys", "sortBy", "isSorted",
	// It is not charged, and walks the whole text.
	"charAt",
	// Each with each.
	"distinct", "indexOf", "lastIndexOf", "includes", "sets.contains", "sets.equivalent", "sets.intersects",
	// Patterns that are not bounded.
	"find", "findAll",
	// Names for whole values.
	"optMap", "optFlatMap", "transformList", "transformMap", "transformMapEntry", "cel.@mapInsert",
	"optional.ofNonZeroValue", "optional.unwrap", "unwrapOpt",
	// Types, which expressions have no use for.
	"dyn", "type", "format.named", "validate",
	// Files with time zones.
	"getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds",
	// Authorizers, of which there are none.
	"allowed", "check", "errored", "error", "fieldSelector", "group", "labelSelector", "name", "namespace", "path", "reason", "resource", "serviceAccount", "subresource",
	// URLs, and what checks need not know of addresses.
	"url", "isURL", "getEscapedPath", "getHost", "getHostname", "getPort", "getQuery", "getScheme",
	"ip.isCanonical", "isGlobalUnicast", "isLinkLocalMulticast", "isLinkLocalUnicast", "isLoopback", "isUnspecified", "masked",
)

// TestEveryFunctionWasLookedAt: what a new version of the library brings is not available until somebody says what it costs.
func TestEveryFunctionWasLookedAt(t *testing.T) {
	env := environment.MustBaseEnvSet(compatibility).NewExpressionsEnv()
	names := map[string]bool{}
	for name := range env.Functions() {
		names[name] = true
	}
	for _, macro := range env.Macros() {
		names[macro.Function()] = true
	}

	for name := range names {
		internal := strings.HasPrefix(name, "@not") || strings.HasPrefix(name, "__") || name == "_in_" || name == "in" || strings.HasPrefix(name, "format.")
		if admitted[name] == refused[name] && !internal {
			t.Errorf("%s is admitted: %t, and refused: %t", name, admitted[name], refused[name])
		}
	}
	for _, list := range []map[string]bool{admitted, refused} {
		for name := range list {
			if !names[name] {
				t.Errorf("there is no %s", name)
			}
		}
	}
}

// FuzzExpression: whatever is written, compiling and evaluating it ends in time, and says no more than it may.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"value >= 0.99", "response.json.lag < 5 && response.headers['x-cache'] == 'warm'", "objects.map(o, int(o.n)).sum() == 3",
		"pod.status.containerStatuses.all(c, !has(c.allocatedResourcesStatus))", "response.json.?parts[?7].orValue('') == ''",
		"optional.of(1).hasValue() && [1, 2].filter(x, x > 1).size() == 1", "response.body.matches('^[a-z]+$') || {'a': 1}.a in [1, 2]",
		"quantity('1Gi').isGreaterThan(quantity('500Mi'))", "objects.all(i, o, o.n > i)", "{b'a': 1}.a == 1", "timestamp('2026-01-01T00:00:00Z') - duration('1h') < timestamp(0)",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		program, err := Compile(text, all...)
		if err == nil {
			if _, err := program.Passes(t.Context(), input()); err != nil && !errors.Is(err, ErrFailed) {
				t.Errorf("%q: %v", text, err)
			}
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", text, err)
		}
		if took := time.Since(began); took > enough {
			t.Errorf("%q: it took %s", text, took)
		}
	})
}
