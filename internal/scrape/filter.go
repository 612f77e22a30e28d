// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scrape lets those read the metrics whom the API server lets: it asks who the
// bearer of a token is (TokenReview), and whether he may get the path
// (SubjectAccessReview). It refuses to remember answers: a scrape comes twice a minute.
package scrape

import (
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// How often the API server is asked for one address: several scrapers at once, but no flood.
const (
	perSecond = 5
	burst     = 20
	// most is of how many addresses that is remembered.
	most = 1000
)

// Filter gives the filter of a metrics server.
func Filter(config *rest.Config, httpClient *http.Client) (metricsserver.Filter, error) {
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return &guard{client: client, log: log, next: next}, nil
	}, nil
}

type guard struct {
	client kubernetes.Interface
	floods floods
	log    logr.Logger
	next   http.Handler
}

// floods bounds what each address asks, so that a flood from one keeps no other out: who is
// not scraped looks as if it were down. The zero value is ready to use.
type floods struct {
	mu   sync.Mutex
	from map[string]*rate.Limiter
}

// allow reports whether an address, such as "192.0.2.1:40000", may ask now.
func (f *floods) allow(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	if f.from[host] == nil {
		if f.from == nil || len(f.from) >= most {
			f.from = map[string]*rate.Limiter{}
		}
		f.from[host] = rate.NewLimiter(perSecond, burst)
	}

	return f.from[host].Allow()
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found || token == "" {
		http.Error(w, "podgate: the metrics want a bearer token of the cluster", http.StatusUnauthorized)
		return
	}

	if !g.floods.allow(r.RemoteAddr) {
		http.Error(w, "podgate: too many requests", http.StatusTooManyRequests)
		return
	}

	review, err := g.client.AuthenticationV1().TokenReviews().Create(r.Context(),
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		g.fail(w, err)
		return
	}

	if !review.Status.Authenticated {
		http.Error(w, "podgate: the API server does not know this token", http.StatusUnauthorized)
		return
	}

	access, err := g.client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), question(review.Status.User, r.URL.Path), metav1.CreateOptions{})
	if err != nil {
		g.fail(w, err)
		return
	}

	if !access.Status.Allowed {
		http.Error(w, "podgate: "+review.Status.User.Username+" may not get "+r.URL.Path+"; bind it to ClusterRole podgate-metrics-reader", http.StatusForbidden)
		return
	}

	g.next.ServeHTTP(w, r)
}

func (g *guard) fail(w http.ResponseWriter, err error) {
	g.log.Error(err, "Asking the API server who may read the metrics failed")
	http.Error(w, "podgate: the API server cannot be asked who may read the metrics", http.StatusInternalServerError)
}

func question(who authenticationv1.UserInfo, path string) *authorizationv1.SubjectAccessReview {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range who.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}
}
