// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// examine refuses to start with an offered Secret in which somebody tried to give a pair and
// did not: pods would get their gates with podgate's own certificate, and nobody would notice
// until that Secret is relied upon. One that has only expired is no reason to stay away.
func (r *Runner) examine(ctx context.Context) error {
	for said := ""; ; {
		secret, err := r.offered(ctx)
		if err == nil {
			return r.examined(secret)
		}

		r.metrics.failures.Inc()
		if said != err.Error() {
			said = err.Error()
			r.opts.Log.Error(err, "Cannot read the offered Secret of the webhook's certificate, so this replica does not become ready; retrying", "secret", r.opts.Offered)
		}

		select {
		case <-ctx.Done():
			return nil
		case <-time.After(provisionTick):
		}
	}
}

func (r *Runner) examined(secret *corev1.Secret) error {
	problem := unusable(secret, r.opts.Policy, time.Now())
	var invalid x509.CertificateInvalidError
	if problem == nil || errors.As(problem, &invalid) && invalid.Reason == x509.Expired {
		return nil
	}
	return r.refused(r.opts.Offered, "holds no usable pair", problem, "delete the Secret")
}

// Declined returns why a podgate in a Secret's namespace does not serve it, which is offered; nil when it does.
func Declined(secret *corev1.Secret, now time.Time) error {
	return unusable(secret, DefaultPolicy(secret.Namespace), now)
}

// clocksApart is by how much the clocks of nodes may differ.
const clocksApart = 10 * time.Second

// unusable returns why API servers cannot trust a pair of an offered Secret; nil also where
// there is none. A pair is taken as soon as it is valid by the clock of any node, and given up shortly before it ends.
func unusable(secret *corev1.Secret, p Policy, now time.Time) error {
	if secret == nil {
		return nil
	}

	m := readSecret(secret, true)
	if m.pair == nil {
		return m.problem
	}

	trust, err := parseCerts(secret.Data[keyTrust])
	if err != nil {
		return err
	}

	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range trust {
		roots.AddCert(c)
	}
	between.AppendCertsFromPEM(m.pair.certPEM)

	// It has to be good until it is looked at again. Replicas with clocks that differ have to agree on one that has just begun.
	for _, at := range []time.Time{now.Add(clocksApart), now.Add(p.recheck())} {
		_, err := m.pair.leaf.Verify(x509.VerifyOptions{DNSName: p.Names[0], Roots: roots, Intermediates: between, CurrentTime: at})
		if err != nil {
			return timeless(err)
		}
	}

	return nil
}

// timeless leaves the current time out of an error, which would be a new one each time.
func timeless(err error) error {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		return err
	}
	invalid.Detail = fmt.Sprintf("valid from %s to %s", invalid.Cert.NotBefore.Format(time.RFC3339), invalid.Cert.NotAfter.Format(time.RFC3339))
	return invalid
}

// decline tells, once, why an offered Secret is not served.
func (r *Runner) decline(secret *corev1.Secret, problem error) {
	said := ""
	if problem != nil {
		said = problem.Error()
	}

	if said == r.declined {
		return
	}

	r.declined = said
	if said == "" {
		return
	}

	r.opts.Log.Info("The offered Secret of the webhook's certificate cannot be served; podgate serves its own", "secret", r.opts.Offered, "problem", said)
	r.opts.Recorder.Eventf(secret, nil, corev1.EventTypeWarning, "InvalidCertificate", "Read", "podgate serves a certificate of its own instead; put this one right, or delete the Secret: %s", said)
}
