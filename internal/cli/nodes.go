// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/instance"
	"github.com/podgate/podgate/internal/plural"
)

// NodesReport is the nodes of a binding whose targets are nodes.
type NodesReport struct {
	// Targets counts those that should be targets.
	Targets int `json:"targets"`
	// Skipped are those that should be, and have no instance.
	Skipped []string `json:"skipped,omitempty"`
}

// write is for a cell of a table.
func (r *NodesReport) write() string {
	text := plural.Count(r.Targets, "node")
	if len(r.Skipped) > 0 {
		text += fmt.Sprintf(" (%d skipped)", len(r.Skipped))
	}
	return text
}

// nodes counts the nodes of a binding; nil where podgate registers none for it.
func (s *snapshot) nodes(ctx context.Context, b *binding.Binding) (*NodesReport, error) {
	if group, _ := b.Published(); !group.OfNodes() || b.External || !traits.All().Of(b.Ref.Provider).Nodes {
		return nil, nil
	}

	rules := instance.Rules{Selector: labels.Everything(), Notice: func(n *disruption.Node) disruption.Notice { return n.Notice }}
	if b.NodeSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(b.NodeSelector)
		if err != nil {
			selector = labels.Nothing() // The condition Ready says so.
		}
		rules.Selector = selector
	}
	if err := s.hosting(ctx, b, &rules); err != nil {
		return nil, err
	}

	var list corev1.NodeList
	if err := s.List(ctx, &list); err != nil {
		return nil, err
	}
	var all []*disruption.Node
	for i := range list.Items {
		slim, err := disruption.Slim(&list.Items[i])
		if err != nil {
			return nil, err
		}
		all = append(all, slim.(*disruption.Node))
	}

	report := &NodesReport{}
	found, skipped := instance.Select(all, rules)
	for _, n := range found {
		if n.Wanted && n.Ready && !n.Ends {
			report.Targets++
		}
	}
	report.Skipped = skipped
	return report, nil
}

// hosting has only nodes count that run a Ready pod, where a binding asks for that.
func (s *snapshot) hosting(ctx context.Context, b *binding.Binding, rules *instance.Rules) error {
	if settings, _ := b.Settings(); !settings.Hosting {
		return nil
	}
	svc, err := b.Service(ctx, s)
	if err != nil || svc == nil || len(svc.Spec.Selector) == 0 {
		return err
	}
	pods, err := index.PodsOf(ctx, s, svc)
	if err != nil {
		return err
	}
	rules.Hosts = binding.Hosts(pods)
	return nil
}
