// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/sim/awssim"
)

// What a controller may ask about the pods besides their targets: the node that all name, its instance, and the network of both.
const (
	nodeName     = "node"
	nodeInstance = "i-0123456789abcdef0"
	nodeAddress  = "10.0.0.10"
	podVPC       = "vpc-1"
	podNetwork   = "10.0.0.0/8"
	podSubnet    = "subnet-pods"
)

// addNeighbours adds what some controllers read besides pods, Services and bindings.
func (w *world) addNeighbours(ctx context.Context) error {
	zone := region + "a"
	network := awssim.VPC{ID: podVPC, CIDR: podNetwork, Subnets: []awssim.Subnet{{ID: podSubnet, Zone: zone, CIDR: podNetwork}}}
	if err := w.sim.AddVPC(ctx, network); err != nil {
		return err
	}
	if err := w.sim.AddInstances(ctx, awssim.Instance{ID: nodeInstance, Subnet: podSubnet, Address: nodeAddress}); err != nil {
		return err
	}

	if err := w.addNode(ctx, zone); err != nil {
		return fmt.Errorf("make node: %w", err)
	}
	if !w.endpointSlices {
		return nil
	}
	return w.startEndpointSlices(ctx)
}

func (w *world) addNode(ctx context.Context, zone string) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{
			corev1.LabelHostname: nodeName, corev1.LabelTopologyZone: zone, corev1.LabelTopologyRegion: region,
		}},
		Spec: corev1.NodeSpec{ProviderID: "aws:///" + zone + "/" + nodeInstance},
	}
	if err := w.kube.Create(ctx, node); err != nil {
		return err
	}

	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeAddress}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastTransitionTime: metav1.Now()}}
	return w.kube.Status().Update(ctx, node)
}

// startEndpointSlices starts Kubernetes' own controller of EndpointSlices, and no other of its controllers.
func (w *world) startEndpointSlices(ctx context.Context) error {
	programs, err := w.localcluster(ctx, "build")
	if err != nil {
		return err
	}

	manager, err := startProcess([]string{
		filepath.Join(strings.TrimSpace(programs), "kube-controller-manager"), "--kubeconfig=" + w.kubeconfig,
		"--controllers=endpointslice-controller", "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}, w.root, nil, w.logs)
	if err != nil {
		return fmt.Errorf("start the controller of EndpointSlices: %w", err)
	}

	w.closers = append(w.closers, func() error {
		select {
		case <-manager.exited:
			return fmt.Errorf("the controller of EndpointSlices ended: %w", errors.Join(manager.err, errors.New("see --log")))
		default:
			return manager.stop()
		}
	})
	return nil
}
