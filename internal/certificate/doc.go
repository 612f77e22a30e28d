// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificate makes and rotates the webhook's certificate authority and serving
// pair, so that at every moment each replica serves a pair that every API server trusts.
//
// All state is in one Secret and in the caBundle of the webhook configuration:
//
//	ca.key             signs the next serving pair
//	ca.crt             everything to trust: the signer first, then authorities on their way out
//	tls.crt, tls.key   what every replica serves
//
// A new authority takes over in steps, each one write, each safe to be the last before a
// crash: it becomes the signer and joins ca.crt, beside the old one; caBundle follows
// ca.crt; after the propagation wait it issues the serving pair; after the overlap the old
// authority leaves ca.crt, and caBundle follows again. Which step is next is read off the
// objects alone. Only the waits are measured in memory, from what a replica itself saw, by
// its own clock: clocks of replicas need not agree, and a restart waits longer, never
// shorter.
//
// Every replica acts, not the leader alone, because a pair must be renewed and a caBundle
// repaired whatever the leader is busy with. They do not get in each other's way: each
// step reads both objects anew, the configuration before the Secret, and its write is
// refused when the object has changed since.
//
// Somebody else may provide the pair: as the Secret that podgate is told of, or as the offered
// one, which counts while API servers can trust what it holds. podgate keeps its own renewed meanwhile.
//
// The package refuses to touch anything of the webhook configuration but caBundle, and to
// write a Secret that somebody else filled: such a pair is served and its ca.crt published,
// but its renewal is theirs.
package certificate

// What the runner reads and writes.
//
// +kubebuilder:rbac:groups="",namespace=podgate-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=podgate-system,resources=secrets,verbs=get;list;watch;update,resourceNames=podgate-webhook-cert
// +kubebuilder:rbac:groups="",namespace=podgate-system,resources=secrets,verbs=get;list;watch,resourceNames=webhook-cert
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch;patch,resourceNames=podgate-webhook
// +kubebuilder:rbac:groups=events.k8s.io,namespace=podgate-system,resources=events,verbs=create
