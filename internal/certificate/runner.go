// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/podgate/podgate/api/v1alpha1"
)

const fieldManager = "podgate"

// How long to wait after a failure: errors back off, lost races do not.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	raceWait   = 100 * time.Millisecond
	// maxRacing is for how long races are lost before something must be wrong.
	maxRacing = 30 * time.Second
	// callTimeout bounds the calls of one step.
	callTimeout = 15 * time.Second
)

// Recorder records events; an events.EventRecorder of client-go is one.
type Recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options of a Runner.
type Options struct {
	// Namespace is podgate's own, where the Secret lies.
	Namespace string
	// Provided names the Secret of a certificate that somebody else makes and renews; empty:
	// podgate makes one, in SecretName.
	Provided string
	// Offered names a Secret whose certificate is served and published as a provided one for as
	// long as API servers can trust it, instead of podgate's own. Nobody needs to make it. Where
	// Demanded, Start fails when the Secret is there with what can never be served. Neither counts
	// with Provided.
	Offered  string
	Demanded bool
	// Policy of lives and waits; see DefaultPolicy.
	Policy Policy
	// Registerer takes the runner's metrics.
	Registerer prometheus.Registerer
	// Recorder takes events about the Secret.
	Recorder Recorder
	// Log hears of every step.
	Log logr.Logger
}

func (o Options) secret() string {
	if o.Provided != "" {
		return o.Provided
	}
	return SecretName
}

// Runner keeps a replica's Keypair, the Secret and caBundle in step. Every replica runs one.
type Runner struct {
	store store
	// offered reads the offered Secret; nil when none may be.
	offered func(context.Context) (*corev1.Secret, error)
	// watch calls the function at every change of the objects, until the context ends.
	watch     func(context.Context, func()) error
	keypair   *Keypair
	opts      Options
	metrics   *metrics
	woken     chan struct{}
	published atomic.Bool

	// What follows belongs to the goroutine of run.

	// served is of the Secret that is served, own of podgate's while an offered one is.
	served, own        memory
	reported, declined string
	backoff            time.Duration
	// racing is since when races are lost, zero when the last step was taken.
	racing time.Time
}

// memory is what a replica remembers of a Secret.
type memory struct {
	// last is its content when it was last usable.
	last material
	seen seen
	// bundleKey and pairKey identify what seen's times are about.
	bundleKey, pairKey string
}

// New makes a runner that fills keypair. It makes no call before Start.
func New(client kubernetes.Interface, keypair *Keypair, o Options) (*Runner, error) {
	if o.Namespace == "" {
		return nil, errors.New("webhook certificate: podgate's namespace is not known")
	}
	r, err := newRunner(apiStore{client: client, namespace: o.Namespace, secret: o.secret()}, keypair, o)
	if err != nil {
		return nil, err
	}

	secrets := []string{o.secret()}
	if o.Offered != "" && o.Provided == "" {
		r.offered = apiStore{client: client, namespace: o.Namespace, secret: o.Offered}.Secret
		secrets = append(secrets, o.Offered)
	}

	r.watch = func(ctx context.Context, changed func()) error {
		return watch(ctx, client, o.Namespace, secrets, changed)
	}

	return r, nil
}

func newRunner(s store, keypair *Keypair, o Options) (*Runner, error) {
	if err := o.Policy.validate(); err != nil {
		return nil, fmt.Errorf("webhook certificate: %w", err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Runner{store: s, keypair: keypair, opts: o, metrics: m, woken: make(chan struct{}, 1)}, nil
}

// NeedLeaderElection tells a manager that every replica runs one.
func (r *Runner) NeedLeaderElection() bool { return false }

// Ready is a readiness check. It fails until the replica has a pair and has once seen the
// webhook configuration trust it; after that it never fails.
func (r *Runner) Ready(*http.Request) error {
	if r.keypair.current.Load() == nil {
		return errNoPair
	}
	if !r.published.Load() {
		return errors.New("caBundle of MutatingWebhookConfiguration " + ConfigurationName + " does not trust the webhook's certificate yet")
	}
	return nil
}

// Start runs until ctx ends. It fails when the pair that somebody else is to provide, or
// offers where that is demanded, cannot be served.
func (r *Runner) Start(ctx context.Context) error {
	if r.opts.Provided != "" {
		if err := r.demand(ctx); err != nil {
			return err
		}
	}
	if r.offered != nil && r.opts.Demanded {
		if err := r.examine(ctx); err != nil {
			return err
		}
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.watch(ctx, r.wake) })
	group.Go(func() error { r.run(ctx); return nil })
	return group.Wait()
}

// wake makes the runner look at the objects now.
func (r *Runner) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

func (r *Runner) run(ctx context.Context) {
	for {
		timer := time.NewTimer(r.tick(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tick takes one step and says when to take the next.
func (r *Runner) tick(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	after, err := r.advance(ctx)
	if err == nil {
		r.backoff, r.racing = 0, time.Time{}
		return after
	}

	if r.racing.IsZero() {
		r.racing = time.Now()
	}

	if errors.Is(err, errMoved) && time.Since(r.racing) < maxRacing {
		r.opts.Log.V(1).Info("Another writer was faster", "error", err.Error())
		return raceWait + rand.N(raceWait)
	}

	r.metrics.failures.Inc()
	r.opts.Log.Error(err, "Keeping the webhook's certificate failed; retrying")
	r.backoff = min(max(2*r.backoff, minBackoff), maxBackoff)
	return r.backoff/2 + rand.N(r.backoff/2)
}

// advance reads both objects and takes the step that is next. The configuration is read
// first: when it is then patched, a Secret that changed in between has had its caBundle
// patched, and the patch is refused, or has not, and will have.
func (r *Runner) advance(ctx context.Context) (time.Duration, error) {
	config, unknown := r.store.Configuration(ctx)
	secret, theirs, err := r.secret(ctx)
	if err != nil {
		return 0, err
	}

	m := readSecret(secret, theirs)
	offered := theirs && r.opts.Provided == ""
	if !offered {
		r.hold(m)
	}

	r.load(m)

	if unknown != nil {
		return 0, fmt.Errorf("get webhook configuration %q: %w", ConfigurationName, unknown)
	}

	now := time.Now()
	r.trusted(config, m)
	r.served.note(config, m, now)
	m = r.served.recall(m)
	r.report(m, secret)

	s := next(m, bundlesOf(config), r.served.seen, now, r.opts.Policy)
	switch {
	case s.do == wait && offered:
		after, err := r.keepOwn(ctx, now)
		return min(s.after, after), err
	case s.do == wait:
		return s.after, nil
	case s.do == publish:
		return 0, r.publish(ctx, config, m)
	}

	return 0, r.write(ctx, s, slices.Concat(r.served.last.trust, bundlesOf(config).trust()), secret, m, now)
}

// keepOwn renews podgate's own certificate while an offered one is served, so that it can take its place at any moment.
// API servers hear of it only then.
func (r *Runner) keepOwn(ctx context.Context, now time.Time) (time.Duration, error) {
	secret, err := r.store.Secret(ctx)
	if err != nil {
		return 0, fmt.Errorf("get secret %q: %w", r.opts.secret(), err)
	}

	m := readSecret(secret, false)
	r.hold(m)
	if m.pair != nil {
		r.own.last = m
	}

	r.own.note(nil, m, now)
	m = r.own.recall(m)

	s := next(m, nil, r.own.seen, now, r.opts.Policy)
	if s.do == wait {
		return s.after, nil
	}

	return 0, r.write(ctx, s, r.own.last.trust, secret, m, now)
}

// secret reads the Secret that counts now, and tells whether it is somebody else's whatever it
// holds. It goes by what is in the cluster alone, so that no two replicas publish different ones.
func (r *Runner) secret(ctx context.Context) (s *corev1.Secret, theirs bool, err error) {
	if r.offered != nil {
		s, err := r.offered(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("get secret %q: %w", r.opts.Offered, err)
		}

		problem := unusable(s, r.opts.Policy, time.Now())
		r.decline(s, problem)
		if s != nil && problem == nil {
			return s, true, nil
		}
	}

	if s, err = r.store.Secret(ctx); err != nil {
		return nil, false, fmt.Errorf("get secret %q: %w", r.opts.secret(), err)
	}
	return s, r.opts.Provided != "", nil
}

// load serves with the Secret's pair from now on, if it has a usable one.
func (r *Runner) load(m material) {
	if m.pair == nil {
		return
	}

	r.served.last = m
	trust := encodeCerts(m.trust...)
	r.keypair.trust.Store(&trust)

	if m.pair.same(r.keypair.current.Load()) {
		return
	}

	r.keypair.current.Store(m.pair)
	r.metrics.expiry.WithLabelValues(RotateServing).Set(float64(m.pair.leaf.NotAfter.Unix()))
	r.opts.Log.Info("Serving the webhook with a new certificate", "serial", m.pair.leaf.SerialNumber.String(), "notAfter", m.pair.leaf.NotAfter)
}

// hold serves with the pair, if there is one, what serves with podgate's own, and notes when the authority ends that signs
// the next.
func (r *Runner) hold(m material) {
	if m.signer != nil {
		r.metrics.expiry.WithLabelValues(RotateCA).Set(float64(m.signer.cert.NotAfter.Unix()))
	}
	if m.pair != nil {
		r.keypair.own.Store(m.pair)
	}
}

// note keeps since when things have been as they are.
func (y *memory) note(config *admissionv1.MutatingWebhookConfiguration, m material, now time.Time) {
	bundleKey := fmt.Sprintf("%s %t", encodeCerts(m.trust...), bundlesOf(config).are(encodeCerts(m.trust...)))
	if config != nil {
		bundleKey += fmt.Sprint(config.UID, config.Generation)
	}

	pairKey := ""
	if m.pair != nil {
		pairKey = string(m.pair.certPEM)
	}

	if bundleKey != y.bundleKey {
		y.bundleKey, y.seen.published = bundleKey, now
	}

	if pairKey != y.pairKey {
		y.pairKey, y.seen.served = pairKey, now
	}
}

// recall gives a Secret of podgate's that was lost the pair that it had.
func (y *memory) recall(m material) material {
	if m.signer == nil && m.pair == nil && m.ours {
		m.pair = y.last.pair
	}
	return m
}

// trusted makes the replica ready once API servers trust what it serves.
func (r *Runner) trusted(config *admissionv1.MutatingWebhookConfiguration, m material) {
	// Without ca.crt, whoever filled the Secret fills caBundle too.
	trusted := len(m.trust) == 0 || bundlesOf(config).are(encodeCerts(m.trust...))
	if m.pair != nil && trusted {
		r.published.Store(true)
	}
}

// report tells, once, what people should know about the Secret.
func (r *Runner) report(m material, secret *corev1.Secret) {
	problem, note := "", ""
	if m.problem != nil {
		problem = m.problem.Error()
		note = r.whatBecomes(m) + problem
	}

	// A misspelt annotation replaces nothing.
	if m.rotate != "" && m.rotate != RotateServing && m.rotate != RotateCA {
		said := fmt.Sprintf("annotation %s is %q: must be %s or %s", v1alpha1.RotateAnnotation, m.rotate, RotateServing, RotateCA)
		if problem += said; note == "" {
			note = "Nothing is replaced: " + said
		}
	}

	if problem == r.reported {
		return
	}

	r.reported = problem
	if problem == "" {
		return
	}

	r.opts.Log.Info("Secret of the webhook's certificate has a problem", "problem", problem, "ours", m.ours)
	r.opts.Recorder.Eventf(secret, nil, corev1.EventTypeWarning, "InvalidCertificate", "Read", "%s", note)
}

// whatBecomes says what becomes of a Secret that has a problem.
func (r *Runner) whatBecomes(m material) string {
	switch {
	case r.opts.Provided != "":
		return "podgate leaves this Secret alone and serves the last good certificate of it; put it right: "
	case !m.ours:
		return "podgate did not make this Secret and leaves it alone; put it right, or delete it to have podgate make one: "
	}
	return "The webhook's certificate will be replaced: "
}

func (r *Runner) publish(ctx context.Context, config *admissionv1.MutatingWebhookConfiguration, m material) error {
	patch, err := bundlePatch(config, encodeCerts(m.trust...))
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	if err := r.store.PatchConfiguration(ctx, patch); err != nil {
		return fmt.Errorf("patch caBundle of webhook configuration %q: %w", ConfigurationName, err)
	}
	r.metrics.patches.Inc()
	r.opts.Log.Info("Published the webhook's authorities in caBundle", "authorities", len(m.trust))
	return nil
}

// write takes a step that changes the Secret. The others are authorities that somebody may still need.
func (r *Runner) write(ctx context.Context, s step, others []*x509.Certificate, secret *corev1.Secret, m material, now time.Time) error {
	before := m
	m, err := r.apply(s, others, m, now)
	if err != nil {
		return err
	}

	if secret == nil {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.opts.Namespace, Name: SecretName}, Type: corev1.SecretTypeTLS}
	}

	secret = secret.DeepCopy()
	if err := m.write(secret); err != nil {
		return err
	}

	if done(s, m.rotate) {
		delete(secret.Annotations, v1alpha1.RotateAnnotation)
	}

	save := r.store.UpdateSecret
	if !m.exists {
		save = r.store.CreateSecret
	}

	saved, err := save(ctx, secret)
	if err != nil {
		return fmt.Errorf("write secret %q: %w", SecretName, err)
	}

	r.announce(s, before, m, saved)
	return nil
}

// apply gives what the Secret holds after a step.
func (r *Runner) apply(s step, others []*x509.Certificate, m material, now time.Time) (material, error) {
	p := r.opts.Policy
	var err error
	if s.do == establish {
		if m.signer, err = newAuthority(now, p.CAValidity); err != nil {
			return material{}, err
		}
		m.trust = merge(now, []*x509.Certificate{m.signer.cert}, m.trust, others)
	}

	if s.do == issue || s.serving {
		if m.pair, err = m.signer.issue(now, p.ServingValidity, p.Names); err != nil {
			return material{}, err
		}
	}

	if s.do == retire {
		m.trust = []*x509.Certificate{m.signer.cert}
	}

	return m, nil
}

// done reports whether a step does what the annotation asks for.
func done(s step, rotate string) bool {
	return s.do == establish && rotate == RotateCA || s.do == issue && rotate == RotateServing
}

// announce tells people of a step that was taken.
func (r *Runner) announce(s step, before, after material, secret *corev1.Secret) {
	event := func(reason, action, note string) {
		r.opts.Log.Info(note, "because", s.because)
		r.opts.Recorder.Eventf(secret, nil, corev1.EventTypeNormal, reason, action, "%s: %s", note, s.because)
	}
	if after.signer != before.signer {
		r.metrics.rotations.WithLabelValues(RotateCA).Inc()
		event("AuthorityCreated", "Rotate", "Made a new authority for the webhook")
	}

	if s.do == issue || s.serving {
		r.metrics.rotations.WithLabelValues(RotateServing).Inc()
		event("CertificateIssued", "Rotate", "Issued a new serving certificate for the webhook")
	}

	if s.do == retire {
		event("AuthorityRetired", "Rotate", "Stopped trusting the webhook's old authorities")
	}
}
