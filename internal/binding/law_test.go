// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLaw12BindingsReachNoLoadBalancer: the webhook decides by bindings, so what they are made of calls nobody. They
// use the words of the seam and what is true of each load balancer, whose own imports the webhook's test looks at, and
// neither a driver nor the list of drivers, which links all of them.
func TestLaw12BindingsReachNoLoadBalancer(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		driver := strings.HasPrefix(dep, "github.com/podgate/podgate/internal/balancer/") && !strings.HasSuffix(dep, "/traits")
		if strings.Contains(dep, "aws-sdk-go") || driver {
			t.Errorf("package binding depends on %s", dep)
		}
	}
}
