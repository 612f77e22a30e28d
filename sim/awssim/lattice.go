// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/lattice"
	"github.com/podgate/podgate/sim/awssim/rest"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// latticeService is the name of VPC Lattice in signatures, records and faults.
const latticeService = "vpc-lattice"

// restRequest is a request of the REST-JSON protocol, read but not yet understood.
type restRequest struct {
	*http.Request
	labels map[string]string
	body   []byte
}

// serveLattice answers one call of VPC Lattice.
func (s *Sim) serveLattice(w http.ResponseWriter, r *http.Request) {
	c := Call{Time: time.Now(), Service: latticeService, AccessKeyID: scopeOf(r)[0]}
	in := restRequest{Request: r}
	body, readError := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	in.body = body
	c.Operation, in.labels, _ = s.latticeModel.Find(r.Method, r.URL.EscapedPath())
	s.describeLattice(&c, in)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Requestid", wire.RequestID())

	s.attend(w, r, &c, func(e faults.Effect) (int, []byte) {
		failure := &wire.APIError{Status: http.StatusBadRequest, Code: "ValidationException", Message: "The request cannot be read", Members: map[string]any{"reason": "cannotParse"}}
		var out any
		if readError == nil {
			out, failure = s.answerLattice(in, &c, e)
		}
		if failure == nil {
			return s.latticeModel.Status(c.Operation), jsonOf(out)
		}

		s.note(&c, failure)
		return s.latticeModel.ErrorAnswer(w.Header(), failure)
	})
}

// jsonOf is an answer as it is written; one that says nothing has no body.
func jsonOf(out any) []byte {
	body, err := json.Marshal(out)
	if err != nil || bytes.Equal(body, []byte("{}")) {
		return nil
	}
	return body
}

// describeLattice reads off a request what the record and the faults look at.
func (s *Sim) describeLattice(c *Call, in restRequest) {
	s.clock.Lock()
	defer s.clock.Unlock()
	identifier, ok := in.labels["targetGroupIdentifier"]
	if !ok {
		return
	}

	c.TargetGroupARN = s.lattice.GroupARN(identifier)
	if c.Operation != "RegisterTargets" && c.Operation != "DeregisterTargets" {
		return
	}

	var body struct{ Targets []Target }
	if json.Unmarshal(in.body, &body) != nil {
		return // the operation says what is wrong
	}
	for _, t := range body.Targets {
		if t.Port == 0 {
			t.Port = s.lattice.GroupPort(c.TargetGroupARN)
		}
		c.Targets = append(c.Targets, t)
	}
}

// answerLattice is what a successful answer says, or the error.
func (s *Sim) answerLattice(in restRequest, c *Call, e faults.Effect) (any, *wire.APIError) {
	if e.Failure != nil && !e.Applied {
		return nil, s.restFailure(e.Failure, c)
	}

	op, modelled := s.latticeOperations[c.Operation]
	switch {
	case c.Operation == "":
		return nil, &wire.APIError{Status: http.StatusNotFound, Code: "UnknownOperationException", Message: "No operation has this method and path", Lacks: "operation " + in.Method + " " + in.URL.EscapedPath()}
	case !modelled:
		return nil, (&wire.APIError{Status: http.StatusBadRequest, Code: "ValidationException", Message: "awssim does not model " + c.Operation, Members: map[string]any{"reason": "unknownOperation"}}).Lacking("operation %s", c.Operation)
	case c.AccessKeyID == "":
		return nil, &wire.APIError{Status: http.StatusForbidden, Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"}
	}
	if region := scopeOf(in.Request)[1]; region != s.cfg.Region {
		return nil, &wire.APIError{Status: http.StatusForbidden, Code: "InvalidSignatureException", Message: "Credential should be scoped to a valid region."}
	}

	// One lock for the whole operation: calls take effect one after the other.
	s.clock.Lock()
	defer s.clock.Unlock()
	who, refused := s.sts.Identify(c.AccessKeyID)
	if refused == nil {
		refused = s.buckets.Take(latticeService, who.Account, c.Operation)
	}
	if refused != nil {
		return nil, s.restFailure(refused, c)
	}

	parameters, err := s.latticeModel.Read(c.Operation, in.labels, in.URL.Query(), in.body)
	if err != nil {
		return nil, rest.AsAPIError(err)
	}

	out, err := op(&lattice.Call{Account: who.Account, Effect: e}, parameters)
	if err != nil {
		return nil, rest.AsAPIError(err)
	}
	if e.Failure != nil {
		return nil, s.restFailure(e.Failure, c)
	}
	return out, nil
}

// restFailure gives an error the name that it has in this protocol, and an injected refusal the text of the service.
func (s *Sim) restFailure(failure *wire.APIError, c *Call) *wire.APIError {
	full := *s.explain(failure, c)
	switch full.Code {
	case "AccessDenied":
		full.Code = "AccessDeniedException"
	case "Throttling":
		full.Code, full.Status = "ThrottlingException", http.StatusTooManyRequests
		full.Members = map[string]any{"serviceCode": c.Service}
	case "ExpiredToken":
		full.Code = "ExpiredTokenException"
	case "InvalidClientTokenId":
		full.Code = "UnrecognizedClientException"
	}
	return &full
}
