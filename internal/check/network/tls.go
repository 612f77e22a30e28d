// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// TLS says how a check speaks TLS. The server's certificate is verified unless SkipVerify says otherwise.
type TLS struct {
	// ServerName is the name that the certificate is for, and that is asked for (SNI); the address when it is empty.
	ServerName string
	// CABundle holds the authorities that are trusted, in PEM; those of the system when it is empty.
	CABundle []byte
	// SkipVerify takes any certificate.
	SkipVerify bool
}

// Config is the configuration for a client that has no certificate.
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.SkipVerify}
	if len(t.CABundle) == 0 {
		return config, nil
	}

	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(t.CABundle) {
		return nil, errors.New("the CA bundle holds no certificate in PEM")
	}

	return config, nil
}

// errHandshake marks errors of TLS handshakes, most of which have no type of their own.
var errHandshake = errors.New("TLS handshake")

// Handshaken marks the error of a TLS handshake for Explain.
func Handshaken(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errHandshake, err)
}

// Connect connects to a destination, and speaks TLS with it where there is a configuration. Its host is the server's name where
// the configuration has none. The connection is closed when the context ends, whatever waits for it then.
func Connect(ctx context.Context, dial Dial, to Destination, config *tls.Config) (net.Conn, error) {
	plain, err := dial(ctx, to)
	if err != nil {
		return nil, err
	}

	plain = Until(ctx, plain)
	if config == nil {
		return plain, nil
	}

	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(to.HostPort())
	}

	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, Handshaken(err)
	}

	return conn, nil
}
