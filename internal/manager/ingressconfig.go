// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// IngressConfig says whether Ingresses become load balancers, and how.
type IngressConfig struct {
	Enabled bool
	// Gateways: Gateways become load balancers.
	Gateways bool
	// Controllers are what the IngressClasses that are served name, besides v1alpha1.IngressController.
	Controllers list
	// ClusterName is in names and tags at AWS, and VPC is where load balancers are made.
	ClusterName, VPC string
	// TargetType, Scheme, SSLPolicy and Tags are those of Ingresses that ask for none.
	TargetType, Scheme, SSLPolicy string
	Tags                          pairs
	// BackendSecurityGroup is one that every load balancer has besides its own; empty: none.
	BackendSecurityGroup string
}

func (c *IngressConfig) bind(fs *flag.FlagSet) {
	fs.BoolVar(&c.Enabled, "ingress", false, "make application load balancers of Ingresses, and network load balancers of Services")
	fs.BoolVar(&c.Gateways, "gateway-api", false, "make application load balancers of Gateways, their HTTPRoutes and GRPCRoutes; it needs --cluster-name and --vpc-id")
	fs.Var(&c.Controllers, "ingress-controller", "controller whose IngressClasses are served besides "+v1alpha1.IngressController+", such as ingress.k8s.aws/alb; may be repeated")
	fs.StringVar(&c.ClusterName, "cluster-name", "", "name of the cluster, in names and tags at AWS; --ingress needs it, and with another one podgate does not find what it made")
	fs.StringVar(&c.VPC, "vpc-id", "", "VPC of load balancers of Ingresses; --ingress needs it")
	fs.StringVar(&c.TargetType, "default-target-type", "instance", "targets of Ingresses that do not say: instance or ip")
	fs.StringVar(&c.Scheme, "default-load-balancer-scheme", "internal", "scheme of load balancers of Ingresses that do not say: internal or internet-facing")
	fs.StringVar(&c.SSLPolicy, "default-ssl-policy", "ELBSecurityPolicy-2016-08", "security policy of HTTPS listeners of Ingresses that do not say")
	fs.StringVar(&c.BackendSecurityGroup, "backend-security-group", "", "security group, such as sg-0123456789abcdef0, that load balancers have besides the one that is made for them: nodes and pods may let it in")
	fs.Var(&c.Tags, "default-tags", "KEY=VALUE,...: tags of all that is made for Ingresses at AWS; they win over those of an Ingress")
}

// validate tells what is wrong, all of it.
func (c *IngressConfig) validate(bindings binding.Ownership) []error {
	if !c.Enabled && !c.Gateways {
		return nil
	}

	var errs []error
	asked := "--ingress"
	if !c.Enabled {
		asked = "--gateway-api"
	}
	if c.ClusterName == "" {
		errs = append(errs, fmt.Errorf("%s needs --cluster-name: the name of the cluster, which is in names and tags at AWS", asked))
	}
	if c.VPC == "" {
		errs = append(errs, fmt.Errorf("%s needs --vpc-id: the VPC in which load balancers are made", asked))
	}
	if bindings == binding.OwnNone {
		errs = append(errs, fmt.Errorf("%s needs the TargetGroupBindings that it makes: --target-group-bindings must be all or annotated", asked))
	}
	if !slices.Contains([]string{"instance", "ip"}, c.TargetType) {
		errs = append(errs, fmt.Errorf("--default-target-type=%q: must be instance or ip", c.TargetType))
	}
	if !slices.Contains([]string{"internal", "internet-facing"}, c.Scheme) {
		errs = append(errs, fmt.Errorf("--default-load-balancer-scheme=%q: must be internal or internet-facing", c.Scheme))
	}
	return errs
}

// list is a flag that may be repeated.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	*l = append(*l, value)
	return nil
}

// pairs is a flag of keys and values. A comma in a value is written \,.
type pairs map[string]string

// String implements flag.Value.
func (p *pairs) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(*p)) {
		parts = append(parts, key+"="+strings.ReplaceAll((*p)[key], ",", `\,`))
	}
	return strings.Join(parts, ",")
}

// Set implements flag.Value.
func (p *pairs) Set(text string) error {
	if *p == nil {
		*p = pairs{}
	}
	const comma = "\x00"
	for part := range strings.SplitSeq(strings.ReplaceAll(text, `\,`, comma), ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || key == "" {
			return fmt.Errorf("%q: write KEY=VALUE", strings.ReplaceAll(part, comma, ","))
		}
		(*p)[key] = strings.ReplaceAll(value, comma, ",")
	}
	return nil
}
