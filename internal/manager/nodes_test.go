// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
)

// adder is a manager that only takes runnables.
type adder struct {
	ctrlmanager.Manager
	added []ctrlmanager.Runnable
}

func (a *adder) Add(r ctrlmanager.Runnable) error { a.added = append(a.added, r); return nil }
func (*adder) GetConfig() *rest.Config            { return &rest.Config{Host: "https://127.0.0.1:1"} }
func (*adder) GetHTTPClient() *http.Client        { return http.DefaultClient }
func (*adder) GetScheme() *runtime.Scheme         { return clientgoscheme.Scheme }
func (*adder) GetRESTMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(corev1.SchemeGroupVersion.WithKind("Node"), meta.RESTScopeRoot)
	return m
}
func (*adder) GetLogger() logr.Logger { return logr.Discard() }

// TestEveryReplicaFollowsNodes: the webhook of each asks what nodes can, and the next leader has to know what they said.
func TestEveryReplicaFollowsNodes(t *testing.T) {
	a := &adder{}
	if _, err := newNodes(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if len(a.added) != 1 {
		t.Fatalf("%d runnables were added, want the cache", len(a.added))
	}
	if r, ok := a.added[0].(ctrlmanager.LeaderElectionRunnable); !ok || r.NeedLeaderElection() {
		t.Errorf("the manager starts %T on the leader only", a.added[0])
	}
}
