// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"

	clientmetrics "github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/check"
	checks "github.com/podgate/podgate/internal/check/kinds"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/check/resource"
)

// maker judges ReadinessGates as podgate does, by what its Deployment allows checks to ask. known is false where that cannot be
// read. It asks nobody.
func (in *Installation) maker(ctx context.Context, r client.Reader, g *gaps) (m checks.Maker, known bool, err error) {
	m.Objects = anyObject{}
	m.Labels = func(ctx context.Context, namespace string) (map[string]string, error) {
		var ns corev1.Namespace
		err := r.Get(ctx, types.NamespacedName{Name: namespace}, &ns)
		return ns.Labels, client.IgnoreNotFound(err)
	}

	containers, err := in.containers(ctx, r)
	if err != nil {
		return m, false, g.forgive(client.IgnoreNotFound(err), "what checks may ask")
	}

	var servers prometheus.Flag
	for _, c := range containers {
		for _, rule := range flagged(c.Args, "allow-checks") {
			_ = m.Allowed.Set(rule) // podgate would not run with one that is wrong.
		}
		for _, server := range flagged(c.Args, "prometheus") {
			_ = servers.Set(server)
		}
	}

	// The servers' files are in podgate's pod, and nobody is asked here.
	for i := range servers {
		servers[i].TokenFile, servers[i].CAFile = "", ""
	}
	m.Prometheus, err = prometheus.New(servers, clientmetrics.NewRegistry())
	return m, true, err
}

// flagged lists the values of a flag among arguments.
func flagged(args []string, name string) (values []string) {
	for i, arg := range args {
		arg = strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		if value, both := strings.CutPrefix(arg, name+"="); both {
			values = append(values, value)
		} else if arg == name && i+1 < len(args) {
			values = append(values, args[i+1])
		}
	}
	return values
}

// anyObject takes all objects for readable: who may read what is podgate's to ask.
type anyObject struct{}

// Look implements resource.Reader.
func (anyObject) Look(resource.Question, types.NamespacedName) ([]map[string]any, check.Word) {
	return nil, check.Word{}
}

// Access implements resource.Reader.
func (anyObject) Access(context.Context, resource.Question) (check.Word, error) {
	return check.Word{}, nil
}
