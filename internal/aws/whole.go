// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"bytes"
	"io"
	"net/http"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
)

// whole is an HTTP client that sends a request's body from memory. The SDK closes its own body as soon as an answer begins.
// If net/http has not looked for the body's end by then it takes that for a failure, and closes the connection in the midst
// of the answer. From memory it sends the body together with the headers, too.
type whole struct{ sdk.HTTPClient }

// Do implements sdk.HTTPClient.
func (w whole) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return w.HTTPClient.Do(req)
	}

	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}

	own := *req
	own.Body, own.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return w.HTTPClient.Do(&own)
}
