// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// clients are ready-made HTTP clients, each for one kind of server.
type clients struct {
	admin *http.Client
	etcd  *http.Client
	// bare checks nothing: some components serve their health on loopback with a certificate they made up.
	bare *http.Client
}

const probeTimeout = 2 * time.Second

func newClients(c Config) (clients, error) {
	admin, err := mutual(c.pki("ca.crt"), c.pki("admin.crt"), c.pki("admin.key"))
	if err != nil {
		return clients{}, err
	}
	etcd, err := mutual(c.pki("etcd-ca.crt"), c.pki("etcd-client.crt"), c.pki("etcd-client.key"))
	if err != nil {
		return clients{}, err
	}
	return clients{admin: admin, etcd: etcd, bare: httpClient(&tls.Config{InsecureSkipVerify: true})}, nil
}

func mutual(ca, cert, key string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return httpClient(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}), nil
}

func httpClient(config *tls.Config) *http.Client {
	// A connection for each request: a component that was restarted must not be asked over its predecessor's.
	return &http.Client{Timeout: probeTimeout, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func get(client *http.Client, url string, into any) probe {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}

		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()

		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, answer.Status)
		}
		if into != nil {
			return json.NewDecoder(answer.Body).Decode(into)
		}

		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
}

func (c clients) api(url string) probe        { return get(c.admin, url, nil) }
func (c clients) etcdHealth(url string) probe { return get(c.etcd, url, nil) }
func (c clients) loopback(url string) probe   { return get(c.bare, url, nil) }

// nodeReady reads the node's condition.
func (c clients) nodeReady(server, node string) probe {
	return func(ctx context.Context) error {
		var found struct {
			Status struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
		if err := get(c.admin, server+"/api/v1/nodes/"+node, &found)(ctx); err != nil {
			return err
		}

		for _, condition := range found.Status.Conditions {
			if condition.Type != "Ready" {
				continue
			}
			if condition.Status == "True" {
				return nil
			}
			return fmt.Errorf("node %s is not Ready: %s", node, condition.Message)
		}

		return fmt.Errorf("node %s has no condition Ready", node)
	}
}

// connects reports whether somebody listens on a Unix socket.
func connects(path string) probe {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
