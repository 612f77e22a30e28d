// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// gaps are what a command was not allowed to read, for people.
type gaps []string

// forgive notes an error that only says that reading is forbidden, and what cannot be told
// for it; any other error is given back.
func (g *gaps) forgive(err error, untold string) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	note := "not allowed to " + refused(err) + ", so podgate cannot tell " + untold
	if !slices.Contains(*g, note) {
		*g = append(*g, note)
	}
	return nil
}

// refused is the part of the API server's refusal that says what was refused.
func refused(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, " cannot "); ok {
		return strings.TrimSuffix(after, ".")
	}
	return "read (" + text + ")"
}
