// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replicaLogs are what podgate's replicas log since a moment, also those that are gone when
// somebody wants to know.
type replicaLogs struct {
	world  *world
	begun  metav1.Time
	cancel context.CancelFunc

	mu    sync.Mutex
	lines []logLine
}

// logLine is one line of a replica.
type logLine struct {
	at   time.Time
	text string
}

// followReplicas follows the logs of podgate's replicas, old and new, until the test ends.
func (w *world) followReplicas() *replicaLogs {
	ctx, cancel := context.WithCancel(w.ctx)
	l := &replicaLogs{world: w, begun: metav1.Now(), cancel: cancel}
	go l.run(ctx)
	return l
}

func (l *replicaLogs) run(ctx context.Context) {
	followed := map[string]bool{} // by container
	for ctx.Err() == nil {
		// What cannot be listed now can be the next time.
		pods, _ := l.world.podgatePods(ctx)
		for _, p := range pods {
			for _, c := range p.Status.ContainerStatuses {
				if c.State.Running != nil && !followed[c.ContainerID] {
					followed[c.ContainerID] = true
					go l.follow(ctx, p.Name)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookInterval):
		}
	}
}

// follow reads a replica's log until the replica ends. An error becomes a line of it.
func (l *replicaLogs) follow(ctx context.Context, pod string) {
	stream, err := l.world.clientset.CoreV1().Pods(podgateNamespace).GetLogs(pod, &corev1.PodLogOptions{Follow: true, Timestamps: true, SinceTime: &l.begun}).Stream(ctx)
	if err != nil {
		l.add(logLine{time.Now(), pod + ": " + err.Error()})
		return
	}

	defer func() { _ = stream.Close() }()
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		stamp, text, _ := strings.Cut(lines.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			at, text = time.Now(), lines.Text()
		}
		l.add(logLine{at, pod + " " + text})
	}

	if err := lines.Err(); err != nil && ctx.Err() == nil {
		l.add(logLine{time.Now(), pod + ": " + err.Error()})
	}
}

func (l *replicaLogs) add(line logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// between is what was logged in a time, in order.
func (l *replicaLogs) between(from, to time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortStableFunc(l.lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	var out []string
	for _, line := range l.lines {
		if !line.at.Before(from) && !line.at.After(to) {
			out = append(out, line.at.Format(clock)+" "+line.text)
		}
	}
	return strings.Join(out, "\n")
}

// apiServerLog is the cluster's.
func apiServerLog() string {
	return filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "log", "kube-apiserver.log")
}

// lostCalls reads what the API server logs, from now on, about calls of webhooks that failed and that it ignored.
func lostCalls() (func() (string, error), error) {
	f, err := os.Open(apiServerLog())
	if err != nil {
		return nil, fmt.Errorf("read the API server's log: %w", err)
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(fmt.Errorf("read the API server's log: %w", err), f.Close())
	}

	return func() (string, error) {
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(f)
		if err != nil {
			return "", fmt.Errorf("read the API server's log: %w", err)
		}
		var lost []string
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "failing open") {
				lost = append(lost, strings.TrimSpace(line))
			}
		}
		return strings.Join(lost, "\n"), nil
	}, nil
}
