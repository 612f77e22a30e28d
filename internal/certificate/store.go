// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// store reads and writes the two objects. Reads are live and give nil for what is missing.
// Writes are refused, with errMoved, when the object has changed since.
type store interface {
	Configuration(context.Context) (*admissionv1.MutatingWebhookConfiguration, error)
	Secret(context.Context) (*corev1.Secret, error)
	CreateSecret(context.Context, *corev1.Secret) (*corev1.Secret, error)
	UpdateSecret(context.Context, *corev1.Secret) (*corev1.Secret, error)
	PatchConfiguration(context.Context, []byte) error
}

// errMoved says that a write was refused because somebody else was faster.
var errMoved = errors.New("the object has changed in the meantime")

// apiStore is a store in the cluster.
type apiStore struct {
	client            kubernetes.Interface
	namespace, secret string
}

func (s apiStore) Configuration(ctx context.Context) (*admissionv1.MutatingWebhookConfiguration, error) {
	c, err := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, ConfigurationName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return c, err
}

func (s apiStore) Secret(ctx context.Context) (*corev1.Secret, error) {
	c, err := s.client.CoreV1().Secrets(s.namespace).Get(ctx, s.secret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return c, err
}

func (s apiStore) CreateSecret(ctx context.Context, o *corev1.Secret) (*corev1.Secret, error) {
	saved, err := s.client.CoreV1().Secrets(s.namespace).Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil, errMoved
	}
	return saved, err
}

func (s apiStore) UpdateSecret(ctx context.Context, o *corev1.Secret) (*corev1.Secret, error) {
	saved, err := s.client.CoreV1().Secrets(s.namespace).Update(ctx, o, metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil, errMoved
	}
	return saved, err
}

func (s apiStore) PatchConfiguration(ctx context.Context, patch []byte) error {
	_, err := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().
		Patch(ctx, ConfigurationName, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	// 422 is the answer to an operation "test" that failed.
	if apierrors.IsInvalid(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("%w (%s)", errMoved, err.Error())
	}
	return err
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// bundlePatch sets caBundle of every entry that differs, and nothing else. It applies to
// exactly the configuration that was read: entries are addressed by position.
func bundlePatch(c *admissionv1.MutatingWebhookConfiguration, bundle []byte) ([]byte, error) {
	ops := []operation{{Op: "test", Path: "/metadata/resourceVersion", Value: c.ResourceVersion}}
	for i := range c.Webhooks {
		if string(c.Webhooks[i].ClientConfig.CABundle) == string(bundle) {
			continue
		}
		ops = append(ops, operation{Op: "add", Path: "/webhooks/" + strconv.Itoa(i) + "/clientConfig/caBundle", Value: bundle})
	}
	return json.Marshal(ops)
}

func bundlesOf(c *admissionv1.MutatingWebhookConfiguration) bundles {
	if c == nil {
		return nil
	}
	var out bundles
	for i := range c.Webhooks {
		out = append(out, c.Webhooks[i].ClientConfig.CABundle)
	}
	return out
}
