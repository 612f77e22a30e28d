// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package acm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"time"
)

// authorityName is the authority of the certificates that are requested.
const authorityName = "awssim"

// pair is a certificate with its chain and key, as TLS needs it.
type pair struct{ tls.Certificate }

// authority signs certificates. Its keys are made when they are needed first, one of each algorithm, since making some
// takes long and nobody has to be safe from anybody here.
type authority struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer
	der  []byte // its own certificate
	made map[*certificate]pair
}

// CA returns the certificate of the authority in PEM, which clients can trust.
func (s *Service) CA() ([]byte, error) {
	s.authority.mu.Lock()
	defer s.authority.mu.Unlock()
	if err := s.authority.prepare(); err != nil {
		return nil, err
	}
	return []byte(pemOf(s.authority.der)), nil
}

// keys are a certificate with its key. It needs the clock's lock.
func (s *Service) keys(of *certificate) (pair, error) {
	if of.imported != nil {
		return *of.imported, nil
	}

	a := &s.authority
	a.mu.Lock()
	defer a.mu.Unlock()
	if made, done := a.made[of]; done {
		return made, nil
	}
	if err := a.prepare(); err != nil {
		return pair{}, err
	}

	key, err := a.key(of.algorithm)
	if err != nil {
		return pair{}, err
	}
	der, err := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(of.seq + 1), Subject: pkix.Name{CommonName: of.domains[0]}, DNSNames: of.domains, NotBefore: of.notBefore, NotAfter: of.notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key)
	if err != nil {
		return pair{}, fmt.Errorf("sign certificate of %s: %w", of.domains[0], err)
	}

	a.made[of] = pair{tls.Certificate{Certificate: [][]byte{der, a.der}, PrivateKey: key}}
	return a.made[of], nil
}

// forget has a certificate signed again when it is needed next.
func (a *authority) forget(of *certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.made, of)
}

// prepare makes the authority's own certificate.
func (a *authority) prepare() error {
	if a.der != nil {
		return nil
	}

	a.keys, a.made = map[string]crypto.Signer{}, map[*certificate]pair{}
	key, err := a.key("authority")
	if err != nil {
		return err
	}
	root := a.root()
	if a.der, err = x509.CreateCertificate(rand.Reader, root, root, key.Public(), key); err != nil {
		return fmt.Errorf("make certificate authority: %w", err)
	}
	return nil
}

func (a *authority) root() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: authorityName}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func (a *authority) sign(template *x509.Certificate, key crypto.Signer) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, template, a.root(), key.Public(), a.keys["authority"])
}

// key is the key of an algorithm.
func (a *authority) key(algorithm string) (crypto.Signer, error) {
	if known := a.keys[algorithm]; known != nil {
		return known, nil
	}

	var key crypto.Signer
	var err error
	if algorithm == "RSA_2048" {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	a.keys[algorithm] = key
	return key, nil
}

// algorithmOf is the algorithm of a certificate's key, in ACM's words.
func algorithmOf(leaf *x509.Certificate) string {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA_" + strconv.Itoa(key.N.BitLen())
	case *ecdsa.PublicKey:
		return map[string]string{"P-256": "EC_prime256v1", "P-384": "EC_secp384r1", "P-521": "EC_secp521r1"}[key.Curve.Params().Name]
	}
	return "RSA_2048"
}

// Choose returns the certificate that a load balancer presents to a client that asks for a server name: the first
// whose names cover it, else the first. Nil: none of them is there. It needs the clock's lock.
func (s *Service) Choose(arns []string, serverName string) *tls.Certificate {
	var chosen *tls.Certificate
	for _, arn := range arns {
		of := s.certificates[arn]
		if of == nil {
			continue
		}
		keys, err := s.keys(of)
		if err != nil {
			continue
		}
		if covers(of.domains, serverName) {
			return &keys.Certificate
		}
		if chosen == nil {
			chosen = &keys.Certificate
		}
	}
	return chosen
}
