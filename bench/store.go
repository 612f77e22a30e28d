// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// storeBatch is how many objects are put with one call: etcd takes at most 128.
const storeBatch = 100

// store is the API server's database. Through the API server, a pod and its status take two requests, and a hundred thousand pods
// a quarter of an hour.
type store struct {
	client *http.Client
	url    string
}

// openStore finds the database of the world's API server.
func (w *world) openStore(ctx context.Context) (*store, error) {
	out, err := w.localcluster(ctx, "status", "--name", clusterName(), "-o", "json")
	if err != nil {
		return nil, err
	}

	var status struct {
		Etcd struct{ URL, Authority, Certificate, Key string }
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return nil, fmt.Errorf("read the API server's status: %w", err)
	}

	authority, err := os.ReadFile(status.Etcd.Authority)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.LoadX509KeyPair(status.Etcd.Certificate, status.Etcd.Key)
	if err != nil {
		return nil, err
	}

	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	return &store{url: status.Etcd.URL, client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{certificate}}, MaxIdleConnsPerHost: parallel,
	}}}, nil
}

// put is an operation of a transaction, as etcd's JSON interface has it.
type put struct {
	Put struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	} `json:"requestPut"`
}

// write carries out a transaction.
func (s *store) write(ctx context.Context, all []put) error {
	body, err := json.Marshal(map[string]any{"success": all})
	if err != nil {
		return err
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()

	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("write to etcd: %s: %s", res.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// storePods writes pods that have been open for a while into the API server's database.
func (w *world) storePods(ctx context.Context, pods []*pod, ago time.Duration) error {
	s, err := w.openStore(ctx)
	if err != nil {
		return err
	}

	since := metav1.NewTime(time.Now().Add(-ago))
	return each(ctx, (len(pods)+storeBatch-1)/storeBatch, func(ctx context.Context, i int) error {
		batch := pods[i*storeBatch : min((i+1)*storeBatch, len(pods))]
		all := make([]put, len(batch))
		for i, p := range batch {
			var err error
			all[i].Put.Key = []byte("/registry/pods/" + apps + "/" + p.name)
			if all[i].Put.Value, err = encode(p.stored(since)); err != nil {
				return err
			}
		}
		return s.write(ctx, all)
	})
}

// stored is the pod as a kubelet and an earlier controller leave it.
func (p *pod) stored(since metav1.Time) *corev1.Pod {
	o := p.object()
	o.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	o.UID, o.CreationTimestamp, o.Generation = uuid.NewUUID(), since, 1
	o.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}}
	for _, kind := range []string{containersReady, podReady, p.gate} {
		o.Status.Conditions = append(o.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodConditionType(kind), Status: corev1.ConditionTrue, LastTransitionTime: since,
		})
	}
	return o
}

// encode gives an object as the API server stores it.
func encode(pod *corev1.Pod) ([]byte, error) {
	var out bytes.Buffer
	err := protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme).Encode(pod, &out)
	return out.Bytes(), err
}
