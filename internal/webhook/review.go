// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	stdjson "encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"github.com/podgate/podgate/internal/injection"
)

const (
	reviewAPIVersion = "admission.k8s.io/v1"
	reviewKind       = "AdmissionReview"
)

// review is what the handler reads of an AdmissionReview.
type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Request    *request `json:"request"`
}

type request struct {
	UID         string             `json:"uid"`
	Resource    resource           `json:"resource"`
	SubResource string             `json:"subResource"`
	Namespace   string             `json:"namespace"`
	Operation   string             `json:"operation"`
	Object      stdjson.RawMessage `json:"object"`
}

type resource struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"`
}

// createsPod reports whether the request is one that podgate has something to say about.
// Others reach it when people edit the webhook's rules; they pass.
func (r *request) createsPod() bool {
	return r.Operation == "CREATE" && r.SubResource == "" &&
		r.Resource == resource{Version: "v1", Resource: "pods"}
}

// pod is what the handler reads of a pod. Its Spec is nil when the pod has none.
type pod struct {
	Metadata struct {
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		OwnerReferences []ownerReference  `json:"ownerReferences"`
		ManagedFields   []managedFields   `json:"managedFields"`
	} `json:"metadata"`
	Spec *struct {
		ReadinessGates []struct {
			ConditionType string `json:"conditionType"`
		} `json:"readinessGates"`
		// No API server sends null, which no patch could enter.
		Containers     []*container    `json:"containers"`
		Grace          *int64          `json:"terminationGracePeriodSeconds"`
		InitContainers []initContainer `json:"initContainers"`
		// What follows only adaptive hooks read.
		Volumes []volume `json:"volumes"`
		OS      struct {
			Name string `json:"name"`
		} `json:"os"`
		RuntimeClass    string            `json:"runtimeClassName"`
		HostUsers       *bool             `json:"hostUsers"`
		NodeSelector    map[string]string `json:"nodeSelector"`
		SecurityContext struct {
			RunAsUser *int64 `json:"runAsUser"`
		} `json:"securityContext"`
	} `json:"spec"`
}

// ownerReference is what is read of one.
type ownerReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// container is what is read of an ordinary one.
type container struct {
	Name      string                 `json:"name"`
	Ports     []corev1.ContainerPort `json:"ports"`
	Env       []named                `json:"env"`
	Lifecycle *struct {
		PreStop stdjson.RawMessage `json:"preStop"`
	} `json:"lifecycle"`
	VolumeMounts []struct {
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
	Resources struct {
		Requests map[string]stdjson.RawMessage `json:"requests"`
		Limits   map[string]stdjson.RawMessage `json:"limits"`
	} `json:"resources"`
}

// initContainer is what is read of one; restarted always, it is a sidecar.
type initContainer struct {
	named
	RestartPolicy string                 `json:"restartPolicy"`
	Ports         []corev1.ContainerPort `json:"ports"`
}

// volume is what is read of one.
type volume struct {
	named
	// Image is there when the volume is the content of an image.
	Image *struct {
		Reference string `json:"reference"`
	} `json:"image"`
}

// named is what is read of an environment variable.
type named struct {
	Name string `json:"name"`
}

// decodeRequest reads a review's request. Like the API server, and unlike encoding/json,
// it tells the case of field names apart.
func decodeRequest(body []byte) (*request, error) {
	var r review
	if err := json.UnmarshalCaseSensitivePreserveInts(body, &r); err != nil {
		return nil, fmt.Errorf("decode admission review: %w", err)
	}
	if r.APIVersion != reviewAPIVersion || r.Kind != reviewKind {
		return nil, fmt.Errorf("want %s %s, got %q %q", reviewAPIVersion, reviewKind, r.APIVersion, r.Kind)
	}
	if r.Request == nil || r.Request.UID == "" {
		return nil, errors.New("admission review has no request with a uid")
	}
	return r.Request, nil
}

// decodePod reads a new pod.
func decodePod(object []byte) (pod, error) {
	var p pod
	if err := json.UnmarshalCaseSensitivePreserveInts(object, &p); err != nil {
		return pod{}, fmt.Errorf("decode pod: %w", err)
	}
	if p.Spec == nil {
		return pod{}, errors.New("pod has no spec")
	}
	return p, nil
}

// injectable is the pod as injection sees it.
func (p pod) injectable() injection.Pod {
	_, static := p.Metadata.Annotations[corev1.MirrorPodAnnotationKey]
	out := injection.Pod{Labels: p.Metadata.Labels, Workload: p.workload(), Ports: p.ports(), Hooks: p.hooks(), Stated: p.stated(), Static: static}
	for _, g := range p.Spec.ReadinessGates {
		out.Gates = append(out.Gates, g.ConditionType)
	}
	return out
}

// ports lists those that containers declare which run while the pod serves.
func (p pod) ports() []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, c := range p.Spec.Containers {
		if c != nil {
			ports = append(ports, c.Ports...)
		}
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy == string(corev1.ContainerRestartPolicyAlways) {
			ports = append(ports, c.Ports...)
		}
	}
	return ports
}

// answer is an AdmissionReview with a response.
type answer struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   response `json:"response"`
}

type response struct {
	UID       string `json:"uid"`
	Allowed   bool   `json:"allowed"`
	PatchType string `json:"patchType,omitempty"`
	// Patch is a JSON patch, base64 on the wire.
	Patch []byte `json:"patch,omitempty"`
}

// encodeAnswer allows the request, with a patch or, when patch is empty, without.
func encodeAnswer(uid string, patch []operation) ([]byte, error) {
	a := answer{APIVersion: reviewAPIVersion, Kind: reviewKind, Response: response{UID: uid, Allowed: true}}
	if len(patch) > 0 {
		raw, err := stdjson.Marshal(patch)
		if err != nil {
			return nil, fmt.Errorf("encode patch: %w", err)
		}
		a.Response.PatchType, a.Response.Patch = "JSONPatch", raw
	}
	return stdjson.Marshal(a)
}
