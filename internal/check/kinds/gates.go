// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/observe/checks"
)

// fresh is how long the checks of a gate are used that were made once: what is allowed may change without the gate.
const fresh = 30 * time.Second

// Gates has what ReadinessGates ask, as it is in a cache. It makes checks once for each generation of a gate, and when
// people approve.
type Gates struct {
	reader client.Reader
	maker  Maker

	mu    sync.Mutex
	known map[types.UID]definition
}

// definition is what was made of a generation of a gate, with what people had approved of.
type definition struct {
	generation int64
	approvals  string
	at         time.Time
	def        *checks.Definition
}

// NewGates returns the gates that a cache has, with the checks that a Maker makes of them.
func NewGates(r client.Reader, m Maker) *Gates {
	return &Gates{reader: r, maker: m, known: map[types.UID]definition{}}
}

// Gate returns what a gate asks; nil when there is no such gate, or when the cache cannot be read.
func (g *Gates) Gate(ctx context.Context, id checks.Gate) *checks.Definition {
	var object v1alpha1.ReadinessGate
	err := g.reader.Get(ctx, types.NamespacedName{Namespace: id.Namespace, Name: id.Name}, &object)
	if err != nil || object.UID != id.UID {
		return nil
	}

	now, approvals := time.Now(), object.Annotations[v1alpha1.ApprovalsAnnotation]
	g.mu.Lock()
	known := g.known[id.UID]
	g.mu.Unlock()
	if known.def != nil && known.generation == object.Generation && known.approvals == approvals && now.Sub(known.at) < fresh {
		return known.def
	}

	made := definition{generation: object.Generation, approvals: approvals, at: now, def: g.maker.Definition(ctx, &object)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[id.UID] = made
	for uid, other := range g.known {
		if now.Sub(other.at) > 2*fresh {
			delete(g.known, uid)
		}
	}
	return made.def
}
