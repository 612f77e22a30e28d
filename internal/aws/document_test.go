// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// cutBody ends early and says so once.
type cutBody struct {
	io.ReadCloser
	reads int
}

func (b *cutBody) Read(p []byte) (int, error) {
	b.reads++
	switch b.reads {
	case 1:
		return copy(p, "<answer>"), nil
	case 2:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

func (*cutBody) Close() error { return nil }

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestDocumentKeepsTheErrorOfACutBody(t *testing.T) {
	client := doFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: &cutBody{}}, nil
	})
	resp, err := document{client, func([]byte) bool { return true }}.Do(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if string(body) != "<answer>" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", body, err)
	}
}
