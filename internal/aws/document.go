// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"
)

// document is an HTTP client that turns a successful answer without a document into
// an error. The SDK takes an answer that ends before its document for one
// without content, and a group without targets is news.
type document struct {
	sdk.HTTPClient
	// begins reports whether what begins like that may be an answer.
	begins func(head []byte) bool
}

// prolog is how far into an answer its document is looked for, in bytes.
const prolog = 4096

var errNoDocument = errors.New("no document in it")

// Do implements sdk.HTTPClient.
func (d document) Do(req *http.Request) (*http.Response, error) {
	resp, err := d.HTTPClient.Do(req)
	if err != nil || resp.StatusCode/100 != 2 {
		return resp, err
	}

	head, err := io.ReadAll(io.LimitReader(resp.Body, prolog))
	if !d.begins(head) {
		_ = resp.Body.Close()
		return nil, &smithy.DeserializationError{Err: cmp.Or(err, errNoDocument), Snapshot: head}
	}

	rest := io.Reader(resp.Body)
	if err != nil {
		rest = broken{err}
	}

	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), resp.Body}

	return resp, nil
}

// broken is the end of a body that could not be read further.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// HasElement reports whether an answer has an XML element. The SDK takes one that ends before
// that for an answer without content, and a group without targets is news.
func HasElement(head []byte) bool {
	decoder := xml.NewDecoder(bytes.NewReader(head))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if _, ok := token.(xml.StartElement); ok {
			return true
		}
	}
}
