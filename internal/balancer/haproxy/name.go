// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"crypto/sha256"
	"encoding/binary"
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

// ids is how many identifiers podgate gives, and those from ids up, so that they are rarely the configuration's. HAProxy
// counts on with its hash of 32 bits by 4096 for each, so that from twice as many on two would have the same one.
const ids = 1 << 19

// idOf gives the identifier of a server, by which consistent hashes and stick tables know it: the same at all instances and
// after a reload, unless another server has it. HAProxy before 3.0, and any release before June 2026 in part, makes the
// hash before it gives an identifier itself, so all servers would have the same and most of them no traffic
// (https://github.com/haproxy/haproxy/issues/3413).
func idOf(name string, taken map[int]bool) int {
	sum := sha256.Sum256([]byte(name))
	n := int(binary.BigEndian.Uint32(sum[:]) % ids)
	for taken[ids+n] {
		n = (n + 1) % ids
	}
	return ids + n
}
