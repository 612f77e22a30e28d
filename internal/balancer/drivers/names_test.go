// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drivers

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// named is how identifiers, literals and imports name a load balancer: HAProxy and Lattice in any spelling, podgate's own field
// ELBv2, the kind "elbv2", and the folders of the drivers. The API group of AWS Load Balancer Controller, whose name has an elbv2, too, is
// not meant.
var named = regexp.MustCompile(`(?i)haproxy|lattice|^ELBv2|^elbv2$|^github\.com/podgate/podgate/internal/balancer/(elbv2|haproxy|lattice)`)

// lbcKind is how files import AWS Load Balancer Controller's kind.
const lbcKind = "github.com/podgate/podgate/api/elbv2/v1beta1"

// mayName are the folders and files that may name a load balancer, with the reason.
var mayName = map[string]string{
	"internal/balancer/elbv2":      "a driver's folder",
	"internal/balancer/haproxy":    "a driver's folder",
	"internal/balancer/lattice":    "a driver's folder",
	"internal/balancer/drivers":    "the list of drivers",
	"internal/balancer/traits":     "the list of what is true of each",
	"internal/provision/elb/apply": "it makes load balancers of this kind",
	"internal/provision/lattice":   "it plans and makes services of this kind",

	"internal/route/gatewayapi/lattice": "it has Gateways become services of this kind",

	"cmd/awssim":                  "the simulator, whose flags are about them",
	"internal/manager/manager.go": "it makes who calls, with what the command line says",
}

// TestNoCodeNamesALoadBalancer: a branch on a load balancer's name is a trait that is missing.
func TestNoCodeNamesALoadBalancer(t *testing.T) {
	kubetest.Naming{What: "a load balancer", Words: named, Except: imported, Tops: []string{"internal", "cmd"}, MayName: mayName}.Check(t)
}

// imported reports whether an identifier is the name by which a file imports AWS Load Balancer Controller's kind.
func imported(file *ast.File, identifier string) bool {
	return identifier == "elbv2" && slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == strconv.Quote(lbcKind) })
}
