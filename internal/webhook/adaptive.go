// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/injection"
)

// Helper is the program of adaptive hooks and where it finds podgate. Its zero value says
// that there is none.
type Helper struct {
	// Image holds the program.
	Image string
	// Address is podgate's Service as host:port, without a name that pods would have to look up.
	Address string
	// ServerName is what its certificate is made out to, CA the authority as PEM.
	ServerName string
	CA         []byte
	// Mounted: every node can mount the image as a volume.
	Mounted bool
}

const (
	// helperName is the init container's and its volume's, helperDir where it is mounted: no
	// image has a file of that name.
	helperName = "podgate-drain"
	helperDir  = "/podgate.dev"
	// helperProgram is the program in the image, helperCopy in the pod.
	helperProgram = "/drain"
	helperCopy    = helperDir + "/drain"
	// nobody is who the program runs as where the pod says root.
	nobody = 65532

	volumesPath        = "/spec/volumes"
	initContainersPath = "/spec/initContainers"

	// safeToEvict lists volumes for whose sake cluster-autoscaler keeps no node.
	safeToEvict = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
)

// fits reports whether a pod can have adaptive hooks, and is to.
func (h Helper) fits(p pod, plan injection.DrainPlan) bool {
	if len(plan.Adaptive) == 0 || h.Image == "" || h.Address == "" || len(h.CA) == 0 || p.windows() {
		return false
	}
	for _, i := range plan.Sleep {
		for _, m := range p.Spec.Containers[i].VolumeMounts {
			if m.MountPath == helperDir || strings.HasPrefix(m.MountPath, helperDir+"/") {
				return false
			}
		}
	}
	// Either both are podgate's or one is somebody else's.
	return (p.helperVolume() != nil) == slices.ContainsFunc(p.Spec.InitContainers, func(c initContainer) bool { return c.Name == helperName })
}

func (p pod) windows() bool {
	return p.Spec.OS.Name == "windows" || p.Spec.NodeSelector["kubernetes.io/os"] == "windows"
}

// helperVolume is the volume that brings the program; nil where the pod has none.
func (p pod) helperVolume() *volume {
	i := slices.IndexFunc(p.Spec.Volumes, func(v volume) bool { return v.Name == helperName })
	if i < 0 {
		return nil
	}
	return &p.Spec.Volumes[i]
}

// mounts reports whether the pod has, or is to have, the image as a volume. Sandboxes and user namespaces need more of a
// runtime for that than nodes tell.
func (h Helper) mounts(p pod) bool {
	if v := p.helperVolume(); v != nil {
		return v.Image != nil
	}
	return h.Mounted && p.plain()
}

// plain reports whether the pod has neither a sandbox nor a user namespace of its own.
func (p pod) plain() bool {
	return p.Spec.RuntimeClass == "" && (p.Spec.HostUsers == nil || *p.Spec.HostUsers)
}

// correct gives a pod an emptyDir in place of the image where another webhook has since asked for a sandbox or a user
// namespace. The init container fills it.
func (h Helper) correct(p pod) []operation {
	i := slices.IndexFunc(p.Spec.Volumes, func(v volume) bool { return v.Name == helperName })
	if i < 0 || p.Spec.Volumes[i].Image == nil || p.plain() || p.Spec.Volumes[i].Image.Reference != h.Image {
		return nil
	}
	return []operation{{Op: "replace", Path: volumesPath + "/" + strconv.Itoa(i), Value: directory()}}
}

// volume brings the program. An emptyDir is local storage, for whose sake kubectl drain refuses to evict a pod; an image is not.
func (h Helper) volume(p pod) map[string]any {
	if h.mounts(p) {
		return map[string]any{"name": helperName, "image": map[string]any{"reference": h.Image, "pullPolicy": "IfNotPresent"}}
	}
	return directory()
}

// directory is the volume where no image can be mounted.
func directory() map[string]any {
	return map[string]any{"name": helperName, "emptyDir": map[string]any{"sizeLimit": "64Mi"}}
}

// bring adds the init container, first of all, and the volume by which the program gets
// into the pod, unless they are there. The init container gets as much as the container like.
func (h Helper) bring(p pod, like *container) []operation {
	if p.helperVolume() != nil {
		return nil
	}
	return []operation{
		insert(volumesPath, len(p.Spec.Volumes) > 0, "-", h.volume(p)),
		insert(initContainersPath, len(p.Spec.InitContainers) > 0, "0", h.container(p, like)),
	}
}

// insert adds to a list at a place, or makes it.
func insert(path string, exists bool, place string, value any) operation {
	if exists {
		return operation{Op: "add", Path: path + "/" + place, Value: value}
	}
	return operation{Op: "add", Path: path, Value: []any{value}}
}

// mount adds the volume to a container, read-only.
func mount(i int, exists bool) operation {
	return insert(containersPath+strconv.Itoa(i)+"/volumeMounts", exists, "-", map[string]any{"name": helperName, "mountPath": helperDir, "readOnly": true})
}

// tell gives a container's environment what the program must know. Nothing can be written into an image, where the program
// looks first.
func (h Helper) tell(p pod, i int) []operation {
	if !h.mounts(p) {
		return nil
	}

	path := containersPath + strconv.Itoa(i) + "/env"
	if len(p.Spec.Containers[i].Env) == 0 {
		return []operation{{Op: "add", Path: path, Value: h.env()}}
	}

	var ops []operation
	for _, v := range h.env() {
		ops = append(ops, operation{Op: "add", Path: path + "/-", Value: v})
	}

	return ops
}

// env is what the program must know.
func (h Helper) env() []any {
	return []any{
		downward(hook.EnvNamespace, "metadata.namespace"), downward(hook.EnvPod, "metadata.name"),
		downward(hook.EnvUID, "metadata.uid"), downward(hook.EnvHostIPs, "status.hostIPs"),
		variable(hook.EnvAddress, h.Address), variable(hook.EnvName, h.ServerName), variable(hook.EnvCA, string(h.CA)),
	}
}

// container is the init container. Whatever the volume is, the program finds out what there is to do: where another
// webhook, or an older API server, does not know images as volumes, an emptyDir is left. It conforms to the Pod Security Standard "restricted".
func (h Helper) container(p pod, like *container) map[string]any {
	security := map[string]any{
		"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
		"capabilities": map[string]any{"drop": []string{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
	}
	if user := p.Spec.SecurityContext.RunAsUser; user != nil && *user == 0 {
		security["runAsUser"] = nobody
	}

	c := map[string]any{
		"name": helperName, "image": h.Image, "imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "FallbackToLogsOnError",
		"command":         []string{helperProgram, "install", helperDir},
		"env":             h.env(),
		"securityContext": security,
		"volumeMounts":    []any{map[string]any{"name": helperName, "mountPath": helperDir}},
	}
	if r := like.share(); len(r) > 0 {
		c["resources"] = r
	}

	return c
}

// share is what the init container gets: as much as a container of the pod, which begins
// when it has ended. So the pod needs no more, is of the same class, and is within whatever
// limits its namespace has.
func (c *container) share() map[string]any {
	all := map[string]any{}
	for what, list := range map[string]map[string]stdjson.RawMessage{"requests": c.Resources.Requests, "limits": c.Resources.Limits} {
		some := map[string]stdjson.RawMessage{}
		for _, name := range []string{"cpu", "memory", "ephemeral-storage"} {
			if quantity, ok := list[name]; ok {
				some[name] = quantity
			}
		}
		if len(some) > 0 {
			all[what] = some
		}
	}

	return all
}

func variable(name, value string) map[string]any {
	// $(NAME) would be replaced; there is none in an address, a name or PEM.
	return map[string]any{"name": name, "value": value}
}

func downward(name, field string) map[string]any {
	return map[string]any{"name": name, "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": field}}}
}

// adaptiveHook is a container's.
func adaptiveHook(container string, plan injection.DrainPlan) preStop {
	command := []string{helperCopy, "wait", fmt.Sprintf("--max=%ds", plan.Seconds), "--container=" + container}
	for _, b := range plan.Adaptive {
		command = append(command, "--binding="+b)
	}
	return preStop{Exec: &execAction{Command: command}}
}

// AdaptiveSeconds reads how long a hook sleeps at most that adaptiveHook made; false when
// a command is another's.
func AdaptiveSeconds(command []string) (seconds int64, ok bool) {
	if len(command) < 3 || command[0] != helperCopy || command[1] != "wait" {
		return 0, false
	}
	longest, ok := strings.CutPrefix(command[2], "--max=")
	seconds, err := strconv.ParseInt(strings.TrimSuffix(longest, "s"), 10, 64)
	return seconds, ok && err == nil
}
