// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podgate/podgate/internal/balancer"
)

// TestBodyOutlivesTheCall: net/http may still read a request's body when the answer is there and the SDK has closed its own.
func TestBodyOutlivesTheCall(t *testing.T) {
	var sent *http.Request
	all := New(sdk.Config{
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: doFunc(func(r *http.Request) (*http.Response, error) {
			sent = r
			return nil, errors.New("no answer")
		}),
	}, "eu-test-1", Service[*sts.Client]{Client: func(cfg sdk.Config) *sts.Client { return sts.NewFromConfig(cfg) }})

	c := all.Connection(balancer.Ref{})
	if _, err := Call(t.Context(), c, "ask", "who", c.API.GetCallerIdentity, &sts.GetCallerIdentityInput{}); err == nil {
		t.Fatal("got an answer")
	}
	body, err := io.ReadAll(sent.Body)
	if err != nil || !strings.Contains(string(body), "Action=GetCallerIdentity") || int64(len(body)) != sent.ContentLength {
		t.Errorf("got %q of %d bytes, %v", body, sent.ContentLength, err)
	}
}
