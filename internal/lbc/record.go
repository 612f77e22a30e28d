// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;create;update;delete

// Records keep which targets this cluster registered in groups that it shares with
// others, durably: a row without a pod may be a dead pod's of this cluster, which must
// go, or another cluster's, which must stay, and nothing else tells after a restart.
//
// They are kept where AWS Load Balancer Controller keeps its own, and in its format,
// so that either can go on from the other's.
type Records struct {
	client client.Client
	// reader is uncached: one read of a binding's record for each process.
	reader client.Reader
	// lag is how far what is read of a group may be behind what was done to it.
	lag func(balancer.Ref) time.Duration
	now func() time.Time

	mu    sync.Mutex
	known map[types.NamespacedName]*Record
}

// NewRecords makes Records that have read nothing yet. The reader is uncached.
// Drivers say how far reads may lag.
func NewRecords(c client.Client, reader client.Reader, drivers balancer.Drivers, now func() time.Time) *Records {
	return &Records{client: c, reader: reader, lag: drivers.Lag, now: now, known: map[types.NamespacedName]*Record{}}
}

// Record is what this cluster registered for one binding. A nil record is of a group
// that no other cluster shares: all of it is this cluster's, and nothing is written.
// One binding is reconciled at a time, so it needs no lock.
type Record struct {
	of *Records
	// binding and key name the binding and the ConfigMap.
	binding, key types.NamespacedName
	// uid is the binding's and created when it was made.
	uid     types.UID
	created time.Time
	// lag is that of the binding's group.
	lag time.Duration
	// stored is the object as it was last read or written.
	stored corev1.ConfigMap
	// targets are this cluster's, each with the time of the call or the read that made it so.
	targets map[gate.Target]time.Time
	// others are entries that are no target; they are kept.
	others []string
	// err is why it could not be read or written; the next reconciliation reads it again.
	err error
}

// RecordError says that a record cannot be read or written.
type RecordError struct{ err error }

// Error implements error.
func (e *RecordError) Error() string { return "record of registered targets: " + e.err.Error() }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.err }

// Load returns a binding's record; nil when the group is this cluster's alone.
func (r *Records) Load(ctx context.Context, b *binding.Binding) *Record {
	if !b.Shared {
		return nil
	}

	key := b.Key()
	r.mu.Lock()
	rec := r.known[key]
	r.mu.Unlock()

	if rec != nil {
		return rec
	}

	rec = &Record{
		of: r, binding: key, key: types.NamespacedName{Namespace: b.Namespace, Name: elbv2.LBCTargetsPrefix + b.Name},
		uid: b.UID, created: b.CreationTimestamp.Time, lag: r.lag(b.Ref), targets: map[gate.Target]time.Time{},
	}
	if err := r.reader.Get(ctx, rec.key, &rec.stored); client.IgnoreNotFound(err) != nil {
		rec.err = &RecordError{fmt.Errorf("get ConfigMap %s: %w", rec.key, err)}
		return rec
	}

	if rec.believed() {
		rec.parse()
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[key] = rec

	return rec
}

// Forget makes the next load read again.
func (r *Records) Forget(binding types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, binding)
}

// Delete removes a deleted binding's record.
func (r *Records) Delete(ctx context.Context, b *binding.Binding) error {
	if !b.Shared {
		return nil
	}
	var cm corev1.ConfigMap
	cm.Namespace, cm.Name = b.Namespace, elbv2.LBCTargetsPrefix+b.Name
	if err := r.client.Delete(ctx, &cm); client.IgnoreNotFound(err) != nil {
		return &RecordError{fmt.Errorf("delete ConfigMap %s/%s: %w", cm.Namespace, cm.Name, err)}
	}
	return nil
}

// believed reports whether what is stored was recorded for this binding, and not copied from another cluster along with
// it: podgate signs what it writes with the binding's UID, and what AWS Load Balancer Controller wrote is younger than the
// binding. A copy may be made within the same second, which is therefore not younger, but that controller writes its own
// again as targets come and go. What is not believed is replaced.
func (r *Record) believed() bool {
	if of, signed := r.stored.Annotations[v1alpha1.RecordOfAnnotation]; signed {
		return of == string(r.uid)
	}
	made := r.stored.CreationTimestamp
	return made.IsZero() || made.After(r.created) || recordedAt(&r.stored).After(r.created)
}

// recordedAt returns when the targets of a record were last written, as the API server noted; zero when it did not. A copy
// that brings such notes along was written before it was made.
func recordedAt(cm *corev1.ConfigMap) time.Time {
	var last time.Time
	for _, entry := range cm.ManagedFields {
		var wrote struct {
			Data map[string]any `json:"f:data"`
		}
		if entry.Time == nil || entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &wrote) != nil {
			continue
		}
		if _, targets := wrote.Data["f:"+elbv2.LBCTargetsKey]; targets && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}

func (r *Record) parse() {
	for entry := range strings.SplitSeq(r.stored.Data[elbv2.LBCTargetsKey], ",") {
		t, err := parseEntry(entry)
		switch {
		case err == nil:
			r.targets[t] = r.of.now()
		case entry != "":
			r.others = append(r.others, entry)
		}
	}
}

// parseEntry reads "address:port" or "instance:port"; an IPv6 address has no brackets.
func parseEntry(entry string) (gate.Target, error) {
	i := strings.LastIndexByte(entry, ':')
	if i < 0 {
		return gate.Target{}, errors.New("no port")
	}
	port, err := strconv.ParseInt(entry[i+1:], 10, 32)
	if err != nil {
		return gate.Target{}, err
	}
	return gate.ParseTarget(entry[:i], int32(port))
}

func (r *Record) encode() string {
	entries := slices.Clone(r.others)
	for t := range r.targets {
		entries = append(entries, fmt.Sprintf("%s:%d", t.ID(), t.Port))
	}
	slices.Sort(entries)
	return strings.Join(entries, ",")
}

// Owns reports whether a target is this cluster's to remove.
func (r *Record) Owns(t gate.Target) bool {
	if r == nil {
		return true
	}
	_, registered := r.targets[t]
	return registered
}

// Err returns why the record cannot be read; nil when it can.
func (r *Record) Err() error {
	if r == nil {
		return nil
	}
	return r.err
}

// Add notes targets that are about to be registered. Without that they must not be:
// the call may succeed although its answer is lost, and the process die of it.
func (r *Record) Add(ctx context.Context, targets []gate.Target) error {
	if r == nil {
		return nil
	}
	for _, t := range targets {
		r.targets[t] = r.of.now()
	}
	return r.save(ctx)
}

// Settle brings the record in step with a read of the group: rows that are the binding's
// own are this cluster's, whoever registered them; what is gone or leaving is nobody's, since
// another cluster may get the address next. A read proves that only when it began long
// enough after the call that registered the target.
func (r *Record) Settle(ctx context.Context, snap observe.Snapshot, own iter.Seq[gate.Target]) error {
	if r == nil || snap.Targets == nil {
		return r.Err()
	}

	for t := range own {
		if h, held := snap.Targets[t]; held && !h.Leaving() && !r.Owns(t) {
			r.targets[t] = r.of.now()
		}
	}

	maps.DeleteFunc(r.targets, func(t gate.Target, since time.Time) bool {
		h, held := snap.Targets[t]
		return (!held || h.Leaving()) && !snap.Started.Before(since.Add(r.lag))
	})

	return r.save(ctx)
}

// save writes the record if it changed. After a failure it is read again: somebody else,
// such as a leader that does not know yet that it is none, may have written it.
func (r *Record) save(ctx context.Context) error {
	data := r.encode()
	before, written := r.stored.Data[elbv2.LBCTargetsKey]
	if r.err != nil || written && before == data || !written && data == "" {
		return r.err
	}

	next := r.stored.DeepCopy()
	next.Namespace, next.Name = r.key.Namespace, r.key.Name
	if next.Data == nil {
		next.Data = map[string]string{}
	}

	next.Data[elbv2.LBCTargetsKey] = data
	if r.uid != "" {
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, v1alpha1.RecordOfAnnotation, string(r.uid))
	}

	var err error
	if next.ResourceVersion == "" {
		err = r.of.client.Create(ctx, next)
	} else {
		err = r.of.client.Update(ctx, next)
	}

	if err != nil {
		r.of.Forget(r.binding)
		r.err = &RecordError{fmt.Errorf("write ConfigMap %s: %w", r.key, err)}
		return r.err
	}

	r.stored = *next
	return nil
}

// Raced reports whether an error only says that a record was written by somebody else meanwhile.
func Raced(err error) bool {
	var failed *RecordError
	return errors.As(err, &failed) && (apierrors.IsConflict(failed) || apierrors.IsAlreadyExists(failed))
}
