// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// cluster is the two objects in memory, with the API server's optimistic concurrency.
type cluster struct {
	mu       sync.Mutex
	version  int
	secret   *corev1.Secret
	offered  *corev1.Secret
	config   *admissionv1.MutatingWebhookConfiguration
	history  []published
	watchers map[int]func()
	watched  int
}

// published is what the configuration's entries trust from a time on.
type published struct {
	at      time.Time
	bundles bundles
	// tampered: somebody else than podgate wrote it.
	tampered bool
}

func newCluster() *cluster {
	c := &cluster{watchers: map[int]func(){}}
	c.configure(func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
		return configuration("mpod.elbv2.k8s.aws", "mpod.gwc.k8s.aws")
	})
	return c
}

func configuration(entries ...string) *admissionv1.MutatingWebhookConfiguration {
	c := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName}}
	for _, e := range entries {
		c.Webhooks = append(c.Webhooks, admissionv1.MutatingWebhook{Name: e})
	}
	return c
}

// changed numbers an object's new version and tells the watchers.
func (c *cluster) changed(o metav1.Object) {
	c.version++
	if o != nil {
		o.SetResourceVersion(strconv.Itoa(c.version))
	}
	for _, notify := range c.watchers {
		notify()
	}
}

// now gives copies of both objects.
func (c *cluster) now() (*corev1.Secret, *admissionv1.MutatingWebhookConfiguration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secret.DeepCopy(), c.config.DeepCopy()
}

// keep changes the Secret as a user does; nil deletes it.
func (c *cluster) keep(change func(*corev1.Secret) *corev1.Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secret = change(c.secret.DeepCopy()); c.secret != nil {
		c.changed(c.secret)
		return
	}
	c.changed(nil)
}

// offer puts an offered Secret there, as a user does; nil deletes it.
func (c *cluster) offer(s *corev1.Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offered = s
	c.changed(nil)
}

// configure changes the configuration as a user does; nil deletes it.
func (c *cluster) configure(change func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := bundlesOf(c.config)
	c.store(change(c.config.DeepCopy()), fmt.Sprint(before))
}

func (c *cluster) store(config *admissionv1.MutatingWebhookConfiguration, before string) {
	c.config = config
	if config == nil {
		c.changed(nil)
	}
	if config != nil {
		config.Generation++
		c.changed(config)
	}
	now := bundlesOf(config)
	c.history = append(c.history, published{at: time.Now(), bundles: now, tampered: before != "" && fmt.Sprint(now) != before})
}

// view is what an API server that lags behind trusts.
func (c *cluster) view(lag time.Duration) published {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.history) - 1; i > 0; i-- {
		if !c.history[i].at.After(time.Now().Add(-lag)) {
			return c.history[i]
		}
	}
	return c.history[0]
}

// errCut is a partitioned replica's answer to everything.
var errCut = errors.New("no route to host")

// handle is one replica's access to the cluster.
type handle struct {
	*cluster
	// delay of watch events.
	delay time.Duration
	// afterWrite, unless nil, is called after every write, may crash the replica and may
	// make the write seem failed.
	afterWrite func(crash func()) error
	crash      func()
	// blind: the replica may not read the configuration.
	blind bool

	mu       sync.Mutex
	cutUntil time.Time
}

func (h *handle) cut(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cutUntil = time.Now().Add(d)
}

func (h *handle) reachable() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().Before(h.cutUntil) {
		return errCut
	}
	return nil
}

func (h *handle) wrote() error {
	if h.afterWrite == nil {
		return nil
	}
	return h.afterWrite(h.crash)
}

func (h *handle) Configuration(context.Context) (*admissionv1.MutatingWebhookConfiguration, error) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	if h.blind {
		return nil, errors.New("forbidden")
	}
	return h.config.DeepCopy(), h.reachable()
}

func (h *handle) Secret(context.Context) (*corev1.Secret, error) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	return h.secret.DeepCopy(), h.reachable()
}

func (h *handle) Offered(context.Context) (*corev1.Secret, error) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	return h.offered.DeepCopy(), h.reachable()
}

func (h *handle) CreateSecret(_ context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	if h.secret != nil {
		return nil, errMoved
	}
	return h.save(s)
}

func (h *handle) UpdateSecret(_ context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	if h.secret == nil || h.secret.ResourceVersion != s.ResourceVersion {
		return nil, errMoved
	}
	return h.save(s)
}

func (h *handle) save(s *corev1.Secret) (*corev1.Secret, error) {
	if err := h.reachable(); err != nil {
		return nil, err
	}
	h.secret = s.DeepCopy()
	h.changed(h.secret)
	return h.secret.DeepCopy(), h.wrote()
}

func (h *handle) PatchConfiguration(_ context.Context, raw []byte) error {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()

	if err := h.reachable(); err != nil {
		return err
	}

	if h.config == nil {
		return errMoved
	}

	patched, err := apply(raw, h.config)
	if err != nil {
		return fmt.Errorf("%w: %w", errMoved, err)
	}

	h.store(patched, "")
	return h.wrote()
}

func apply(raw []byte, to *admissionv1.MutatingWebhookConfiguration) (*admissionv1.MutatingWebhookConfiguration, error) {
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, err
	}

	before, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}

	after, err := patch.Apply(before)
	if err != nil {
		return nil, err
	}

	var out admissionv1.MutatingWebhookConfiguration
	return &out, json.Unmarshal(after, &out)
}

// watch tells of changes, late, and not at all while the replica is cut off.
func (h *handle) watch(ctx context.Context, changed func()) error {
	h.cluster.mu.Lock()
	h.watched++
	id := h.watched
	h.watchers[id] = func() {
		if h.reachable() == nil {
			time.AfterFunc(h.delay, changed)
		}
	}

	h.cluster.mu.Unlock()
	<-ctx.Done()
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	delete(h.watchers, id)

	return nil
}

// replica is a running podgate.
type replica struct {
	*Runner
	handle *handle
	stop   context.CancelFunc
	done   chan struct{}
}

func startReplica(t *testing.T, h *handle, p Policy, recorder Recorder) *replica {
	t.Helper()
	return startReplicaWith(t, h, Options{Policy: p, Recorder: recorder})
}

// startReplicaWith starts one with options of its own.
func startReplicaWith(t *testing.T, h *handle, o Options) *replica {
	t.Helper()
	o.Namespace, o.Registerer, o.Log = "podgate-system", prometheus.NewRegistry(), logr.Discard()
	r, err := newRunner(h, &Keypair{}, o)
	if err != nil {
		t.Fatal(err)
	}

	r.watch = h.watch
	if o.Offered != "" {
		r.offered = h.Offered
	}

	ctx, stop := context.WithCancel(context.Background())
	h.crash = stop
	out := &replica{Runner: r, handle: h, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(out.done)
		if err := r.Start(ctx); err != nil {
			t.Errorf("replica: %v", err)
		}
	}()

	t.Cleanup(out.crash)
	return out
}

func (r *replica) crash() {
	r.stop()
	<-r.done
}

// serves is the certificate that a client of the replica meets; nil when there is none.
func (r *replica) serves() *tls.Certificate {
	c, err := r.keypair.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return c
}

// events is what was recorded.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) Eventf(_, _ runtime.Object, eventtype, reason, _, note string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, eventtype+" "+reason+" "+fmt.Sprintf(note, args...))
}

func (e *events) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// count is how many events hold a text.
func (e *events) count(text string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, have := range e.all {
		if strings.Contains(have, text) {
			n++
		}
	}
	return n
}
