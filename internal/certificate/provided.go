// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"fmt"
	"time"
)

// How long the Secret of somebody else is waited for while it is not there, as just after
// an installation together with what makes it, and how often it is looked for.
const (
	provision     = 20 * time.Second
	provisionTick = time.Second
)

// demand waits until a provided Secret is there, and refuses to start without a pair in
// it: a webhook that cannot be called loses every pod its gate, silently.
func (r *Runner) demand(ctx context.Context) error {
	for end := time.Now().Add(provision); ; {
		secret, err := r.store.Secret(ctx)
		if err == nil && (secret != nil || !time.Now().Before(end)) {
			return r.refuse(readSecret(secret, true))
		}
		if err != nil && !time.Now().Before(end) {
			return fmt.Errorf("get secret %q: %w", r.opts.Provided, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(provisionTick):
		}
	}
}

// refuse says what is wrong with a Secret that holds no pair, and what to do.
func (r *Runner) refuse(m material) error {
	if m.pair != nil {
		return nil
	}
	problem, found := m.problem, "holds no usable pair"
	if !m.exists {
		_, problem = parsePair(nil, nil)
		found = "is missing"
	}
	return r.refused(r.opts.Provided, found, problem, "leave out --webhook-certificate-secret; in the chart, certificates.mode: self")
}

// refused says what is wrong with a Secret, and what to do.
func (r *Runner) refused(secret, found string, problem error, own string) error {
	return fmt.Errorf("webhook certificate: Secret %s/%s %s: %w; put a certificate for %s and its key there as tls.crt and tls.key, "+
		"and what signed it as ca.crt, or let podgate make its own (%s)", r.opts.Namespace, secret, found, problem, r.opts.Policy.Names[0], own)
}
