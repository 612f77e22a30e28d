// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"strings"

	"github.com/podgate/podgate/internal/webhook/profile"
)

// SwitchVariable is the environment variable that switches on the entries of the webhook that
// are profile.Switched, and no other. It is the name that users of AWS Gateway API Controller know.
const SwitchVariable = "WEBHOOK_ENABLED"

// SwitchedOn reads the variable's value; without one the entries are off.
func SwitchedOn(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, fmt.Errorf("%s=%q: must be \"true\" or \"false\"", SwitchVariable, value)
}

// OffPaths lists the paths at which the webhook changes nothing while the variable is off.
func OffPaths() []string {
	var paths []string
	for _, p := range profile.Switched() {
		paths = append(paths, p.Path)
	}
	return paths
}

// off lists the paths at which the webhook changes nothing. Validate has refused what is no value.
func (c *Config) off() []string {
	if on, _ := SwitchedOn(c.WebhookEnabled); on {
		return nil
	}
	return OffPaths()
}
