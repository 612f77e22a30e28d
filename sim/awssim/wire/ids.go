// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/rand"
	"encoding/hex"
)

// Suffix returns a new end of an ARN, such as 73e2d6bc24d8a067.
func Suffix() string { return RandomHex(8) }

// RandomHex returns so many random bytes in hexadecimal.
func RandomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// RequestID returns a new request id in the form of AWS's.
func RequestID() string {
	h := RandomHex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
