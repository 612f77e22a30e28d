// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// BenchmarkProxy is one kept connection after another through the load
// balancer: client, proxy and target together.
func BenchmarkProxy(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}

	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	to := upstream{Address: l.Addr().String(), Pool: &pool{}, Connect: connectTimeout, Idle: time.Minute}
	defer to.Pool.close()
	front := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward(w, r, to, func(int) {})
	})}

	fl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}

	go func() { _ = front.Serve(fl) }()
	defer func() { _ = front.Close() }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	for b.Loop() {
		response, err := client.Get("http://" + fl.Addr().String() + "/")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}
