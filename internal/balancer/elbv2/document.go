// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"bytes"
	"encoding/xml"
)

// hasElement reports whether an answer has an XML element. The SDK takes one that ends before
// that for an answer without content, and a group without targets is news.
func hasElement(head []byte) bool {
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
