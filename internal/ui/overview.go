// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/timeline"
)

// Answers are what the commands know: the pages ask them rather than decide anything.
type Answers interface {
	// Overview is about a namespace, or about all where that is empty.
	Overview(ctx context.Context, reader client.Reader, namespace string) (*Overview, error)
	// Explain says what `podgate explain` says of a pod.
	Explain(ctx context.Context, reader client.Reader, pod types.NamespacedName) (string, error)
	// Follow makes what looks at a workload again and again; kind is as a person types it.
	Follow(workload types.NamespacedName, kind string) (Look, error)
}

// Look looks at a workload, and tells what is known of the time since, with what was seen by earlier looks.
type Look func(ctx context.Context, reader client.Reader, since time.Duration) (timeline.Timeline, error)

// Longest is how far a picture may look back.
const Longest = 6 * time.Hour

// Overview is what is known of a namespace, or of all.
type Overview struct {
	Podgate Podgate
	// Problems are what is wrong, the worst first.
	Problems []Problem
	// Workloads are those whose pods carry a gate, or should. Those with a problem come first.
	Workloads      []Workload
	Bindings       []Binding
	ReadinessGates []ReadinessGate
	LoadBalancers  []LoadBalancer
	// Unknown is what the user may not read, and what cannot be told for it.
	Unknown []string
	// At is when it was found out.
	At time.Time
}

// Podgate is the installation.
type Podgate struct {
	Namespace string
	// Leader is the pod that leads; empty when nobody is seen to.
	Leader  string
	Renewed time.Time
	// Replicas answer the webhook; nil when that cannot be read.
	Replicas *int
}

// Level is how bad a problem is.
type Level string

// The levels, the worst first. All but Waiting need somebody to do something.
const (
	Broken  Level = "broken"
	Failing Level = "failing"
	Waiting Level = "waiting"
	Lacking Level = "lacking"
)

// Levels are all of them, the worst first.
func Levels() []Level { return []Level{Broken, Failing, Waiting, Lacking} }

// Problem is something that is wrong, with all that it is wrong with.
type Problem struct {
	Level Level
	// Key tells problems apart, and stays while the problem does.
	Key string
	// Title says it in a few words, and Reason is podgate's word for it; may be empty.
	Title, Reason string
	// Message is what podgate says of it, and Next what to do.
	Message, Next string
	// Since is when the first of Objects had it; zero where that is not known.
	Since time.Time
	// Objects are those with the problem, the longest first; Count is how many there are.
	Objects []Object
	Count   int
}

// Object is what a problem is about.
type Object struct {
	// Kind is "pod", or as kubectl takes it.
	Kind, Namespace, Name string
	Since                 time.Time
}

// Link is the address of the page about it; empty where there is none.
func (o Object) Link() string {
	if o.Kind != "pod" {
		return ""
	}
	return "/explain/" + url.PathEscape(o.Namespace) + "/" + url.PathEscape(o.Name)
}

// Workload is what makes pods, and how they are.
type Workload struct {
	Kind, Namespace, Name string
	// Pods counts those that run, Ready those of them that are, Waiting those at a closed gate, Leaving those that are
	// being deleted, and Ungated those that lack a gate.
	Pods, Ready, Waiting, Leaving, Ungated int
	// Revisions counts the revisions of its pods: more than one while a rollout goes on.
	Revisions int
}

// Link is the address of its page.
func (w Workload) Link() string {
	return "/workload/" + url.PathEscape(w.Namespace) + "/" + url.PathEscape(strings.ToLower(w.Kind)) + "/" + url.PathEscape(w.Name)
}

// Binding is a binding and its group.
type Binding struct {
	Kind, Namespace, Name, Service, Group string
	Status, Reason, Message               string
	Since                                 time.Time
	// Gates counts the pods that carry its gate, Open those whose gate is open.
	Gates, Open int
	// Targets says how many targets the group has and how many are healthy; empty where that is not known.
	Targets string
}

// ReadinessGate is a ReadinessGate and its checks.
type ReadinessGate struct {
	Namespace, Name, Status, Reason, Message string
	Since                                    time.Time
	// Pods says how many pods carry its gate and how many are open.
	Pods   string
	DryRun bool
	Checks []Check
}

// Check is one check of a ReadinessGate.
type Check struct {
	Name, Asks string
	// Passing, Failing and Unanswered count the pods by what the check said of them last; Asked is false while it is asked about none.
	Passing, Failing, Unanswered int
	Asked                        bool
	Message                      string
}

// LoadBalancer is that of a group of Ingresses, or of a Service.
type LoadBalancer struct {
	Group, State, Hostname, Message string
	// AskedBy names the objects that ask for it, and Serves its rules or its listeners.
	AskedBy, Serves string
	Problems        int
}
