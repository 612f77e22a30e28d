// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/observe/checks"
)

// kept is how long the checks of a gate are kept for which nobody asks.
const kept = 10 * time.Minute

// Gates has what ReadinessGates ask, as it is in a cache. It makes checks once for each generation of a gate, and again when
// people approve and when the labels of its namespace change, by which more or less is allowed.
type Gates struct {
	reader client.Reader
	maker  Maker

	mu    sync.Mutex
	known map[types.UID]*generation
}

// version is what the checks of a gate are made of.
type version struct {
	generation        int64
	approvals, labels string
}

// generation is what was made of one version of a gate, once: many pods may ask for it at the same time.
type generation struct {
	version version
	used    time.Time

	once     sync.Once
	attempts []attempt
	def      *checks.Definition
}

// NewGates returns the gates that a cache has, with the checks that a Maker makes of them.
func NewGates(r client.Reader, m Maker) *Gates {
	return &Gates{reader: r, maker: m, known: map[types.UID]*generation{}}
}

// Gate returns what a gate asks; nil when there is no such gate, or when the cache cannot be read.
func (g *Gates) Gate(ctx context.Context, id checks.Gate) *checks.Definition {
	var object v1alpha1.ReadinessGate
	err := g.reader.Get(ctx, types.NamespacedName{Namespace: id.Namespace, Name: id.Name}, &object)
	if err != nil || object.UID != id.UID {
		return nil
	}
	return g.of(ctx, &object).def
}

// Judge says whether a gate can be served, as Maker does.
func (g *Gates) Judge(ctx context.Context, object *v1alpha1.ReadinessGate) (reason, message string, err error) {
	return judge(ctx, object, g.of(ctx, object).attempts)
}

// of returns what was made of a gate as it is.
func (g *Gates) of(ctx context.Context, object *v1alpha1.ReadinessGate) *generation {
	is := version{generation: object.Generation, approvals: object.Annotations[v1alpha1.ApprovalsAnnotation]}
	maker, known := g.maker, true
	if len(maker.Allowed) > 0 {
		// It is made of the labels by which it is found.
		of, err := maker.Labels(ctx, object.Namespace)
		maker.Labels = func(context.Context, string) (map[string]string, error) { return of, err }
		is.labels, known = labels.Set(of).String(), err == nil
	}

	made := g.find(object.UID, is, known)
	made.once.Do(func() {
		made.attempts = maker.try(ctx, object)
		made.def = define(object, made.attempts)
	})
	return made
}

// find returns what is kept of a version of a gate, or what is to be made. While nobody knows the labels of the namespace they count as
// they were, and what is made without them is not kept.
func (g *Gates) find(uid types.UID, is version, labelled bool) *generation {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	made := g.known[uid]
	if made != nil && !labelled {
		is.labels = made.version.labels
	}
	if made != nil && made.version == is {
		made.used = now
		return made
	}

	made = &generation{version: is, used: now}
	if labelled {
		maps.DeleteFunc(g.known, func(_ types.UID, other *generation) bool { return now.Sub(other.used) > kept })
		g.known[uid] = made
	}
	return made
}
