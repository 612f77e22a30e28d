// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// maxReadable bounds the part of a name that is for people.
const maxReadable = 120

// nameOf gives the server of a pod's target: namespace and pod for people, and a hash
// of the pod's UID and the address, so that another pod at the same address, and the
// same pod at another, are other servers.
func nameOf(prefix string, pod balancer.Pod, target gate.Target) string {
	readable := ""
	if pod.Name != "" {
		readable = pod.Namespace + "_" + pod.Name
		readable = readable[:min(len(readable), maxReadable)] + "_"
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{pod.Namespace, pod.Name, pod.UID, target.String()}, "\n")))
	return prefix + readable + hex.EncodeToString(sum[:6])
}
