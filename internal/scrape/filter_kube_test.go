// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package scrape

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/internal/kubetest"
)

var shared *rest.Config

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	kubetest.Main(m, func(cfg *rest.Config) { shared = cfg })
}

// guarded is a metrics server in front of which the API server is asked.
func guarded(t *testing.T, cfg *rest.Config) http.Handler {
	t.Helper()
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}

	filter, err := Filter(cfg, client)
	if err != nil {
		t.Fatal(err)
	}

	h, err := filter(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("podgate_up 1")) }))
	if err != nil {
		t.Fatal(err)
	}

	return h
}

// scraped is the status of a scrape with an Authorization header.
func scraped(h http.Handler, authorization string) int {
	r := httptest.NewRequest(http.MethodGet, "https://podgate/metrics", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestWhoMayReadTheMetrics(t *testing.T) {
	kube, err := kubernetes.NewForConfig(shared)
	if err != nil {
		t.Fatal(err)
	}

	tokens := map[string]string{}
	for _, name := range []string{"prometheus", "stranger"} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		if _, err := kube.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		request, err := kube.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = "Bearer " + request.Status.Token
	}

	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}}
	if _, err := kube.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "prometheus"}},
	}
	if _, err := kube.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	h := guarded(t, shared)
	cases := map[string]struct {
		reason, authorization string
		want                  int
	}{
		"Reader":    {"Whoever may get /metrics reads them.", tokens["prometheus"], http.StatusOK},
		"Stranger":  {"A token of the cluster alone is not enough.", tokens["stranger"], http.StatusForbidden},
		"Forger":    {"Nor is any text.", "Bearer abc", http.StatusUnauthorized},
		"Nobody":    {"Nor is none.", "", http.StatusUnauthorized},
		"Empty":     {"Nor an empty one.", "Bearer ", http.StatusUnauthorized},
		"Otherwise": {"Nor a password.", "Basic YTpi", http.StatusUnauthorized},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := scraped(h, tc.authorization); got != tc.want {
				t.Errorf("%s: %d, want %d", tc.reason, got, tc.want)
			}
		})
	}

	if err := kube.RbacV1().ClusterRoleBindings().Delete(t.Context(), "reader", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	for code := 0; code != http.StatusForbidden; code = scraped(h, tokens["prometheus"]) {
		time.Sleep(250 * time.Millisecond) // the API server hears of it; no faster than what is let through
	}
}

func TestClosedWhenTheAPIServerIsAway(t *testing.T) {
	h := guarded(t, &rest.Config{Host: "http://127.0.0.1:1"})
	if got := scraped(h, "Bearer abc"); got != http.StatusInternalServerError {
		t.Errorf("%d, want 500", got)
	}
}

func TestFloodsStayHere(t *testing.T) {
	h := guarded(t, shared)
	refused := 0
	for range 2 * burst {
		if scraped(h, "Bearer abc") == http.StatusTooManyRequests {
			refused++
		}
	}

	if refused == 0 {
		t.Error("every request of a flood was asked about")
	}

	other := httptest.NewRequest(http.MethodGet, "https://podgate/metrics", nil)
	other.RemoteAddr = "198.51.100.7:40000"
	other.Header.Set("Authorization", "Bearer abc")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, other)

	if w.Code != http.StatusUnauthorized {
		t.Errorf("a flood from elsewhere kept somebody from being asked about: %d", w.Code)
	}
}

// TestFloodersAreNotKept: there may be as many addresses as there are pods.
func TestFloodersAreNotKept(t *testing.T) {
	var f floods
	for i := range 3 * most {
		f.allow(fmt.Sprintf("[2001:db8::%x]:443", i))
	}
	if n := len(f.from); n > most {
		t.Errorf("%d are remembered", n)
	}
}
