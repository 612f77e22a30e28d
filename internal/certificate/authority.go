// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"time"
)

// maxBackdate bounds how far before its making a certificate is valid, for the sake of
// API servers whose clocks are behind.
const maxBackdate = time.Hour

// authority is a certificate authority that can sign.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes an authority that is valid for the given time from now.
func newAuthority(now time.Time, validity time.Duration) (*authority, error) {
	key, serial, err := newKey()
	if err != nil {
		return nil, err
	}

	template := &x509.Certificate{
		SerialNumber: serial,
		// The name differs from authority to authority, so that people can tell them apart.
		Subject:               pkix.Name{CommonName: "podgate-webhook-ca-" + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore:             now.Add(-backdate(validity)),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}

	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}

	return &authority{cert: cert, key: key}, nil
}

// issue makes a serving pair for names that is valid for the given time from now, but not
// longer than the authority.
func (a *authority) issue(now time.Time, validity time.Duration, names []string) (*pair, error) {
	key, serial, err := newKey()
	if err != nil {
		return nil, err
	}

	end := now.Add(validity)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}

	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "podgate-webhook"},
		NotBefore:    now.Add(-backdate(validity)),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}

	template.DNSNames, template.IPAddresses = split(names)
	cert, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue serving certificate: %w", err)
	}

	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}

	return parsePair(encodeCerts(cert), keyPEM)
}

// issued reports whether the authority signed the pair.
func (a *authority) issued(p *pair) bool { return p.leaf.CheckSignatureFrom(a.cert) == nil }

// split tells names from addresses.
func split(all []string) (names []string, addresses []net.IP) {
	for _, n := range all {
		if ip := net.ParseIP(n); ip != nil {
			addresses = append(addresses, ip)
			continue
		}
		names = append(names, n)
	}
	return names, addresses
}

func newKey() (*ecdsa.PrivateKey, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, nil, fmt.Errorf("make serial number: %w", err)
	}
	serial[0] = serial[0]&0x3f | 0x40 // Positive and never short.
	return key, new(big.Int).SetBytes(serial), nil
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func backdate(validity time.Duration) time.Duration { return min(validity/10, maxBackdate) }

// renewAt is when two thirds of a certificate's life are over.
func renewAt(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}
