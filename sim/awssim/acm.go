// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/acm"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// acmTarget is what the names of ACM's operations begin with in the header X-Amz-Target.
const acmTarget = "CertificateManager."

// CA returns the certificate of the authority that signs ACM's certificates, in PEM.
func (s *Sim) CA() ([]byte, error) { return s.acm.CA() }

// ExpireCertificate makes a certificate that the authority signed one that has just expired, wherever it is in use.
func (s *Sim) ExpireCertificate(arn string) error {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.acm.Expire(arn)
}

// serveACM answers one call of the JSON protocol, which only ACM has here.
func (s *Sim) serveACM(w http.ResponseWriter, r *http.Request) {
	c := Call{Time: time.Now(), Service: "acm", AccessKeyID: scopeOf(r)[0], Operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), acmTarget)}
	body, readError := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", wire.RequestID())

	s.attend(w, r, &c, func(e faults.Effect) (int, []byte) {
		failure := wire.Failed("SerializationException", "The request cannot be read")
		var out any
		if readError == nil {
			out, failure = s.answerACM(r, body, &c, e)
		}
		if failure != nil {
			s.note(&c, failure)
			answer, _ := json.Marshal(map[string]string{"__type": failure.Code, "message": failure.Message}) // strings can be written
			return failure.Status, answer
		}

		answer, err := json.Marshal(out)
		if err != nil {
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, answer
	})
}

// answerACM is what a successful answer says, or the error.
func (s *Sim) answerACM(r *http.Request, body []byte, c *Call, e faults.Effect) (any, *wire.APIError) {
	if e.Failure != nil && !e.Applied {
		return nil, s.acmFailure(e.Failure, c)
	}

	op, modelled := s.acm.Operations()[c.Operation]
	switch {
	case !modelled:
		return nil, wire.Failed("UnknownOperationException", "").Lacking("operation %s", c.Operation)
	case c.AccessKeyID == "":
		return nil, wire.Failed("MissingAuthenticationTokenException", "Missing Authentication Token")
	case scopeOf(r)[1] != s.cfg.Region:
		return nil, wire.Failed("InvalidSignatureException", "Credential should be scoped to a valid region.")
	}

	// One lock for the whole operation: calls take effect one after the other.
	s.clock.Lock()
	defer s.clock.Unlock()
	who, refused := s.sts.Identify(c.AccessKeyID)
	if refused == nil {
		refused = s.buckets.Take(c.Service, who.Account, c.Operation)
	}
	if refused != nil {
		return nil, s.acmFailure(refused, c)
	}

	out, err := op(&acm.Call{Account: who.Account, Effect: e}, body)
	if err != nil {
		return nil, wire.AsAPIError(err)
	}
	if e.Failure != nil {
		return nil, s.acmFailure(e.Failure, c)
	}
	return out, nil
}

// acmFailure gives an error the name that it has in this protocol.
func (s *Sim) acmFailure(failure *wire.APIError, c *Call) *wire.APIError {
	full := *s.restFailure(failure, c)
	if full.Status < http.StatusInternalServerError {
		full.Status = http.StatusBadRequest
	}
	return &full
}
