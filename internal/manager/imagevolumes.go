// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/version"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/internal/disruption"
)

// What mounts an image as a volume, without being asked to in its configuration. CRI-O does, too; whether a program can be
// run from the volume was not tried.
var (
	mountingKubelet    = version.MajorMinor(1, 35)
	mountingContainerd = version.MajorMinor(2, 1)
)

// imageVolumes knows which nodes can mount an image as a volume. The zero value knows no node.
type imageVolumes struct {
	// synced reports whether all nodes are known.
	synced func() bool

	mu sync.Mutex
	// can is by the node's name.
	can map[string]bool
	// cannot counts those that cannot.
	cannot int
}

// everywhere reports whether there are nodes, and all of them can: nobody knows yet on which one a new pod will run.
func (v *imageVolumes) everywhere() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.synced != nil && v.synced() && len(v.can) > 0 && v.cannot == 0
}

// follow handles the events of a cache of nodes that disruption.Slim has cut down.
func (v *imageVolumes) follow() toolscache.ResourceEventHandler {
	set := func(o any) {
		if node, ok := o.(*disruption.Node); ok && node.Info.OS != "windows" {
			v.set(node.Name, mountsImages(node.Info))
		}
	}

	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, o any) { set(o) },
		DeleteFunc: func(o any) {
			if last, unseen := o.(toolscache.DeletedFinalStateUnknown); unseen {
				o = last.Obj
			}
			if node, ok := o.(*disruption.Node); ok {
				v.forget(node.Name)
			}
		},
	}
}

func (v *imageVolumes) set(name string, can bool) {
	v.mu.Lock()
	defer v.mu.Unlock()

	if v.can == nil {
		v.can = map[string]bool{}
	}

	v.drop(name)
	v.can[name] = can
	if !can {
		v.cannot++
	}
}

func (v *imageVolumes) forget(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(name)
}

// drop forgets a node. The caller holds the lock.
func (v *imageVolumes) drop(name string) {
	if can, known := v.can[name]; known && !can {
		v.cannot--
	}
	delete(v.can, name)
}

// mountsImages reports whether a node mounts images as volumes; what it does not say it is taken not to.
func mountsImages(i disruption.Info) bool {
	kubelet, err := version.ParseGeneric(i.Kubelet)
	if err != nil || kubelet.LessThan(mountingKubelet) {
		return false
	}
	name, number, _ := strings.Cut(i.Runtime, "://")
	runtime, err := version.ParseGeneric(number)
	return err == nil && name == "containerd" && runtime.AtLeast(mountingContainerd)
}
