// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"cmp"
	"crypto/tls"
	"errors"
	"sync/atomic"
)

// errNoPair says that there is nothing to serve with yet.
var errNoPair = errors.New("no webhook certificate yet: waiting for its Secret")

// Keypair is what a replica serves with: the last usable pair that it saw. Its zero value
// holds none. It is safe for concurrent use.
type Keypair struct {
	current atomic.Pointer[pair]
	// own is that of the Secret that podgate was told of, or makes, whoever offers another.
	own   atomic.Pointer[pair]
	trust atomic.Pointer[[]byte]
}

// Authorities are what clients of this replica and of the others are to trust, as PEM;
// none where the Secret does not tell.
func (k *Keypair) Authorities() []byte {
	if trust := k.trust.Load(); trust != nil {
		return *trust
	}
	return nil
}

// GetCertificate is for tls.Config.
func (k *Keypair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return certificateOf(k.current.Load())
}

func certificateOf(p *pair) (*tls.Certificate, error) {
	if p == nil {
		return nil, errNoPair
	}
	return &p.tls, nil
}

// Configure makes a server serve with the Keypair.
func (k *Keypair) Configure(c *tls.Config) {
	c.MinVersion = tls.VersionTLS12
	c.GetCertificate = k.GetCertificate
}

// ConfigureOwn makes a server serve with the pair of podgate's own Secret, or of the provided one, also while somebody offers
// another pair for the webhook: clients that were told of that Secret need not know. Without one it serves as the webhook.
func (k *Keypair) ConfigureOwn(c *tls.Config) {
	c.MinVersion = tls.VersionTLS12
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return certificateOf(cmp.Or(k.own.Load(), k.current.Load()))
	}
}
