// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
	"github.com/podgate/podgate/internal/check/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// timeout is long enough for what does not hang, and an end for what does.
	timeout     = time.Second
	namespace   = "shop"
	secretQuery = "the_query"
)

// fake is a server with Prometheus' API, for what a real one does not do on demand.
type fake struct {
	*httptest.Server

	mu sync.Mutex
	// answer writes the answer to a query.
	answer func(w nethttp.ResponseWriter, r *nethttp.Request)
	// asked are the requests so far, with their forms.
	asked []*nethttp.Request
	// hanging counts the queries that hang, by the namespace that they are for, and most is the largest of these.
	hanging map[string]int
	most    int
	// release ends what hangs.
	release chan struct{}
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{release: make(chan struct{}), hanging: map[string]int{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() { close(f.release); f.Close() })
	return f
}

func started(t *testing.T) *fake {
	t.Helper()
	f := newFake(t)
	f.Start()
	return f
}

func (f *fake) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	_ = r.ParseForm()
	f.mu.Lock()
	f.asked = append(f.asked, r)
	answer := f.answer
	f.mu.Unlock()
	answer(w, r)
}

// does sets the answer.
func (f *fake) does(answer nethttp.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// hangs is an answer that does not come.
func (f *fake) hangs(_ nethttp.ResponseWriter, r *nethttp.Request) {
	f.mu.Lock()
	f.hanging[r.Form.Get("namespace")]++
	f.most = max(f.most, f.hanging[r.Form.Get("namespace")])
	f.mu.Unlock()

	select {
	case <-r.Context().Done():
	case <-f.release:
	}
}

// hang is how many queries have hung.
func (f *fake) hang() (all int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.hanging {
		all += n
	}
	return all
}

// count is how many requests there were.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// series are the labels and the value of each series of a vector.
type series struct {
	labels map[string]string
	value  string
}

func byPod(name, value string) series {
	return series{labels: map[string]string{"pod": name, "namespace": namespace}, value: value}
}

// says is an answer with a vector as of now.
func says(all ...series) nethttp.HandlerFunc { return saysAt(0, all...) }

// saysAt is an answer with a vector as of some time ago.
func saysAt(ago time.Duration, all ...series) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		result := []any{}
		for _, s := range all {
			at := float64(time.Now().Add(-ago).UnixMilli()) / 1000
			result = append(result, map[string]any{"metric": s.labels, "value": []any{at, s.value}})
		}
		data := map[string]any{"resultType": "vector", "result": result}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
	}
}

// raw is an answer with a status and a body.
func raw(status int, body string) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// isOne is the expression of most tests.
var isOne = compiled("value == 1.0")

func compiled(text string) *expr.Program {
	program, err := expr.Compile(text, expr.Value, expr.Pod)
	if err != nil {
		panic(err)
	}
	return program
}

// settings are those of a check by the label pod.
func settings() Settings {
	return Settings{Server: "main", Namespace: namespace, Query: secretQuery, PodLabel: "pod", NamespaceLabel: "namespace", Window: time.Minute, Expression: isOne}
}

// old is a pod of a ReplicaSet whose containers have been ready for long.
func old(name string) check.Subject { return readyFor(time.Hour, name, "ReplicaSet") }

// readyFor is a pod whose containers have been ready for some time.
func readyFor(d time.Duration, name, owner string) check.Subject {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			UID: types.UID("uid-of-" + name), Namespace: namespace, Name: name,
			OwnerReferences: []metav1.OwnerReference{{Kind: owner, Controller: new(true)}},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Now().Add(-d))},
		}},
	}
	return check.Subject{UID: pod.UID, Pod: pod, Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}
}

// labelled is the pod with these labels.
func labelled(pod check.Subject, labels map[string]string) check.Subject {
	pod.Pod.Labels = labels
	return pod
}

// servers are a server main, and its registry.
func servers(t *testing.T, flags ...string) *Servers {
	t.Helper()
	s, _ := registered(t, flags...)
	return s
}

func registered(t *testing.T, flags ...string) (*Servers, *prometheus.Registry) {
	t.Helper()
	var f Flag
	for _, text := range flags {
		if err := f.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	reg := prometheus.NewRegistry()
	s, err := New(f, reg)
	if err != nil {
		t.Fatal(err)
	}
	return s, reg
}

func checker(t *testing.T, s *Servers, settings Settings) Checker {
	t.Helper()
	c, err := s.Check(settings, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask asks about pods.
func ask(t *testing.T, c Checker, pods ...check.Subject) map[types.UID]check.Answer {
	t.Helper()
	answers, err := c.Check(t.Context(), pods)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(pods) {
		t.Fatalf("asked about %d pods, and got %d answers", len(pods), len(answers))
	}
	return answers
}

// askOne asks about one pod.
func askOne(t *testing.T, c Checker, pod check.Subject) check.Answer {
	t.Helper()
	return ask(t, c, pod)[pod.UID]
}

func TestConformance(t *testing.T) { conform(t, "pod") }

func TestConformanceUID(t *testing.T) { conform(t, UIDLabel) }

func conform(t *testing.T, label string) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		f := started(t)
		var mu sync.Mutex
		does, made := map[string]checktest.Behaviour{}, 0
		f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			mu.Lock()
			var all []series
			for key, behaviour := range does {
				value := map[checktest.Behaviour]string{checktest.Passes: "1", checktest.Fails: "0"}[behaviour]
				if value != "" {
					all = append(all, series{labels: map[string]string{label: key, "namespace": namespace}, value: value})
				}
			}
			mu.Unlock()
			says(all...)(w, r)
		})

		c := settings()
		c.PodLabel = label
		set := func(pod check.Subject, behaviour checktest.Behaviour) {
			mu.Lock()
			defer mu.Unlock()
			does[about{label: label}.key(pod)] = behaviour
		}

		return checktest.Harness{
			Checker: checker(t, servers(t, "main="+f.URL), c),
			Timeout: timeout,
			Asked:   f.count,
			Secrets: []string{secretQuery, strings.TrimPrefix(f.URL, "http://"), namespace},
			NewPod: func(*testing.T) check.Subject {
				made++
				pod := old(fmt.Sprintf("web-%d", made))
				set(pod, checktest.Fails)
				return pod
			},
			Set:        func(_ *testing.T, pod check.Subject, behaviour checktest.Behaviour) { set(pod, behaviour) },
			HangServer: func(*testing.T) { f.does(f.hangs) },
		}
	})
}

// TestLaw1OneSeriesIsAnAnswer: exactly one finite series about the very pod is an answer.
func TestLaw1OneSeriesIsAnAnswer(t *testing.T) {
	other := func(namespace string) series {
		return series{labels: map[string]string{"pod": "web-1", "namespace": namespace}, value: "1"}
	}
	named := func(labels map[string]string) []series { return []series{{labels: labels, value: "1"}} }
	for name, tc := range map[string]struct {
		reason   string
		series   []series
		settings func(*Settings)
		want     check.Answer
	}{
		"Pass":          {reason: "It is true.", series: []series{byPod("web-1", "1")}, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"Fail":          {reason: "It is false.", series: []series{byPod("web-1", "0")}, want: check.Answer{Verdict: check.Fail, Word: check.ExpressionFalse}},
		"Empty":         {reason: "Nothing was found.", want: check.Answer{Word: check.NoSeries}},
		"OtherPod":      {reason: "It is another pod's.", series: []series{byPod("web-10", "1")}, want: check.Answer{Word: check.NoSeries}},
		"OtherToo":      {reason: "One is this pod's.", series: []series{byPod("web-10", "0"), byPod("web-1", "1")}, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"Several":       {reason: "Nobody knows which one is meant.", series: []series{byPod("web-1", "1"), {labels: map[string]string{"pod": "web-1", "namespace": namespace, "container": "b"}, value: "1"}}, want: check.Answer{Word: check.SeveralSeries}},
		"NaN":           {reason: "It is no number.", series: []series{byPod("web-1", "NaN")}, want: check.Answer{Word: check.NotFinite}},
		"Inf":           {reason: "It is not finite.", series: []series{byPod("web-1", "+Inf")}, want: check.Answer{Word: check.NotFinite}},
		"MinusInf":      {reason: "It is not finite.", series: []series{byPod("web-1", "-Inf")}, want: check.Answer{Word: check.NotFinite}},
		"Namespace":     {reason: "It is a pod of another namespace.", series: []series{other("bank")}, want: check.Answer{Word: check.NoSeries}},
		"BothOfAName":   {reason: "One of them is this namespace's.", series: []series{other("bank"), other(namespace)}, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"NoNamespace":   {reason: "Nobody knows whose it is.", series: named(map[string]string{"pod": "web-1"}), want: check.Answer{Word: check.NoSeries}},
		"NamespacesOwn": {reason: "The server is the namespace's alone.", series: named(map[string]string{"pod": "web-1"}), settings: func(s *Settings) { s.NamespaceLabel = "" }, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"OtherLabels":   {reason: "The labels are called so.", series: named(map[string]string{"instance": "web-1", "ns": namespace}), settings: func(s *Settings) { s.PodLabel, s.NamespaceLabel = "instance", "ns" }, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"UID":           {reason: "The UID says it all.", series: named(map[string]string{"uid": "uid-of-web-1"}), settings: func(s *Settings) { s.PodLabel = UIDLabel }, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"OtherUID":      {reason: "It is another pod of that name.", series: named(map[string]string{"uid": "uid-of-web-0", "pod": "web-1", "namespace": namespace}), settings: func(s *Settings) { s.PodLabel = UIDLabel }, want: check.Answer{Word: check.NoSeries}},
		"Shared":        {reason: "It is one value for all.", series: named(nil), settings: func(s *Settings) { s.PodLabel = "" }, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"SharedNone":    {reason: "There is none.", settings: func(s *Settings) { s.PodLabel = "" }, want: check.Answer{Word: check.NoValue}},
		"SharedSeveral": {reason: "Nobody knows which one is meant.", series: []series{byPod("web-1", "1"), byPod("web-2", "1")}, settings: func(s *Settings) { s.PodLabel = "" }, want: check.Answer{Word: check.SeveralValues}},
		"PodsOwn":       {reason: "The expression sees the pod, too.", series: []series{byPod("web-1", "1")}, settings: func(s *Settings) { s.Expression = compiled("pod.metadata.name == 'web-1'") }, want: check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}},
		"Error":         {reason: "The expression cannot tell.", series: []series{byPod("web-1", "1")}, settings: func(s *Settings) { s.Expression = compiled("value == 1.0 && pod.metadata.nothing") }, want: check.Answer{Word: check.ExpressionFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := started(t), settings()
			f.does(says(tc.series...))
			if tc.settings != nil {
				tc.settings(&c)
			}
			if got := askOne(t, checker(t, servers(t, "main="+f.URL), c), old("web-1")); got != tc.want {
				t.Errorf("%s\nwant %+v\ngot  %+v", tc.reason, tc.want, got)
			}
		})
	}
}

// TestLaw1NothingKnownOfThePod: nobody is asked about a pod of which nothing is known.
func TestLaw1NothingKnownOfThePod(t *testing.T) {
	f := started(t)
	f.does(says(series{value: "1"}))
	c := settings()
	c.PodLabel = ""
	if got := askOne(t, checker(t, servers(t, "main="+f.URL), c), check.Subject{UID: "1"}); got != (check.Answer{Word: check.LooksBack}) || f.count() != 0 {
		t.Errorf("got %+v after %d queries", got, f.count())
	}
}

// TestLaw1PodsWithoutANameHaveNoSeries: a series without the label is nobody's.
func TestLaw1PodsWithoutANameHaveNoSeries(t *testing.T) {
	f := started(t)
	f.does(says(series{labels: map[string]string{"namespace": namespace}, value: "1"}))
	for _, label := range []string{"pod", UIDLabel} {
		c := settings()
		c.PodLabel = label
		nobody := old("")
		nobody.UID = ""
		if got := askOne(t, checker(t, servers(t, "main="+f.URL), c), nobody); got != (check.Answer{Word: check.NoSeries}) {
			t.Errorf("%s: got %+v", label, got)
		}
	}
}

// TestLaw8AnswersOfTheServer: all that is not a value is no answer.
func TestLaw8AnswersOfTheServer(t *testing.T) {
	now := time.Now().Add(time.Minute).Unix()
	for name, tc := range map[string]struct {
		answer nethttp.HandlerFunc
		want   check.Word
	}{
		"Invalid":      {raw(400, `{"status":"error","errorType":"bad_data","error":"the_query: parse error"}`), check.QueryInvalid},
		"Execution":    {raw(422, `{"status":"error","errorType":"execution","error":"many-to-many"}`), check.QueryFailed},
		"Cancelled":    {raw(422, `{"status":"error","errorType":"canceled","error":"x"}`), check.QueryFailed},
		"Timeout":      {raw(422, `{"status":"error","errorType":"timeout","error":"x"}`), check.AtServer(check.TimedOut)},
		"Unavailable":  {raw(503, `{"status":"error","errorType":"timeout","error":"x"}`), check.AtServer(check.HTTPStatus(503))},
		"Unauthorized": {raw(401, ``), check.AtServer(check.HTTPStatus(401))},
		"Forbidden":    {raw(403, ``), check.AtServer(check.HTTPStatus(403))},
		"NotFound":     {raw(404, ``), check.AtServer(check.HTTPStatus(404))},
		"Nothing":      {raw(204, ``), check.AtServer(check.HTTPStatus(204))},
		"Error":        {raw(200, `{"status":"error","errorType":"internal","error":"x"}`), check.AtServer(check.Malformed)},
		"HTML":         {raw(200, `<html>`), check.AtServer(check.Malformed)},
		"Half":         {raw(200, `{"status":"success","data":{"resultType":"vector","result":[`), check.AtServer(check.Malformed)},
		"NoData":       {raw(200, `{"status":"success"}`), check.NotAVector},
		"Matrix":       {raw(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`), check.NotAVector},
		"String":       {raw(200, `{"status":"success","data":{"resultType":"string","result":[1,"a"]}}`), check.AtServer(check.Malformed)},
		"Histogram":    {raw(200, fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"web-1","namespace":"shop"},"histogram":[%d,{"count":"1","sum":"1","buckets":[]}]}]}}`, now)), check.NotFinite},
		"Cut":          {cut, check.AtServer(check.Malformed)},
	} {
		t.Run(name, func(t *testing.T) {
			f := started(t)
			f.does(tc.answer)
			got := askOne(t, checker(t, servers(t, "main="+f.URL), settings()), old("web-1"))
			if got != (check.Answer{Word: tc.want}) {
				t.Errorf("got %s (%s), want %s", got.Verdict, got.Word, tc.want)
			}
		})
	}
}

// TestLaw1PartialAnswersAreNone: what is missing could be a second series of the pod. What only informs is no warning.
func TestLaw1PartialAnswersAreNone(t *testing.T) {
	const vector = `{"status":"success",%s"data":{"resultType":"vector","result":[{"metric":{"pod":"web-1","namespace":"shop"},"value":[%d,"1"]}]}}`
	for name, tc := range map[string]struct {
		says   string
		counts bool
	}{
		"Partial":     {says: `"warnings":["no store matched"],`},
		"Warning":     {says: `"warnings":["PromQL warning: mixed floats and histograms"],`},
		"SecondOne":   {says: `"warnings":["PromQL info: not a counter","results truncated due to limit"],`},
		"Information": {says: `"warnings":["PromQL info: metric might not be a counter"],`, counts: true},
		"Infos":       {says: `"infos":["PromQL info: metric might not be a counter"],`, counts: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := started(t)
			f.does(raw(200, fmt.Sprintf(vector, tc.says, time.Now().Unix())))
			got := askOne(t, checker(t, servers(t, "main="+f.URL), settings()), old("web-1"))
			if got.Verdict == check.NoAnswer && got.Word != check.Partial || (got.Verdict == check.Pass) != tc.counts {
				t.Errorf("got %s (%s)", got.Verdict, got.Word)
			}
		})
	}
}

// cut closes the connection in the middle of a response.
func cut(w nethttp.ResponseWriter, _ *nethttp.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"status":"success"`)
	panic(nethttp.ErrAbortHandler)
}

// TestLaw8NoServerIsNoFailure: what happens to the connection says nothing about pods either.
func TestLaw8NoServerIsNoFailure(t *testing.T) {
	f := newFake(t)
	f.StartTLS()
	f.does(says(byPod("web-1", "1")))
	for flag, want := range map[string]check.Word{
		"main=http://127.0.0.1:1":                             check.Refused,
		"main=http://nowhere.invalid":                         check.NameNotFound,
		"main=" + f.URL:                                       check.NotTrusted,
		"main=https://" + started(t).Listener.Addr().String(): check.TLSFailed,
	} {
		got := askOne(t, checker(t, servers(t, flag), settings()), old("web-1"))
		if got != (check.Answer{Word: check.AtServer(want)}) {
			t.Errorf("%s: got %s (%s), want %s", flag, got.Verdict, got.Word, want)
		}
	}
}

// TestLimits: an answer that is too large is none, and no memory.
func TestLimits(t *testing.T) {
	many := make([]series, maxSeries)
	for i := range many {
		many[i] = byPod(fmt.Sprintf("web-%d", i), "1")
	}
	tooLong := strings.Repeat(" ", maxBody)

	for name, tc := range map[string]struct {
		answer nethttp.HandlerFunc
		want   check.Word
	}{
		"Most":    {says(many...), check.ExpressionTrue},
		"TooMany": {says(append(many, byPod("one", "1"))...), check.TooManySeries},
		"TooLong": {func(w nethttp.ResponseWriter, r *nethttp.Request) {
			says(many...)(w, r)
			_, _ = io.WriteString(w, tooLong)
		}, check.TooManySeries},
		"LongHeader": {func(w nethttp.ResponseWriter, r *nethttp.Request) {
			w.Header().Set("X-A", strings.Repeat("a", 1<<20))
			says(many...)(w, r)
		}, check.AtServer(check.Malformed)},
	} {
		t.Run(name, func(t *testing.T) {
			f := started(t)
			f.does(tc.answer)
			c, err := servers(t, "main="+f.URL).Check(settings(), 20*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if got := askOne(t, c, old("web-1")); got.Word != tc.want {
				t.Errorf("got %s, want %s", got.Word, tc.want)
			}
		})
	}
}

func TestNoSuchServer(t *testing.T) {
	c := settings()
	c.Server = "other"
	if _, err := servers(t, "main=https://prom").Check(c, timeout); !strings.Contains(fmt.Sprint(err), `there is no such server: "other"`) {
		t.Errorf("got %v", err)
	}

	c = settings()
	c.Query = "up{pod=\"$(pod.nam)\"}"
	if _, err := servers(t, "main=https://prom").Check(c, timeout); !strings.Contains(fmt.Sprint(err), "$(pod.nam) is not a variable") {
		t.Errorf("got %v", err)
	}
}

func TestEmptyAnswersAreCounted(t *testing.T) {
	f := started(t)
	s, reg := registered(t, "main="+f.URL)
	c := checker(t, s, settings())
	for _, answer := range []nethttp.HandlerFunc{says(), says(byPod("web-2", "1")), says(), raw(500, "")} {
		f.does(answer)
		askOne(t, c, old("web-1"))
	}

	const want = "# HELP podgate_prometheus_empty_total Queries of checks that returned no series at all, by the server's name. When it grows, the query selects nothing, or the server lost its data.\n" +
		"# TYPE podgate_prometheus_empty_total counter\npodgate_prometheus_empty_total{server=\"main\"} 2\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// TestWindow: an answer counts when the query does not look back to before the containers were ready.
func TestLaw11Window(t *testing.T) {
	const slack = 2 * time.Second // for a busy machine, and for a server that knows no less than milliseconds
	for name, tc := range map[string]struct {
		reason   string
		ready    time.Duration
		returns  bool
		settings func(*Settings)
		ago      time.Duration
		want     check.Verdict
		unasked  bool
	}{
		"Ready":          {reason: "The window is over.", ready: time.Minute + slack, want: check.Pass},
		"Early":          {reason: "The query looks back to before.", ready: time.Minute - slack, unasked: true},
		"NotReady":       {reason: "The containers are not ready.", unasked: true},
		"Cached":         {reason: "The server evaluated it too early.", ready: time.Minute + 10*time.Second, ago: 20 * time.Second},
		"CachedLongAgo":  {reason: "The window was over when it did.", ready: 2 * time.Minute, ago: 50 * time.Second, want: check.Pass},
		"NoWindow":       {reason: "The query looks at now only.", ready: slack, settings: func(s *Settings) { s.Window = 0 }, want: check.Pass},
		"LongWindow":     {reason: "Ten minutes are not over.", ready: 6 * time.Minute, returns: true, settings: func(s *Settings) { s.Window = 10 * time.Minute }, unasked: true},
		"NameReturns":    {reason: "It may be the series of the pod before.", ready: inherited - slack, returns: true, unasked: true},
		"NameReturned":   {reason: "Its series are over.", ready: inherited + slack, returns: true, want: check.Pass},
		"UID":            {reason: "A UID does not return.", ready: time.Minute + slack, returns: true, settings: func(s *Settings) { s.PodLabel = UIDLabel }, want: check.Pass},
		"Shared":         {reason: "What all share is not the pod's.", ready: time.Minute + slack, returns: true, settings: func(s *Settings) { s.PodLabel = "" }, want: check.Pass},
		"VariableEarly":  {reason: "The variable may be the name.", ready: inherited - slack, returns: true, settings: func(s *Settings) { s.PodLabel, s.Query = "", "a{b='$(pod.name)'}" }, unasked: true},
		"Variable":       {reason: "The name does not return.", ready: time.Minute + slack, settings: func(s *Settings) { s.PodLabel, s.Query = "", "a{b='$(pod.name)'}" }, want: check.Pass},
		"AddressEarly":   {reason: "Addresses return, whoever owns the pod.", ready: inherited - slack, settings: func(s *Settings) { s.PodLabel, s.Query = "", "a{b='$(pod.ip)'}" }, unasked: true},
		"Address":        {reason: "The series of who had it are over.", ready: inherited + slack, settings: func(s *Settings) { s.PodLabel, s.Query = "", "a{b='$(pod.ip)'}" }, want: check.Pass},
		"AddressWithUID": {reason: "The series has the pod's UID, too.", ready: time.Minute + slack, settings: func(s *Settings) { s.PodLabel, s.Query = UIDLabel, "a{b='$(pod.ip)'}" }, want: check.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			owner := "ReplicaSet"
			if tc.returns {
				owner = "StatefulSet"
			}
			f, c, pod := started(t), settings(), readyFor(tc.ready, "web-1", owner)
			if tc.settings != nil {
				tc.settings(&c)
			}
			f.does(saysAt(tc.ago, series{labels: map[string]string{"pod": "web-1", "namespace": namespace, "uid": string(pod.UID)}, value: "1"}))
			if tc.ready == 0 {
				pod.Pod.Status.Conditions[0].Status = corev1.ConditionFalse
			}

			got := askOne(t, checker(t, servers(t, "main="+f.URL), c), pod)
			if got.Verdict != tc.want || tc.want == check.NoAnswer && got.Word != check.LooksBack {
				t.Errorf("%s: got %s (%s)", tc.reason, got.Verdict, got.Word)
			}
			if asked := f.count(); (asked == 0) != tc.unasked {
				t.Errorf("%s: %d queries", tc.reason, asked)
			}
		})
	}
}

// TestAnotherClock: the window begins when the containers became ready by podgate's clock, where that is known, and not by a kubelet's
// that is ahead or behind.
func TestAnotherClock(t *testing.T) {
	c := checker(t, servers(t, "main=https://prom"), settings())
	now := time.Now()
	ahead, behind := readyFor(-2*time.Minute, "web-1", "ReplicaSet"), old("web-2")
	ahead.Since, behind.Since = now.Add(-time.Minute), now.Add(-time.Minute+time.Millisecond)
	if !c.counts(ahead, now) {
		t.Error("the kubelet's clock is ahead, and the window does not end")
	}
	if c.counts(behind, now) {
		t.Error("the kubelet's clock is behind, and the window ended early")
	}
}

// TestLaw11WindowEnds: the first moment that counts is the end of the window.
func TestLaw11WindowEnds(t *testing.T) {
	c := checker(t, servers(t, "main=https://prom"), settings())
	pod := old("web-1")
	end := pod.Pod.Status.Conditions[0].LastTransitionTime.Add(time.Minute)
	for at, want := range map[time.Time]bool{end.Add(-1): false, end: true, end.Add(1): true} {
		if got := c.counts(pod, at); got != want {
			t.Errorf("%s after the end: got %t", at.Sub(end), got)
		}
	}
}

// TestOneQueryForAll: however many pods there are, the server is asked once.
func TestOneQueryForAll(t *testing.T) {
	f := started(t)
	f.does(says(byPod("web-1", "1"), byPod("web-2", "0")))
	early := readyFor(0, "web-3", "ReplicaSet")
	got := ask(t, checker(t, servers(t, "main="+f.URL), settings()), old("web-1"), old("web-2"), early, old("web-4"))
	for name, want := range map[string]check.Verdict{"web-1": check.Pass, "web-2": check.Fail, "web-3": check.NoAnswer, "web-4": check.NoAnswer} {
		if v := got[types.UID("uid-of-"+name)].Verdict; v != want {
			t.Errorf("%s: got %s, want %s", name, v, want)
		}
	}

	if f.count() != 1 {
		t.Fatalf("%d queries", f.count())
	}
	form := f.asked[0].Form
	if form.Get("query") != secretQuery || form.Get("timeout") != "1s" || form.Get("limit") != "20001" || form.Has("time") {
		t.Errorf("asked %v", form)
	}
}

// TestQueryForEach: with variables each pod has a query of its own, and the answer to it.
func TestQueryForEach(t *testing.T) {
	f := started(t)
	f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		value := map[string]string{"lag{shard='a',pod='web-1'}": "1", "lag{shard='b',pod='web-2'}": "0"}[r.Form.Get("query")]
		says(series{value: value})(w, r)
	})
	c := settings()
	c.PodLabel, c.Query = "", "lag{shard='$(pod.labels['shard'])',pod='$(pod.name)'}"

	pods := []check.Subject{labelled(old("web-1"), map[string]string{"shard": "a"}), labelled(old("web-2"), map[string]string{"shard": "b"}), old("web-3")}
	got := ask(t, checker(t, servers(t, "main="+f.URL), c), pods...)
	want := []check.Answer{{Verdict: check.Pass, Word: check.ExpressionTrue}, {Verdict: check.Fail, Word: check.ExpressionFalse}, {Word: check.VariableUnusable}}
	for i, pod := range pods {
		if got[pod.UID] != want[i] {
			t.Errorf("%s: got %+v, want %+v", pod.UID, got[pod.UID], want[i])
		}
	}
	if f.count() != 2 {
		t.Errorf("%d queries", f.count())
	}
}

// TestLaw7Turns: queries that hang leave turns to other namespaces, checks and servers.
func TestLaw7Turns(t *testing.T) {
	f, other := started(t), started(t)
	other.does(says(byPod("web-1", "1")))
	f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if strings.HasPrefix(r.Form.Get("query"), "hang") {
			f.hangs(w, r)
			return
		}
		says(byPod("web-1", "1"))(w, r)
	})
	s := servers(t, "main="+f.URL+",tenantParam=namespace", "other="+other.URL)

	of := func(namespace, server, query string) Checker {
		c := settings()
		c.Server, c.Query, c.NamespaceLabel, c.Namespace = server, query, "", namespace
		slow, err := s.Check(c, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return slow
	}
	begin := func(c Checker) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() {
			var pods []check.Subject
			for i := range 20 {
				pods = append(pods, old(fmt.Sprintf("hang-%d", i)))
			}
			_, _ = c.Check(ctx, pods)
		})
		return func() { cancel(); calls.Wait() }
	}
	hanging := func(want int) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); f.hang() < want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d queries hang, want %d", f.hang(), want)
			}
		}
	}
	answers := func(what string, c Checker) {
		t.Helper()
		if got := askOne(t, c, old("web-1")); got.Verdict != check.Pass {
			t.Errorf("%s: got %s (%s)", what, got.Verdict, got.Word)
		}
	}

	// A check with a query for each of twenty pods has one turn.
	defer begin(of("shop", "main", "hang('$(pod.name)')"))()
	hanging(1)
	answers("another check of the namespace", of("shop", "main", "up"))

	// A namespace with many checks has two.
	for range 4 {
		defer begin(of("shop", "main", "hang"))()
	}
	hanging(2)
	answers("another namespace", of("bank", "main", "up"))

	// The server has four.
	for range 4 {
		defer begin(of("bank", "main", "hang"))()
	}
	hanging(4)
	answers("another server", of("shop", "other", "up"))

	f.mu.Lock()
	most := f.most
	f.mu.Unlock()
	if most > perNamespace {
		t.Errorf("%d queries of a namespace at a time", most)
	}
	at := s.byName["main"]
	at.mu.Lock()
	if len(at.namespaces) != 2 {
		t.Errorf("%d namespaces are remembered, of which two ask", len(at.namespaces))
	}
	at.mu.Unlock()
	asked := f.count()
	late, err := s.Check(Settings{Server: "main", Namespace: "farm", Query: "up", Expression: isOne}, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got := askOne(t, late, old("web-1")); got != (check.Answer{Word: check.AtServer(check.TimedOut)}) || f.count() != asked {
		t.Errorf("a fifth query: got %+v after %d more queries", got, f.count()-asked)
	}
}
