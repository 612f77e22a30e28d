// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/test/chromium"
)

// TestUI looks at the pages of podgate ui in a browser: a gate stays closed, the pod's target gets healthy, the pod drains and
// goes, and podgate's leader dies meanwhile. Time is scaled.
func TestUI(t *testing.T) {
	s := start(t, scaled()).wireOne(nil)
	p := chromium.Start(t).Open(t, s.ui(), 1280, 900)
	leader, err := s.leader(s.ctx)
	s.must(err)
	p.Says("#installation", leader.Name+" leads", "2 replicas answer the webhook")
	p.Says("#problems", "Nothing is wrong")

	pod := s.scripted("unhealthy", "Target.Timeout")
	p.Says("#problems", "1 pod at a closed gate", "Target.Timeout", "Next:", pod)
	p.Says("#workloads", "0/1", "1 waiting")
	p.Says("#bindings", "True", "Synced", "0/1")

	p.Click("#workloads a")
	lane := fmt.Sprintf("[data-pod=%q] ", pod)
	shows := func(what, selector string) {
		t.Helper()
		p.Wait(what, fmt.Sprintf("document.querySelector('%s')", lane+selector))
	}
	shows("the gate is closed, and somebody has to act", ".gate.failing")
	shows("the target is unhealthy", ".target.unhealthy")
	s.must(s.sim.ClearHealth(s.ctx, s.lb.TargetGroupARN, nil))
	shows("the gate is open", ".gate.open")
	shows("the pod is Ready", ".pod.ready")

	s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: pod}}))
	shows("the pod is terminating", ".pod.terminating")
	shows("the target drains", ".target.draining")
	p.Screenshot("out/ui/cluster-drain.png")

	s.kill([]corev1.Pod{*leader})
	here := p.Location(path(p))
	p.Go(p.Location("/"))
	p.Wait("another replica leads", fmt.Sprintf(`document.querySelector("#installation").innerText.includes(" leads") && !document.querySelector("#installation").innerText.includes(%q)`, leader.Name))
	p.Says("#workloads", "1/1", "all open")
	p.Says("#problems", "Nothing is wrong")
	leader, err = s.leader(s.ctx)
	s.must(err)
	p.Says("#installation", leader.Name+" leads")

	p.Go(here)
	p.Wait("the lane of the pod has ended", fmt.Sprintf(`["terminating", "gone at"].every(word => document.querySelector('%s').ariaLabel.includes(word))`, lane))
	p.Wait("another pod serves", fmt.Sprintf(`document.querySelector('[data-pod]:not(%s) .gate.open')`, strings.TrimSpace(lane)))
	p.Screenshot("out/ui/cluster-gone.png")
	for _, e := range p.Errors() {
		t.Errorf("the console says: %s", e)
	}
}

// path is that of the page that is open.
func path(p *chromium.Page) (path string) {
	p.Helper()
	p.Eval("location.pathname", &path)
	return path
}

// ui runs podgate ui until the test ends, and returns the address that it prints.
func (s *service) ui() string {
	s.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(podgateBinary, "ui", "-n", s.app.Namespace)
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())

	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	s.t.Cleanup(func() {
		s.must(cmd.Process.Signal(os.Interrupt))
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("podgate ui ends with %v: %s", err, said.String())
		}
	})
	s.must(err)
	_, address, found := strings.Cut(strings.TrimSpace(line), "The page is at ")
	if !found {
		s.t.Fatalf("podgate ui says %q", line)
	}
	return address
}
