// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"fmt"
	"strings"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/chromium"
)

// restart: while the API server is away the page says so and shows what it knew, and goes on by itself when it is back.
func restart(s *scene, browser *chromium.Browser) {
	s.wire()
	s.deployment(1)
	waits := s.waiting(after, "a")
	p := browser.Open(s, s.serve(shared, "-n", s.ns), 1280, 900)
	p.Says("#problems", "1 pod at a closed gate")
	p.Wait("it is connected", `!document.querySelector("#away")`)
	p.Eval(`window.loaded = "once"`, nil)

	start := kubetest.StopAPIServer(s)
	p.Says("#away", "Not connected to the API server for ", "What follows is what it said before. dial tcp ", "connection refused")
	p.Says("#problems", "1 pod at a closed gate", "Target.Timeout")
	p.Says("#workloads", "0/1", "1 waiting")
	sound(p, "disconnected")

	// A page that was not shown before says that it waits, too.
	var unseen string
	p.Eval(fmt.Sprintf(`fetch("/workload/%s/deployment/web?content=").then(answer => answer.text())`, s.ns), &unseen)
	for _, want := range []string{"Not connected to the API server for ", "There is nothing to show yet: ", "The page tries again by itself."} {
		if !strings.Contains(unseen, want) {
			s.Errorf("a page that was not shown before does not say %q, but\n%s", want, unseen)
		}
	}

	start()
	p.Wait("it is connected again", `!document.querySelector("#away")`)
	s.become(waits, serving()...)
	p.Says("#workloads", "1/1", "all open")
	p.Wait("the page was not loaded again", `window.loaded === "once"`)
	for _, e := range p.Errors() {
		s.Errorf("the console says: %s", e)
	}
}
