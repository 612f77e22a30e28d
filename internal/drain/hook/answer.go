// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"net/url"
	"strings"
)

// Path is where every replica of podgate, beside the admission webhook, answers pods
// that ask whether they may end.
const Path = "/v1/drain"

// Answer is what podgate says to a pod. Its zero value keeps the pod.
type Answer struct {
	// Released: every load balancer of the pod has let go of it. The pod ends when the
	// sockets at Ports are quiet as well.
	Released bool `json:"released,omitempty"`
	// Restart: the kubelet restarts this container, and the pod stays.
	Restart bool `json:"restart,omitempty"`
	// Ports are those of the pod's targets.
	Ports []int32 `json:"ports,omitempty"`
	// Turns: one request at a time is on each connection at Ports, in the clear, and the bindings' owners say that nobody waits
	// on one where nothing moves.
	Turns bool `json:"turns,omitempty"`
}

// Question is what a pod asks.
type Question struct {
	// Namespace, Pod and UID say which pod asks; whoever does not know the UID is told nothing.
	Namespace, Pod, UID string
	// Container is the one whose hook asks.
	Container string
	// Bindings are those that the hook was made for: each must have let go.
	Bindings []string
}

// Values is the question as a query.
func (q Question) Values() url.Values {
	return url.Values{
		"namespace": {q.Namespace}, "pod": {q.Pod}, "uid": {q.UID}, "container": {q.Container}, "binding": q.Bindings,
	}
}

// ReadQuestion reads what Values made.
func ReadQuestion(v url.Values) (Question, error) {
	q := Question{
		Namespace: v.Get("namespace"), Pod: v.Get("pod"), UID: v.Get("uid"), Container: v.Get("container"), Bindings: v["binding"],
	}

	for _, s := range append([]string{q.Namespace, q.Pod, q.UID, q.Container}, q.Bindings...) {
		if s == "" || len(s) > 253 || strings.ContainsAny(s, " \n") {
			return Question{}, errors.New("a name is missing or malformed")
		}
	}

	if len(q.Bindings) == 0 {
		return Question{}, errors.New("no binding is named")
	}

	return q, nil
}
