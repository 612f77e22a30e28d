// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	testRegion = "eu-test-1"
	testARN    = "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web/0123456789abcdef"
	testRole   = "arn:aws:iam::210987654321:role/podgate"
)

var testRef = balancer.Ref{Group: testARN}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is one HTTP answer.
type answer struct {
	status int
	body   string
}

// result is a successful answer to an action.
func result(action, body string) answer {
	return answer{http.StatusOK, fmt.Sprintf(`<%[1]sResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></%[1]sResponse>`, action, body)}
}

// refusal is an answer with an error code.
func refusal(status int, code, message string) answer {
	return answer{status, fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>req-1</RequestId></ErrorResponse>`, code, message)}
}

// wire is a server of canned answers that remembers what it was asked.
type wire struct {
	*httptest.Server
	mu    sync.Mutex
	asked []url.Values
}

// serve answers every request by what handle says.
func serve(t *testing.T, handle func(action string, form url.Values) answer) *wire {
	t.Helper()
	w := &wire{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		w.asked = append(w.asked, r.Form)
		w.mu.Unlock()
		a := handle(r.Form.Get("Action"), r.Form)
		rw.Header().Set("Content-Type", "text/xml")
		rw.Header().Set("X-Amzn-Requestid", "req-1")
		rw.WriteHeader(a.status)
		_, _ = rw.Write([]byte(a.body))
	}))

	t.Cleanup(w.Close)
	return w
}

func always(a answer) func(string, url.Values) answer {
	return func(string, url.Values) answer { return a }
}

// count tells how often an action was asked for.
func (w *wire) count(action string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, form := range w.asked {
		if form.Get("Action") == action {
			n++
		}
	}
	return n
}

// config is a configuration that reaches the server at address and nothing else.
func config(t *testing.T, address string) aws.Config {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return aws.Config{
		BaseEndpoint: aws.String(address),
		Credentials:  aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")),
		HTTPClient:   client,
	}
}

// fake puts an implementation of the five calls in AWS's place.
func fake(a api) *Provider {
	return over(aws.Config{}, testRegion, func(aws.Config) api { return a })
}

func targets(t *testing.T, n int) []gate.Target {
	t.Helper()
	out := make([]gate.Target, n)
	for i := range out {
		target, err := gate.ParseTarget(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), 8080)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = target
	}
	return out
}
