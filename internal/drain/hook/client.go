// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	// NotLeader is the status of a replica that does not know; another one does.
	NotLeader = http.StatusMisdirectedRequest
	// tries is how many replicas are asked at a time. The Service deals out connections
	// by chance.
	tries = 5
	// maxAnswer bounds an answer in bytes.
	maxAnswer = 16 << 10
)

// client asks podgate.
type client struct {
	http *http.Client
	url  string
}

func newClient(c Config, q Question) (*client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(c.CA)) {
		return nil, errors.New("no certificate authority to trust")
	}

	t := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: c.ServerName},
		// Not the application's proxy, and HTTP/1.1 as it takes less memory.
		Proxy: nil, ForceAttemptHTTP2: false, MaxIdleConnsPerHost: 1,
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, MaxResponseHeaderBytes: 4 << 10,
	}

	return &client{
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		url:  "https://" + c.Address + Path + "?" + q.Values().Encode(),
	}, nil
}

// ask tries replicas until one knows.
func (c *client) ask(ctx context.Context) (Answer, error) {
	var err error
	for range tries {
		var a Answer
		var status int
		a, status, err = c.once(ctx)
		if err == nil || status != NotLeader {
			return a, err
		}
	}
	return Answer{}, err
}

func (c *client) once(ctx context.Context) (Answer, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return Answer{}, 0, err
	}

	resp, err := c.http.Do(req)
	if err != nil {
		// The next try is another connection, to another replica perhaps.
		c.http.CloseIdleConnections()
		return Answer{}, 0, err
	}

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()

	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("podgate answers %s", resp.Status)
	}

	if err != nil {
		c.http.CloseIdleConnections()
		return Answer{}, resp.StatusCode, err
	}

	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return Answer{}, resp.StatusCode, fmt.Errorf("read podgate's answer: %w", err)
	}

	return a, resp.StatusCode, nil
}
