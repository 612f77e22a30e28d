// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/query"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// service is one of the services at the endpoint, by the version its clients
// send.
type service struct {
	name      string
	namespace string
}

func serviceOf(version string) service {
	switch version {
	case "2015-12-01":
		return service{"elasticloadbalancing", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}
	case "2011-06-15":
		return service{"sts", "https://sts.amazonaws.com/doc/2011-06-15/"}
	case "2016-11-15":
		return service{"ec2", "http://ec2.amazonaws.com/doc/2016-11-15/"}
	}
	return service{"unknown", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}
}

// maxBody bounds a request: 1,000 targets are some 100 kB.
const maxBody = 4 << 20

// Handler serves the AWS API at / and the control API under /_awssim/.
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	s.control(mux)
	mux.HandleFunc("/", s.serve)
	return mux
}

// serve answers one call of the AWS API: the query protocol and ACM have the path /, and VPC Lattice all others.
func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		s.serveLattice(w, r)
		return
	}

	if r.Header.Get("X-Amz-Target") != "" {
		s.serveACM(w, r)
		return
	}

	began := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	formError := r.ParseForm()
	c := describeCall(r)
	svc := serviceOf(r.Form.Get("Version"))
	c.Time, c.Service = began, svc.name
	id := wire.RequestID()
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", id)

	s.attend(w, r, &c, func(e faults.Effect) (int, []byte) {
		var body []byte
		failure := &wire.APIError{Status: http.StatusBadRequest, Code: "MalformedInput", Message: "The request is not a form"}
		if formError == nil {
			body, failure = s.answer(svc, id, r, &c, e)
		}
		if failure == nil {
			return http.StatusOK, body
		}

		if svc.name == "ec2" {
			failure = ec2Failure(failure, &c)
			s.note(&c, failure)
			return cmp.Or(failure.Status, http.StatusBadRequest), query.ErrorFlat(failure.Code, failure.Message, id)
		}
		s.note(&c, failure)
		return cmp.Or(failure.Status, http.StatusBadRequest), query.Error(svc.namespace, failure.Fault(), failure.Code, failure.Message, id)
	})
}

// attend answers a call with what answer returns, as the faults let it, and records it.
func (s *Sim) attend(w http.ResponseWriter, r *http.Request, c *Call, answer func(faults.Effect) (int, []byte)) {
	e := s.faults.On(*c)
	defer func() {
		c.DurationSeconds = time.Since(c.Time).Seconds()
		s.record.AddCall(*c)
	}()

	// A fault strikes before the operation takes effect, unless it says otherwise.
	if !e.Applied {
		s.hinder(r.Context(), e)
	}

	status, body := answer(e)
	if e.Applied {
		s.hinder(r.Context(), e)
	}

	c.HTTPStatus = status
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)

	if e.Truncate {
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}

	_, _ = w.Write(body) // a client that went away is nobody's loss
}

// note puts an error on the record of its call, and logs what the simulator lacks.
func (s *Sim) note(c *Call, failure *wire.APIError) {
	c.ErrorCode = failure.Code
	if failure.Lacks != "" {
		s.cfg.Log.Info("Not modelled", "lacks", failure.Lacks, "operation", c.Operation, "error", failure.Code)
	}
}

// hinder makes a call late, or drops its connection, as faults have it.
func (s *Sim) hinder(ctx context.Context, e faults.Effect) {
	if e.Latency > 0 && !s.clock.Sleep(ctx, e.Latency) || e.Drop {
		panic(http.ErrAbortHandler)
	}
}

// answer is the body of a successful answer, or the error.
func (s *Sim) answer(svc service, id string, r *http.Request, record *Call, e faults.Effect) ([]byte, *wire.APIError) {
	if e.Failure != nil && !e.Applied {
		return nil, s.explain(e.Failure, record)
	}

	op, known := s.operations[svc.name+":"+record.Operation]
	if !known {
		return nil, wire.Failed("InvalidAction", "Could not find operation %s for version %s", record.Operation, r.Form.Get("Version")).Lacking("operation %s", record.Operation)
	}
	if record.AccessKeyID == "" {
		return nil, &wire.APIError{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token"}
	}

	if region := scopeOf(r)[1]; svc.name != "sts" && region != s.cfg.Region {
		return nil, &wire.APIError{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: "Credential should be scoped to a valid region, not '" + region + "'."}
	}

	// One lock for the whole operation: calls take effect one after the other.
	s.clock.Lock()
	defer s.clock.Unlock()
	who, refused := s.sts.Identify(record.AccessKeyID)
	if refused != nil {
		return nil, refused
	}

	if svc.name != "sts" {
		if err := s.buckets.Take(svc.name, who.Account, record.Operation); err != nil {
			return nil, err
		}
	}

	out, err := op(&call{Identity: who, effect: e}, r.Form)
	if err != nil {
		return nil, wire.AsAPIError(err)
	}
	if e.Failure != nil {
		return nil, e.Failure
	}

	if svc.name == "ec2" {
		return query.ResponseFlat(svc.namespace, record.Operation, id, out), nil
	}
	return query.Response(svc.namespace, record.Operation, id, out), nil
}

// ec2Failure gives an error the name that it has at EC2.
func ec2Failure(failure *wire.APIError, c *Call) *wire.APIError {
	full := *failure
	switch failure.Code {
	case "Throttling":
		full.Code, full.Status, full.Message = "RequestLimitExceeded", http.StatusServiceUnavailable, "Request limit exceeded."
	case "AccessDenied":
		full.Code, full.Message = "UnauthorizedOperation", "You are not authorized to perform this operation. "+failure.Message
	case "MissingAuthenticationToken", "SignatureDoesNotMatch", "InvalidClientTokenId":
		full.Code, full.Status, full.Message = "AuthFailure", http.StatusUnauthorized, "AWS was not able to validate the provided access credentials"
	case "ExpiredToken":
		full.Code, full.Status = "RequestExpired", http.StatusBadRequest
	case "InvalidAction":
		full.Message = "The action " + c.Operation + " is not valid for this web service."
	case "MalformedInput":
		full.Code = "InvalidParameterValue"
		if failure.Lacks != "" {
			full.Code = "UnknownParameter"
		}
	}
	return &full
}

// explain gives an injected refusal the text that the service gives it.
func (s *Sim) explain(failure *wire.APIError, record *Call) *wire.APIError {
	if failure.Code != "AccessDenied" {
		return failure
	}
	full := *failure
	full.Status = cmp.Or(failure.Status, http.StatusForbidden)
	if full.Message == "" {
		who, _ := s.sts.Identify(record.AccessKeyID)
		action := record.Service + ":" + record.Operation
		resource := cmp.Or(record.TargetGroupARN, record.RoleARN, "*")
		full.Message = "User: " + who.ARN + " is not authorized to perform: " + action + " on resource: " + resource + " because no identity-based policy allows the " + action + " action"
	}
	return &full
}

var scope = regexp.MustCompile(`Credential=([^/,\s]+)/[0-9]*/([^/,\s]*)/`)

// scopeOf is the access key id and region of a signature; both empty when there
// is none. The signature itself is not verified.
func scopeOf(r *http.Request) [2]string {
	match := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if match == nil {
		return [2]string{}
	}
	return [2]string{match[1], match[2]}
}

// describeCall reads off a request what the record and the faults look at.
func describeCall(r *http.Request) Call {
	c := Call{
		Operation:      r.Form.Get("Action"),
		AccessKeyID:    scopeOf(r)[0],
		TargetGroupARN: r.Form.Get("TargetGroupArn"),
		RoleARN:        r.Form.Get("RoleArn"),
		ExternalID:     r.Form.Get("ExternalId"),
	}

	for i := 1; ; i++ {
		member := "Targets.member." + strconv.Itoa(i)
		if !r.Form.Has(member + ".Id") {
			return c
		}
		port, _ := strconv.Atoi(r.Form.Get(member + ".Port")) // 0: the group's
		c.Targets = append(c.Targets, Target{ID: r.Form.Get(member + ".Id"), Port: port})
	}
}
