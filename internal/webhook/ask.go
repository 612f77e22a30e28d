// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/webhook/profile"
)

// servicePort is that of a webhook's Service when its configuration names none.
const servicePort = 443

// answerLimit bounds what is read of an answer.
const answerLimit = 1 << 20

// Whom Ask looks up.
//
// +kubebuilder:rbac:groups="",namespace=podgate-system,resources=services,verbs=get,resourceNames=podgate-webhook

// Ask asks the webhook what it would add to a pod that was made like this one now, the way the API server does: through the
// Service and with the authority that the configuration's first entry for gates names. It is an error when no replica
// answers, or when the answer does not add all of the gates. That an API server reaches the Service as well it cannot tell.
func Ask(ctx context.Context, services client.Reader, c *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error {
	i := slices.IndexFunc(c.Webhooks, func(w admissionv1.MutatingWebhook) bool { return profile.AsksForGates(profile.PathOf(&w)) })
	if i < 0 {
		return fmt.Errorf("webhook configuration %s has no entry that asks for gates", c.Name)
	}

	to := c.Webhooks[i].ClientConfig
	name := to.Service.Name + "." + to.Service.Namespace + ".svc"
	host, port := name, int32(servicePort)
	if to.Service.Port != nil {
		port = *to.Service.Port
	}

	// Without the right to read the Service, the cluster's DNS has its address.
	var svc corev1.Service
	if err := services.Get(ctx, client.ObjectKey{Namespace: to.Service.Namespace, Name: to.Service.Name}, &svc); err == nil && svc.Spec.ClusterIP != "" {
		host = svc.Spec.ClusterIP
	}

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(to.CABundle) {
		return errors.New("the webhook configuration has no usable caBundle")
	}

	body, err := created(pod)
	if err != nil {
		return err
	}

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	return answers(ctx, &http.Client{Transport: transport}, "https://"+net.JoinHostPort(host, strconv.Itoa(int(port)))+profile.AllGatesPath, body, gates)
}

// created is a review of the creation of a pod like this one.
func created(pod *corev1.Pod) ([]byte, error) {
	object, err := stdjson.Marshal(&corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: pod.Name + "-", Labels: pod.Labels, OwnerReferences: pod.OwnerReferences},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode pod %s: %w", pod.Name, err)
	}
	return stdjson.Marshal(review{APIVersion: reviewAPIVersion, Kind: reviewKind, Request: &request{
		UID: string(pod.UID), Resource: resource{Version: "v1", Resource: "pods"}, Namespace: pod.Namespace, Operation: "CREATE", Object: object,
	}})
}

// answers sends a review, and wants these gates added.
func answers(ctx context.Context, c *http.Client, url string, body []byte, gates []string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}

	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("ask the webhook: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answered, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("read the webhook's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the webhook answers %s", resp.Status)
	}

	var a struct {
		Response struct {
			Patch string `json:"patch"`
		} `json:"response"`
	}
	if err := stdjson.Unmarshal(answered, &a); err != nil {
		return fmt.Errorf("read the webhook's answer: %w", err)
	}

	patch, err := base64.StdEncoding.DecodeString(a.Response.Patch)
	if err != nil {
		return fmt.Errorf("read the webhook's patch: %w", err)
	}

	for _, g := range gates {
		if !strings.Contains(string(patch), `"`+g+`"`) {
			return fmt.Errorf("the webhook would not add the gate %s", g)
		}
	}

	return nil
}
