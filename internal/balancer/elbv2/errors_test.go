// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

var allKinds = []error{balancer.ErrNotFound, balancer.ErrDenied, balancer.ErrThrottled, balancer.ErrQuota, balancer.ErrInvalid}

// checkKind fails unless err is exactly of kind want; nil wants transient.
func checkKind(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
	}
	for _, kind := range allKinds {
		if got := errors.Is(err, kind); got != errors.Is(want, kind) {
			t.Errorf("%v: is %q: %t", err, kind, got)
		}
	}
}

func TestErrorsByTheAPIsAnswer(t *testing.T) {
	tests := []struct {
		reason  string
		answer  answer
		want    error
		message string // what a condition says after the operation and the group
	}{
		{"the group is gone", refusal(400, "TargetGroupNotFound", "One or more target groups not found"), balancer.ErrNotFound,
			"TargetGroupNotFound: One or more target groups not found"},
		{"a permission lacks", refusal(403, "AccessDenied", "User: x is not authorized"), balancer.ErrDenied, "AccessDenied: User: x is not authorized"},
		{"another spelling", refusal(400, "AccessDeniedException", "no"), balancer.ErrDenied, "AccessDeniedException: no"},
		{"EC2's spelling", refusal(403, "UnauthorizedOperation", "no"), balancer.ErrDenied, "UnauthorizedOperation: no"},
		{"a wrong key", refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid."), balancer.ErrDenied,
			"InvalidClientTokenId: The security token included in the request is invalid."},
		{"a wrong secret, or clock", refusal(403, "SignatureDoesNotMatch", "Signature expired: 20250102T030405Z is now earlier than 20250102T031905Z"), balancer.ErrDenied,
			"SignatureDoesNotMatch: Signature expired: (time) is now earlier than (time)"},
		{"an old session", refusal(403, "ExpiredToken", "expired"), balancer.ErrDenied, "ExpiredToken: expired"},
		{"an unknown token", refusal(400, "UnrecognizedClientException", "no"), balancer.ErrDenied, "UnrecognizedClientException: no"},
		{"a refusal in words unknown here", refusal(403, "NoSuchLuck", "no"), balancer.ErrDenied, "NoSuchLuck: no"},
		{"throttling", refusal(400, "Throttling", "Rate exceeded"), balancer.ErrThrottled, "Throttling: Rate exceeded"},
		{"its other name", refusal(400, "ThrottlingException", "Rate exceeded"), balancer.ErrThrottled, "ThrottlingException: Rate exceeded"},
		{"EC2's name", refusal(503, "RequestLimitExceeded", "slow"), balancer.ErrThrottled, "RequestLimitExceeded: slow"},
		{"the status says it too", refusal(429, "PriorRequestNotComplete", "wait"), balancer.ErrThrottled, "PriorRequestNotComplete: wait"},
		{"a status without words", answer{429, ""}, balancer.ErrThrottled, ""},
		{"a full group", refusal(400, "TooManyTargets", "full"), balancer.ErrQuota, "TooManyTargets: full"},
		{"a target in too many groups", refusal(400, "TooManyRegistrationsForTargetId", "full"), balancer.ErrQuota, "TooManyRegistrationsForTargetId: full"},
		{"a target that is not taken", refusal(400, "InvalidTarget", "no"), balancer.ErrInvalid, "InvalidTarget: no"},
		{"a malformed request", refusal(400, "ValidationError", "no"), balancer.ErrInvalid, "ValidationError: no"},
		{"an outage", refusal(500, "InternalFailure", "oops"), nil, "InternalFailure: oops"},
		{"the service's own outage", refusal(500, "HealthUnavailable", "later"), nil, "HealthUnavailable: later"},
		{"an outage of what is in front", answer{503, "<html>Service Unavailable</html>"}, nil, "HTTP 503 Service Unavailable"},
		{"an error that is cut off", answer{400, `<ErrorResponse><Error><Code>TargetGroupNotFo`}, nil, "HTTP 400 Bad Request: the answer cannot be read: it was cut off, or something other than the API answered"},
		{"an unknown code may pass", refusal(400, "Surprise", "boo"), nil, "Surprise: boo"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			w := serve(t, always(tc.answer))
			_, err := New(config(t, w.URL), testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
			checkKind(t, err, tc.want)
			prefix := `describe target health of "` + testARN + `": `
			if got := balancer.Message(err); tc.message != "" && got != prefix+tc.message {
				t.Errorf("message: got %q, want %q", got, prefix+tc.message)
			}
			if n := len(w.asked); n != 1 {
				t.Errorf("asked %d times: retrying is not the provider's", n)
			}
		})
	}
}

func TestErrorKeepsTheRequestID(t *testing.T) {
	w := serve(t, always(refusal(400, "Throttling", "Rate exceeded")))
	_, err := New(config(t, w.URL), testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
	if !strings.Contains(err.Error(), "request id req-1") || strings.Contains(balancer.Message(err), "req-1") {
		t.Errorf("for logs: %q, for people: %q", err, balancer.Message(err))
	}
}

// brokenWire answers a connection with how and closes it.
func brokenWire(t *testing.T, how string) string {
	t.Helper()
	w := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffered.WriteString(how)
		_ = buffered.Flush()
		_ = conn.Close()
	})}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	done := make(chan struct{})
	go func() { defer close(done); _ = w.Serve(listener) }()
	t.Cleanup(func() { _ = w.Close(); <-done })

	return "http://" + listener.Addr().String()
}

func TestErrorsOfTheNetwork(t *testing.T) {
	closed := brokenWire(t, "")
	cut := brokenWire(t, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions></TargetHealthDescriptions>")
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	refused := "http://" + unused.Addr().String()
	if err := unused.Close(); err != nil {
		t.Fatal(err)
	}

	tests := []struct{ reason, address, message string }{
		{"nobody listens", refused, "cannot reach the API: connection refused"},
		{"closed without an answer", closed, "cannot reach the API: the connection was closed without an answer"},
		{"closed within an answer", cut, "the answer cannot be read: it was cut off, or something other than the API answered"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			p := New(config(t, tc.address), testRegion)
			healths, err := p.Health(t.Context(), balancer.Group{Ref: testRef})
			checkKind(t, err, nil)
			if healths != nil {
				t.Errorf("an answer came along: %v", healths)
			}
			if got, want := balancer.Message(err), `describe target health of "`+testARN+`": `+tc.message; got != want {
				t.Errorf("message: got %q, want %q", got, want)
			}
		})
	}
}

// hangingServer takes requests for an action and answers none until the test ends.
func hangingServer(t *testing.T, action string) *wire {
	t.Helper()
	end := make(chan struct{})
	w := serve(t, func(got string, _ url.Values) answer {
		if got == action {
			<-end
		}
		return rows()
	})
	t.Cleanup(func() { close(end) })
	return w
}

func TestCallHasItsOwnTimeout(t *testing.T) {
	w := hangingServer(t, "DescribeTargetHealth")
	_, err := New(config(t, w.URL), testRegion, podaws.WithCallTimeout(50*time.Millisecond)).Health(t.Context(), balancer.Group{Ref: testRef})
	checkKind(t, err, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: looks as if the caller's context had ended", err)
	}
	if !strings.HasSuffix(balancer.Message(err), "no answer within 50ms") {
		t.Errorf("got %q", balancer.Message(err))
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	w := hangingServer(t, "DescribeTargetHealth")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := New(config(t, w.URL), testRegion).Health(ctx, balancer.Group{Ref: testRef})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	w := serve(t, always(rows()))
	cfg := config(t, w.URL)
	missing := errors.New("no such file")
	for name, credentials := range map[string]aws.CredentialsProvider{
		"not configured": nil,
		"unreadable":     aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, missing }),
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Credentials = credentials
			_, err := New(cfg, testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
			checkKind(t, err, balancer.ErrDenied)
			if !strings.Contains(balancer.Message(err), "no credentials: ") {
				t.Errorf("got %q", balancer.Message(err))
			}
		})
	}

	if n := len(w.asked); n != 0 {
		t.Errorf("asked %d times without credentials", n)
	}
}
