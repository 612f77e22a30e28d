// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import "k8s.io/apimachinery/pkg/types"

// Coexistence is what podgate needs to know of AWS Load Balancer Controller in order to work in one cluster with it.
type Coexistence struct {
	// Owners say which of the two a binding belongs to.
	Owners *Owners
	// Records keep which targets of a shared group are this cluster's, where that controller keeps them.
	Records *Records
	// Nudger has that controller look at the groups of External bindings.
	Nudger *Nudger
}

// Stop drops what is known of a binding that podgate does not serve. Whose it is stays known.
func (c Coexistence) Stop(key types.NamespacedName) {
	c.Records.Forget(key)
	c.Nudger.Forget(key)
}

// Forget drops all that is known of a binding that is gone.
func (c Coexistence) Forget(key types.NamespacedName) {
	c.Stop(key)
	c.Owners.Forget(key)
}
