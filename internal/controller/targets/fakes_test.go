// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/drivers"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	web  = types.NamespacedName{Namespace: "shop", Name: "web-tg"}
	ref  = balancer.Ref{Provider: elbv2traits.Kind, Group: "arn:web"}
)

// at is the n-th pod's target.
func at(n int) gate.Target {
	return gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 8080}
}

func list(ns ...int) []gate.Target {
	var ts []gate.Target
	for _, n := range ns {
		ts = append(ts, at(n))
	}
	return ts
}

// name is the n-th pod's.
func name(n int) string { return fmt.Sprintf("web-%d", n) }

// world is a cluster with a Service, its binding and pods, and a load balancer with
// the binding's group, seen through fakes.
type world struct {
	*Reconciler
	t     *testing.T
	clock time.Time
	// due is when podgate asked to look again.
	due time.Time

	pods     map[string]*corev1.Pod
	services map[string]*corev1.Service
	bindings map[string]*elbv2.TargetGroupBinding
	own      map[string]*v1alpha1.TargetBinding
	lease    *coordinationv1.Lease
	// maps are the ConfigMaps; refused is what the API server answers to writes of a
	// kind, "bindings" or "configmaps", or to any call about it with a "get " before it.
	maps    map[string]*corev1.ConfigMap
	refused map[string]error
	// prunes: the CRD knows no conditions.
	prunes bool
	writes int
	// onWrite is called with each binding after a write.
	onWrite func(*elbv2.TargetGroupBinding)
	// unsure are pods that no read was surely about, and when one may be; refreshed counts the reads asked for.
	unsure    map[string]time.Time
	refreshed int
	// beforeWrite is called before a write of a binding is looked at.
	beforeWrite func()
	// leaseReads counts the reads of the lease.
	leaseReads int
	events     *events.FakeRecorder
	// gatherer has the metrics of the latest Reconciler.
	gatherer prometheus.Gatherer

	// rows is the group; room how many targets it takes, any number when 0.
	rows map[gate.Target]gate.Health
	room int
	// fail is what calls fail with, by their name; refuse the targets that Register refuses.
	fail   map[string]error
	refuse map[gate.Target]bool
	// calls are the changes made, in order.
	calls    []string
	viewErr  error
	unread   bool
	tracking map[balancer.Ref]observe.Description
	// placed is for whom the observer was told that targets were registered; viewAge how old its reads are.
	placed  map[gate.Target]types.UID
	viewAge time.Duration
	// delay is the group's deregistration delay.
	delay time.Duration
	// onTurn is called before each change, which has waited for its turn then.
	onTurn func()
	// settings are those with which the latest call of each name came, the observer's Track included.
	settings map[string]balancer.Settings
	// tended counts how often the group was looked after, onTend is called each time.
	tended int
	onTend func()
	// placedFor came with the latest registration.
	placedFor balancer.Pods
}

// newWorld makes a binding that was synced with a group that holds nothing.
func newWorld(t *testing.T) *world {
	w := &world{
		t: t, clock: noon, delay: 30 * time.Second, pods: map[string]*corev1.Pod{}, services: map[string]*corev1.Service{}, bindings: map[string]*elbv2.TargetGroupBinding{}, own: map[string]*v1alpha1.TargetBinding{}, unsure: map[string]time.Time{},
		maps: map[string]*corev1.ConfigMap{}, refused: map[string]error{},
		rows: map[gate.Target]gate.Health{}, fail: map[string]error{}, refuse: map[gate.Target]bool{}, tracking: map[balancer.Ref]observe.Description{}, settings: map[string]balancer.Settings{}, placed: map[gate.Target]types.UID{},
		events: events.NewFakeRecorder(1000),
	}

	w.services["web"] = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}

	w.bind("web-tg", 0)
	w.restart()
	w.reconcile()
	w.calls, w.writes = nil, 0
	return w
}

// bind makes a binding of the group, age older than the world.
func (w *world) bind(name string, age time.Duration) *elbv2.TargetGroupBinding {
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), ResourceVersion: "1", Generation: 1, CreationTimestamp: metav1.NewTime(noon.Add(-age)),
	}}
	b.Spec.TargetGroupARN = ref.Group
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	w.bindings[name] = b
	return b
}

// restart makes a Reconciler that remembers nothing.
func (w *world) restart() {
	metrics := prometheus.NewRegistry()
	w.gatherer = metrics
	r, err := NewReconciler(kube{w: w}, w, w, binding.NewRegistry(func(types.NamespacedName) {}), Options{
		Drivers:      drivers.All(nil, nil, new(aws.Own), balancer.Limits{}, nil),
		Account:      func(ref balancer.Ref) string { return ref.Group },
		Recorder:     w.events,
		Metrics:      metrics,
		AbsenceGrace: 30 * time.Second, Workers: 8,
		Now: func() time.Time { return w.clock },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Reconciler = r
}

// series are those of a metric whose labels have the values, in any order.
func (w *world) series(name string, values ...string) []*dto.Metric {
	w.t.Helper()
	families, err := w.gatherer.Gather()
	if err != nil {
		w.t.Fatal(err)
	}

	var found []*dto.Metric
	for _, f := range families {
		for _, m := range f.GetMetric() {
			has := func(value string) bool {
				return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == value })
			}
			if f.GetName() == name && !slices.ContainsFunc(values, func(v string) bool { return !has(v) }) {
				found = append(found, m)
			}
		}
	}

	return found
}

// counted is what a counter, of the series whose labels have the values, stands at.
func (w *world) counted(name string, values ...string) float64 {
	w.t.Helper()
	sum := 0.0
	for _, m := range w.series(name, values...) {
		sum += m.GetCounter().GetValue()
	}
	return sum
}

// balanceBy replaces the load balancer.
func (w *world) balanceBy(p balancer.Provider) { w.provider, w.registrar.provider = p, p }

// podEvents handles events of the world's pods.
func (w *world) podEvents() handler.EventHandler {
	return w.Reconciler.podEvents(kube{w: w}).handler()
}

// relevant reports whether a change of a pod wakes its bindings.
func (w *world) relevant(before, after *corev1.Pod) bool {
	return w.Reconciler.podEvents(kube{w: w}).relevant(before, after)
}

// pod makes the n-th pod, running and selected, its containers ready.
func (w *world) pod(n int) *corev1.Pod {
	ip := at(n).Addr.String()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name(n), UID: types.UID(fmt.Sprintf("uid-%d", n)), Labels: map[string]string{"app": "web"}},
		Status: corev1.PodStatus{
			PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
			Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}},
		},
	}
	w.pods[pod.Name] = pod
	return pod
}

// serve makes healthy rows of pods that are there already.
func (w *world) serve(ns ...int) {
	for _, n := range ns {
		w.pod(n)
		w.rows[at(n)] = gate.Health{State: gate.Healthy}
	}
}

// terminate deletes a pod, which has a minute left.
func (w *world) terminate(pod *corev1.Pod) {
	end, grace := metav1.NewTime(w.clock.Add(time.Minute)), int64(60)
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &end, &grace
}

func (w *world) reconcile() reconcile.Result {
	w.t.Helper()
	res, err := w.try(web)
	if err != nil {
		w.t.Fatal(err)
	}
	w.due = w.clock.Add(res.RequeueAfter)
	if res.RequeueAfter == 0 {
		w.due = w.clock.AddDate(1, 0, 0) // Only an event would have it looked at.
	}
	return res
}

// let has time pass without any event: the binding is looked at when podgate asked for it.
func (w *world) let(d time.Duration) {
	w.t.Helper()
	end := w.clock.Add(d)
	for !w.due.After(end) {
		w.clock = w.due
		w.reconcile()
	}
	w.clock = end
}

func (w *world) try(key types.NamespacedName) (reconcile.Result, error) {
	defer w.registrar.tends.all.Wait()
	return w.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key})
}

// turn is what a call that changes the group waits for.
func (w *world) turn(ctx context.Context, targets []gate.Target) ([]gate.Target, error) {
	if w.onTurn == nil {
		return targets, nil
	}
	w.onTurn()
	return balancer.Stands(ctx, targets)
}

// made returns and clears the calls made.
func (w *world) made() string {
	defer func() { w.calls = nil }()
	return strings.Join(w.calls, ", ")
}

// ready returns the reason of a binding's Ready condition.
func (w *world) ready(name string) string {
	for _, c := range w.bindings[name].Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// Resolve implements provider.Resolver.
func (w *world) Resolve(_ context.Context, wanted balancer.Group) (balancer.Group, error) {
	w.settings["resolve"] = wanted.Settings
	if err := w.fail["resolve"]; err != nil {
		return balancer.Group{}, err
	}
	return balancer.Group{
		Ref: wanted.Ref, Name: "web", TargetType: "ip", Protocol: "HTTP", IPAddressType: "ipv4",
		HealthCheckInterval: 10 * time.Second, UnhealthyThreshold: 2, DeregistrationDelay: w.delay,
	}, nil
}

// Health implements provider.Reporter.
func (w *world) Health(_ context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	w.settings["health"] = g.Settings
	return maps.Clone(w.rows), w.fail["health"]
}

// Register implements provider.Registrar; what does not fit or is refused is a partial failure.
func (w *world) Register(ctx context.Context, g balancer.Group, targets []gate.Target, owners balancer.Pods) error {
	targets, err := w.turn(ctx, targets)
	if err != nil || len(targets) == 0 {
		return err
	}

	w.settings["register"] = g.Settings
	w.note("register", targets)
	w.placedFor = owners
	if err := w.fail["register"]; err != nil {
		return err
	}

	partial := &balancer.PartialError{}
	for _, t := range targets {
		switch {
		case w.refuse[t]:
			partial.Failed, partial.Err = append(partial.Failed, t), balancer.ErrInvalid
		case w.room > 0 && w.taken() >= w.room:
			partial.Failed, partial.Err = append(partial.Failed, t), balancer.ErrQuota
		default:
			w.rows[t] = gate.Health{State: gate.Initial}
		}
	}

	if len(partial.Failed) > 0 {
		return partial
	}

	return nil
}

// Deregister implements provider.Registrar; rows drain on.
func (w *world) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	targets, err := w.turn(ctx, targets)
	if err != nil || len(targets) == 0 {
		return err
	}

	w.settings["deregister"] = g.Settings
	w.note("deregister", targets)
	if err := w.fail["deregister"]; err != nil {
		return err
	}
	for _, t := range targets {
		w.rows[t] = gate.Health{State: gate.Draining}
	}
	return nil
}

// Due implements balancer.Tender.
func (w *world) Due(balancer.Group) bool { return true }

// Tend implements balancer.Tender.
func (w *world) Tend(_ context.Context, g balancer.Group) error {
	w.settings["tend"] = g.Settings
	w.tended++
	if w.onTend != nil {
		w.onTend()
	}
	return w.fail["tend"]
}

func (w *world) taken() int {
	n := 0
	for _, h := range w.rows {
		if !h.Leaving() {
			n++
		}
	}
	return n
}

func (w *world) note(call string, targets []gate.Target) {
	var ns []string
	for _, t := range targets {
		if t.Instance != "" {
			ns = append(ns, strings.TrimPrefix(t.Instance, "i-0"))
			continue
		}
		a := t.Addr.As4()
		ns = append(ns, fmt.Sprint(int(a[2])<<8|int(a[3])))
	}
	slices.Sort(ns)
	w.calls = append(w.calls, call+" "+strings.Join(ns, " "))
}

// Track implements Observer.
func (w *world) Track(id observe.Subject, _ types.NamespacedName, d observe.Description) {
	w.tracking[id.(balancer.Ref)], w.settings["track"] = d, d.Settings.(balancer.Group).Settings
}

// Untrack implements Observer.
func (w *world) Untrack(id observe.Subject, _ types.NamespacedName) {
	delete(w.tracking, id.(balancer.Ref))
}

// Refresh implements Observer.
func (w *world) Refresh(observe.Subject) { w.refreshed++ }

// Changed implements Observer.
func (w *world) Changed(_ observe.Subject, placed ...observe.Placement) {
	w.refreshed++
	w.refreshed++
	for _, p := range placed {
		w.placed[p.Target] = p.Pod
	}
}

// Unsure implements Observer.
func (w *world) Unsure(_ observe.Subject, pod types.NamespacedName, _ gate.Target) (time.Time, bool) {
	at, is := w.unsure[pod.Name]
	return at, is
}

// View implements Observer: the group as it is now.
func (w *world) View(observe.Subject) observe.View {
	if w.unread {
		return observe.View{Err: w.viewErr}
	}
	return observe.View{Snapshot: observe.Snapshot{Started: w.clock.Add(-w.viewAge), Targets: maps.Clone(w.rows)}, Err: w.viewErr}
}
