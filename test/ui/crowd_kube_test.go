// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/test/chromium"
)

// How many pods the crowd has, and how many of them wait.
const (
	many  = 2000
	stuck = 60
)

// crowd: of 2,000 pods the first page says what is wrong with how many, the workload's page draws counts and the lanes of most
// interest, and each pod can be reached. It logs how long a person waits, and asserts that it is not forever.
func crowd(s *scene, browser *chromium.Browser) {
	s.wire()
	d := s.deployment(many)
	d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas = many, many/2, many-stuck
	if err := s.kube.Status().Update(s.Context(), d); err != nil {
		s.Fatal(err)
	}
	pods := s.crowded()

	p := browser.Open(s, s.serve(shared, "-n", s.ns), 1280, 900)
	s.Logf("first page: painted after %.0f ms", painted(p))
	p.Says("#problems", fmt.Sprintf("%d pods at a closed gate", stuck), "Target.Timeout", "Next:", fmt.Sprintf("%d more", stuck-8))
	p.Says("#workloads", fmt.Sprintf("%d/%d", many-stuck, many), fmt.Sprintf("%d waiting", stuck), "rollout")

	p.Click("#workloads a")
	p.Wait("the page of the workload is there", `location.pathname.endsWith("/deployment/web")`)
	p.Wait("pods have lanes", `document.querySelector("[data-pod]")`)
	s.Logf("the workload's page: painted after %.0f ms", painted(p))
	p.Says("#progress", fmt.Sprintf("%d of %d pods are of the latest revision", many/2, many))
	p.Says("#lanes", fmt.Sprintf("40 of %d pods have a lane of their own", many))
	p.Wait("the pods of each revision are drawn as areas", `document.querySelectorAll(".timeline .row:not([data-pod]) polygon").length >= 2`)
	p.Wait("all lanes are of pods that wait", `document.querySelectorAll("[data-pod]").length === 40 && document.querySelectorAll("[data-pod] .pod.waiting").length === 40`)
	var first []string
	p.Eval(lanes, &first)

	// One that waits gets Ready, and its lane goes to another pod that waits.
	changed := time.Now()
	s.open(pods[first[0]])
	p.Wait("its lane is another's", fmt.Sprintf(`document.querySelectorAll("[data-pod]").length === 40 && !document.querySelector("[data-pod=%s]")`, first[0]))
	s.Logf("the workload's page: up to date after %d ms", time.Since(changed).Milliseconds())
	sound(p, "crowd")

	p.Click("#ways a")
	p.Wait("the next pods have lanes", `location.search.includes("after=40") && document.querySelectorAll("[data-pod]").length === 40`)
	p.Says("#lanes", fmt.Sprintf("Pods 41 to 80 of %d have a lane here", many), "← the 40 before", "the next 40 →")
	p.Wait("the others that wait are among them, and the one that did", fmt.Sprintf(`document.querySelectorAll("[data-pod] .pod.waiting").length === %d`, stuck-40))

	p.Click("#ways a:last-child")
	p.Wait("each pod has a row", fmt.Sprintf(`document.querySelectorAll("#table tbody tr").length === %d`, many))
	s.Logf("the table: painted after %.0f ms", painted(p))

	p.Go(p.Location("/"))
	changed = time.Now()
	s.open(pods[first[1]])
	p.Says("#workloads", fmt.Sprintf("%d/%d", many-stuck+2, many))
	s.Logf("first page: up to date after %d ms", time.Since(changed).Milliseconds())
	for _, e := range p.Errors() {
		s.Errorf("the console says: %s", e)
	}
}

// lanes are the names of the pods that have one.
const lanes = `[...document.querySelectorAll("[data-pod]")].map(e => e.dataset.pod)`

// painted is how long after it was asked for a page showed something, in milliseconds.
func painted(p *chromium.Page) (after float64) {
	p.Helper()
	const first = `performance.getEntriesByName("first-contentful-paint")[0]`
	p.Wait("something is painted", first)
	p.Eval(first+".startTime", &after)
	return after
}

// crowded makes the pods of Deployment web, half of them of a new revision, some of which wait.
func (s *scene) crowded() map[string]*corev1.Pod {
	s.Helper()
	pods := map[string]*corev1.Pod{}
	var group errgroup.Group
	group.SetLimit(16)
	for i := range many {
		revision, waits := before, false
		if i >= many/2 {
			revision, waits = after, i < many/2+stuck
		}
		p := pod(revision, fmt.Sprintf("%04d", i))
		p.Namespace = s.ns
		pods[p.Name] = p

		group.Go(func() error {
			if err := s.kube.Create(s.Context(), p); err != nil {
				return err
			}
			runs(p, serving()...)
			if waits {
				runs(p, closed()...)
			}
			return s.kube.Status().Update(s.Context(), p)
		})
	}
	if err := group.Wait(); err != nil {
		s.Fatal(err)
	}
	return pods
}

// open opens the gate of a pod.
func (s *scene) open(p *corev1.Pod) {
	s.Helper()
	s.become(p, serving()...)
}
