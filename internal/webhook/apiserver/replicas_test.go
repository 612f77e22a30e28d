// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/webhook"
	"github.com/podgate/podgate/internal/webhook/profile"
)

const ownNamespace = "podgate-system"

// eventually is how long an API server and podgate may take together, many times over.
const eventually = 30 * time.Second

// shared leads to the API server of this test process.
var shared *rest.Config

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	kubetest.Main(m, func(cfg *rest.Config) { shared = cfg })
}

// apiserver is a real API server that calls two replicas of the webhook, in turns.
type apiserver struct {
	// troubles are the replicas' logged errors.
	troubles sync.Map
	client.Client
	kube       kubernetes.Interface
	registries []*prometheus.Registry
	events     *recorder
	namespace  string
}

// recorder keeps the reasons of events.
type recorder struct {
	mu      sync.Mutex
	reasons []string
}

func (r *recorder) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason)
}

func (r *recorder) has(reason string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.reasons, reason)
}

func startAPIServer(t *testing.T) *apiserver {
	t.Helper()
	cfg := shared
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(httpClient.CloseIdleConnections)
	kube, err := kubernetes.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}

	c, err := kubetest.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}

	a := &apiserver{Client: c, kube: kube, events: &recorder{}}
	a.namespace = kubetest.Namespace(t, c, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	a.must(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ownNamespace}}))
	a.must(t, c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "default"}}))

	var replicas []string
	for range 2 {
		replicas = append(replicas, a.startReplica(t, cfg, httpClient))
	}

	a.install(t, balance(t, replicas))
	return a
}

func (a *apiserver) must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// journal is a log of which only errors are kept, to be shown when there should be none.
func (a *apiserver) journal() logr.Logger {
	return funcr.New(func(_, args string) {
		if strings.Contains(args, `"error"=`) {
			a.troubles.Store(args, nil)
		}
	}, funcr.Options{})
}

// startReplica starts what a replica of podgate runs for admission and gives its address.
func (a *apiserver) startReplica(t *testing.T, cfg *rest.Config, httpClient *http.Client) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	a.registries = append(a.registries, registry)
	objects, err := cache.New(cfg, cache.Options{Scheme: a.Scheme(), HTTPClient: httpClient})
	if err != nil {
		t.Fatal(err)
	}

	if err := binding.Indexes(t.Context(), objects); err != nil {
		t.Fatal(err)
	}

	synced, err := webhook.Prepare(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}

	handler, err := webhook.New(objects, synced, webhook.Options{Serves: binding.OwnAll.Serves, Kinds: []injection.Kind{injection.OfBindings{}, latticeGate{}}, Helper: helper, Registerer: registry, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}

	pair := &certificate.Keypair{}
	runner, err := certificate.New(a.kube, pair, certificate.Options{
		Namespace: ownNamespace, Offered: certificate.OfferedName, Registerer: registry, Recorder: a.events, Log: a.journal(),
		Policy: certificate.Policy{
			Names:      append(certificate.DNSNames(ownNamespace), "127.0.0.1"),
			CAValidity: time.Hour, ServingValidity: time.Hour, Propagation: 2 * time.Second, Overlap: 4 * time.Second,
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	// Over HTTP/2 the API server would dial again for a call whose connection ended, up to
	// seven seconds later and with the caBundle that the call began with: longer than the
	// propagation wait here.
	settings := &tls.Config{NextProtos: []string{"http/1.1"}}
	pair.Configure(settings)
	mux := http.NewServeMux()
	for _, path := range profile.Paths() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			// The API server verifies the certificate once for each connection: end them soon.
			w.Header().Set("Connection", "close")
			handler.ServeHTTP(w, r)
		})
	}

	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, TLSConfig: settings}

	ctx, stop := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return objects.Start(ctx) })
	group.Go(func() error { return runner.Start(ctx) })
	group.Go(func() error { return server.ServeTLS(listener, "", "") })
	t.Cleanup(func() {
		stop()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := group.Wait(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("replica: %v", err)
		}
	})

	a.eventually(t, "a replica is ready", func(context.Context) bool { return runner.Ready(nil) == nil && handler.Ready(nil) == nil })
	return listener.Addr().String()
}

// balance forwards connections to the replicas in turns, as a Service does.
func balance(t *testing.T, replicas []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var group sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
		group.Wait()
	})

	group.Go(func() {
		for turn := 0; ; turn++ {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { forward(ctx, in, replicas[turn%len(replicas)]) })
		}
	})

	return listener.Addr().String()
}

func forward(ctx context.Context, in net.Conn, to string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		_ = in.Close()
		return
	}

	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		group.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = in.Close()
			_ = out.Close()
		})
	}

	group.Wait()
}

// install applies the manifest that users apply, with a URL in the Service's place, and
// failurePolicy Fail, so that no call that fails goes unnoticed.
func (a *apiserver) install(t *testing.T, address string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(kubetest.Root(), "config", "podgate", "templates", "webhook.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	var c admissionv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(raw, &c); err != nil {
		t.Fatal(err)
	}

	for i := range c.Webhooks {
		service, path := c.Webhooks[i].ClientConfig.Service, profile.All()[i].Path
		if service == nil || service.Namespace != ownNamespace || service.Name != certificate.ServiceName || service.Path == nil || *service.Path != path || len(c.Webhooks[i].ClientConfig.CABundle) > 0 {
			t.Errorf("entry %s does not lead to the webhook's Service: %+v", c.Webhooks[i].Name, c.Webhooks[i].ClientConfig)
		}
		c.Webhooks[i].ClientConfig = admissionv1.WebhookClientConfig{URL: new("https://" + address + path)}
		c.Webhooks[i].FailurePolicy = new(admissionv1.Fail)
		c.Webhooks[i].TimeoutSeconds = new(int32(10))
	}

	a.must(t, a.Create(t.Context(), &c))
	t.Cleanup(func() { _ = a.Delete(context.Background(), &c) })
	a.eventually(t, "caBundle is published", func(ctx context.Context) bool { return len(a.bundle(ctx)) > 0 })
	a.eventually(t, "the webhook answers", func(ctx context.Context) bool {
		_, err := a.createPod(ctx, "probe", "nobody")
		return err == nil
	})
}

// eventually waits for something that is to come.
func (a *apiserver) eventually(t *testing.T, what string, is func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, eventually, true, func(ctx context.Context) (bool, error) { return is(ctx), nil })
	if err != nil {
		t.Fatalf("waited in vain: %s", what)
	}
}

func (a *apiserver) bundle(ctx context.Context) []byte {
	var c admissionv1.MutatingWebhookConfiguration
	if err := a.Get(ctx, client.ObjectKey{Name: certificate.ConfigurationName}, &c); err != nil || len(c.Webhooks) == 0 {
		return nil
	}
	return c.Webhooks[0].ClientConfig.CABundle
}

// edit changes the webhook configuration as people do.
func (a *apiserver) edit(ctx context.Context, change func(*admissionv1.MutatingWebhookConfiguration)) error {
	return retry.RetryOnConflict(wait.Backoff{Steps: 50, Duration: time.Millisecond}, func() error {
		var c admissionv1.MutatingWebhookConfiguration
		if err := a.Get(ctx, client.ObjectKey{Name: certificate.ConfigurationName}, &c); err != nil {
			return err
		}
		change(&c)
		return a.Update(ctx, &c)
	})
}

// createPod creates a pod of an application and gives the condition types of its gates.
func (a *apiserver) createPod(ctx context.Context, name, app string) ([]string, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			Containers:     []corev1.Container{{Name: "c", Image: "none"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "target-health.alb.ingress.k8s.aws/i_s_80"}, {ConditionType: "example.com/mine"}},
		},
	}
	if err := a.Create(ctx, pod); err != nil {
		return nil, err
	}

	var gates []string
	for _, g := range pod.Spec.ReadinessGates {
		gates = append(gates, string(g.ConditionType))
	}

	return gates, nil
}

// rotate asks for a rotation and waits until the old authority or pair is gone.
func (a *apiserver) rotate(t *testing.T, what string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RotateAnnotation, what)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: certificate.SecretName}}
	a.must(t, a.Get(t.Context(), client.ObjectKeyFromObject(secret), secret))
	before := secret.DeepCopy()
	a.must(t, a.Patch(t.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(patch))))
	a.eventually(t, "rotation of "+what, func(ctx context.Context) bool {
		var now corev1.Secret
		if a.Get(ctx, client.ObjectKeyFromObject(secret), &now) != nil {
			return false
		}
		changed := string(now.Data["tls.crt"]) != string(before.Data["tls.crt"]) && now.Annotations[v1alpha1.RotateAnnotation] == ""
		settled := strings.Count(string(now.Data["ca.crt"]), "BEGIN") == 1 && string(a.bundle(ctx)) == string(now.Data["ca.crt"])
		return changed && settled && (what == certificate.RotateServing || string(now.Data["ca.crt"]) != string(before.Data["ca.crt"]))
	})
}
