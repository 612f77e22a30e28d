// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/check"
)

func TestExplain(t *testing.T) {
	operation := func(err error) error {
		return fmt.Errorf("get: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, Err: err})
	}
	for name, tc := range map[string]struct {
		err  error
		want check.Answer
	}{
		"NotAllowed":         {operation(ErrNotAllowed), check.Answer{Word: check.NotAllowed}},
		"NoSuchHost":         {operation(&net.DNSError{Err: "no such host", Name: "db.shop", IsNotFound: true}), check.Answer{Word: check.NameNotFound}},
		"ResolverTimedOut":   {operation(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), check.Answer{Word: check.NameNotFound}},
		"Deadline":           {operation(context.DeadlineExceeded), check.Answer{Word: check.TimedOut}},
		"DeadlineOfFile":     {operation(os.ErrDeadlineExceeded), check.Answer{Word: check.TimedOut}},
		"NoAnswerFromThere":  {operation(os.NewSyscallError("connect", syscall.ETIMEDOUT)), check.Answer{Word: check.TimedOut}},
		"Refused":            {operation(os.NewSyscallError("connect", syscall.ECONNREFUSED)), check.Answer{Verdict: check.Fail, Word: check.Refused}},
		"HostUnreachable":    {operation(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), check.Answer{Word: check.Unreachable}},
		"NetworkUnreachable": {operation(os.NewSyscallError("connect", syscall.ENETUNREACH)), check.Answer{Word: check.Unreachable}},
		"HostDown":           {operation(os.NewSyscallError("connect", syscall.EHOSTDOWN)), check.Answer{Word: check.Unreachable}},
		"NotTrusted":         {Handshaken(&tls.CertificateVerificationError{Err: errors.New("unknown authority")}), check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"Handshake":          {Handshaken(errors.New("remote error")), check.Answer{Verdict: check.Fail, Word: check.TLSFailed}},
		"HandshakeTimedOut":  {Handshaken(context.DeadlineExceeded), check.Answer{Word: check.TimedOut}},
		"HandshakeCutOff":    {Handshaken(operation(net.ErrClosed)), check.Answer{Word: check.TimedOut}},
		"Reset":              {operation(os.NewSyscallError("read", syscall.ECONNRESET)), check.Answer{Word: check.Malformed}},
		"BrokenPipe":         {operation(os.NewSyscallError("write", syscall.EPIPE)), check.Answer{Word: check.Malformed}},
		"Ended":              {fmt.Errorf("read: %w", io.EOF), check.Answer{Word: check.Malformed}},
		"CutOff":             {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), check.Answer{Word: check.Malformed}},
		"Other":              {errors.New("malformed HTTP response"), check.Answer{Word: check.Malformed}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Explain(tc.err); got != tc.want {
				t.Errorf("%v: got %s (%s), want %s (%s)", tc.err, got.Verdict, got.Word, tc.want.Verdict, tc.want.Word)
			}
		})
	}
}

// TestTLS: a certificate is verified unless a check says otherwise.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()

	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	direct := func(ctx context.Context, _ Destination) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", server.Listener.Addr().String())
	}

	for name, tc := range map[string]struct {
		reason string
		tls    TLS
		host   string
		want   string // empty: no error
	}{
		"Trusted":     {reason: "The certificate is for this name.", tls: TLS{CABundle: authority, ServerName: "example.com"}, host: "10.0.0.1:443"},
		"Address":     {reason: "Without a name it is for the address.", tls: TLS{CABundle: authority}, host: "127.0.0.1:443"},
		"HostName":    {reason: "Without a name it is for the host.", tls: TLS{CABundle: authority}, host: "example.com:443"},
		"OtherName":   {reason: "It is for another name.", tls: TLS{CABundle: authority, ServerName: "example.org"}, host: "10.0.0.1:443", want: check.NotTrusted.String()},
		"OtherHost":   {reason: "It is for another address.", tls: TLS{CABundle: authority}, host: "10.0.0.1:443", want: check.NotTrusted.String()},
		"NoAuthority": {reason: "The system does not know the authority.", tls: TLS{ServerName: "example.com"}, host: "10.0.0.1:443", want: check.NotTrusted.String()},
		"SkipVerify":  {reason: "Any certificate is taken.", tls: TLS{SkipVerify: true}, host: "10.0.0.1:443"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := tc.tls.Config()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()

			conn, err := Connect(ctx, direct, Destination{host: tc.host}, config)
			if err == nil {
				_ = conn.Close()
			}
			if got := word(err); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
		})
	}

	if _, err := (TLS{CABundle: []byte("not PEM")}).Config(); err == nil {
		t.Error("a bundle without a certificate is taken, and nothing would ever be trusted")
	}
}

func word(err error) string {
	if err == nil {
		return ""
	}
	return Explain(err).Word.String()
}
