// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// absent notes that a namespace that was asked about is not there: a misspelt one looks like
// one in which all is well. Whether it is there need not be readable.
func (g *gaps) absent(ctx context.Context, r client.Reader, namespace string) error {
	err := r.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		*g = append(*g, fmt.Sprintf("there is no namespace %q", namespace))
		return nil
	}
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// refused is the part of the API server's refusal that says what was refused.
func refused(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, " cannot "); ok {
		return strings.TrimSuffix(after, ".")
	}
	return "read (" + text + ")"
}
