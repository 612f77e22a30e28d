// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Account is podgate's, as the manifest has it.
const Account = "system:serviceaccount:podgate-system:podgate"

// AsPodgate reaches the API server as an administrator who has podgate's name, unless it does as somebody already.
func AsPodgate(cfg *rest.Config) *rest.Config {
	if cfg.Impersonate.UserName != "" {
		return cfg
	}
	cfg = rest.CopyConfig(cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: Account, Groups: []string{"system:masters"}}
	return cfg
}

// InstallPolicies installs the manifest's admission policies, and returns when the API server goes by them. Use it in TestMain.
func InstallPolicies(cfg *rest.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kube, err := Client(cfg)
	if err != nil {
		return err
	}

	raw, err := os.ReadFile(filepath.Join(Root(), "config", "podgate", "templates", "policies.yaml"))
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(bytes.TrimPrefix(raw, []byte("---\n")), []byte("\n---\n")) {
		var o unstructured.Unstructured
		if err := yaml.Unmarshal(document, &o.Object); err != nil {
			return fmt.Errorf("read policies: %w", err)
		}
		if err := kube.Create(ctx, &o); err != nil {
			return fmt.Errorf("create %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}

	podgate, err := Client(AsPodgate(cfg))
	if err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "policies"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	if err := kube.Create(ctx, pod); err != nil {
		return err
	}

	labelled := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"other"}}}`))
	if err := refused(ctx, func() error { return podgate.Status().Patch(ctx, pod.DeepCopy(), labelled, client.DryRunAll) }); err != nil {
		return fmt.Errorf("wait for the policy about pods: %w", err)
	}
	return kube.Delete(ctx, pod, client.GracePeriodSeconds(0))
}

// refused waits until a call that changes nothing is forbidden.
func refused(ctx context.Context, call func() error) error {
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		err := call()
		if apierrors.IsForbidden(err) {
			return true, nil
		}
		return false, err
	})
}
