// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/podgate/podgate/internal/balancer"
)

// kinds maps the error codes that AWS's services share to the seam's errors. The sources are
// the services' pages of errors that all their operations have, and the like of STS.
var kinds = map[string]error{
	"AccessDenied":                balancer.ErrDenied,
	"AccessDeniedException":       balancer.ErrDenied,
	"AuthFailure":                 balancer.ErrDenied,
	"ExpiredToken":                balancer.ErrDenied,
	"ExpiredTokenException":       balancer.ErrDenied,
	"IncompleteSignature":         balancer.ErrDenied,
	"InvalidAccessKeyId":          balancer.ErrDenied,
	"InvalidClientTokenId":        balancer.ErrDenied,
	"InvalidSignatureException":   balancer.ErrDenied,
	"MissingAuthenticationToken":  balancer.ErrDenied,
	"NotAuthorized":               balancer.ErrDenied,
	"OptInRequired":               balancer.ErrDenied,
	"RequestExpired":              balancer.ErrDenied,
	"SignatureDoesNotMatch":       balancer.ErrDenied,
	"UnauthorizedOperation":       balancer.ErrDenied,
	"UnrecognizedClientException": balancer.ErrDenied,

	"PriorRequestNotComplete":   balancer.ErrThrottled,
	"RequestLimitExceeded":      balancer.ErrThrottled,
	"RequestThrottled":          balancer.ErrThrottled,
	"RequestThrottledException": balancer.ErrThrottled,
	"SlowDown":                  balancer.ErrThrottled,
	"Throttling":                balancer.ErrThrottled,
	"ThrottlingException":       balancer.ErrThrottled,
	"ThrottledException":        balancer.ErrThrottled,
	"TooManyRequests":           balancer.ErrThrottled,
	"TooManyRequestsException":  balancer.ErrThrottled,
}

// codeUnknown is the SDK's own word for an error answer without a code.
const codeUnknown = "UnknownError"

// instanceMetadata is the SDK's name of the service that gives an instance its
// credentials; it is asked when nothing else is configured.
const instanceMetadata = "ec2imds"

var errNoCredentials = errors.New("none are configured")

// credentialsError says that a call was not made because it had no credentials.
type credentialsError struct {
	role string // empty for podgate's own
	err  error
}

func (e *credentialsError) Error() string { return e.what() + ": " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
func (e *credentialsError) what() string {
	if e.role == "" {
		return "no credentials"
	}
	return "cannot assume role " + strconv.Quote(e.role)
}

// explain fills in what err, an error of the SDK, means. own are the kinds of the service's own codes.
func explain(to *balancer.CallError, err error, own map[string]error) {
	explainAnswer(to, err, own)
	to.Cause = err
	var creds *credentialsError
	if !errors.As(err, &creds) {
		return
	}

	var asked *smithy.OperationError
	switch {
	case !errors.As(creds.err, &asked): // nobody was asked, so nobody is out of reach
		to.Text, to.Detail = innermost(creds.err).Error(), ""
	case asked.Service() == instanceMetadata:
		to.Text, to.Detail = "none are configured and the instance offers none; give podgate's service account a role", innermost(creds.err).Error()
	}

	to.Text = creds.what() + ": " + to.Text
	if refusesCredentials(to, creds) {
		to.Kind = balancer.ErrDenied
	}
}

// explainAnswer tells by the API's answer, or by the lack of one.
func explainAnswer(to *balancer.CallError, err error, own map[string]error) {
	status := 0
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
		to.RetryAfter = retryAfter(resp)
	}

	var withID *awshttp.ResponseError
	if errors.As(err, &withID) {
		to.RequestID = withID.ServiceRequestID()
	}

	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		to.Code, to.Text, to.Kind = apiErr.ErrorCode(), apiErr.ErrorMessage(), KindOf(apiErr.ErrorCode(), own)
		if to.Code == codeUnknown {
			to.Code, to.Text = "", statusText(status)
		}
		if to.Kind == nil {
			to.Kind = kindOfStatus(status)
		}
		return
	}

	var unreadable *smithy.DeserializationError
	if errors.As(err, &unreadable) || status >= http.StatusOK {
		to.Text, to.Detail = "the answer cannot be read: it was cut off, or something other than the API answered", innermost(err).Error()
		to.Kind = kindOfStatus(status)
		if status >= http.StatusBadRequest {
			to.Text = statusText(status) + ": " + to.Text
		}
		return
	}

	to.Text, to.Detail = "cannot reach the API: "+networkText(err), networkDetail(err)
}

// retryAfter is how long an answer asks to be left alone. A date in that header counts for nothing:
// it would depend on two clocks.
func retryAfter(resp *smithyhttp.ResponseError) time.Duration {
	if resp.Response == nil || resp.Response.Response == nil {
		return 0
	}
	seconds, err := strconv.Atoi(resp.Response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// KindOf returns what an error code means, which is one of a service's own or one that all have;
// nil when it is transient.
func KindOf(code string, own map[string]error) error { return cmp.Or(own[code], kinds[code]) }

// kindOfStatus tells what a status alone says.
func kindOfStatus(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return balancer.ErrDenied
	case http.StatusTooManyRequests:
		return balancer.ErrThrottled
	}
	return nil
}

func statusText(status int) string {
	return "HTTP " + strconv.Itoa(status) + " " + http.StatusText(status)
}

// refusesCredentials tells a refusal from a passing fault: STS that is down or
// throttles is passing, the instance's own credential service that does not answer
// is what it looks like when podgate was given no role.
func refusesCredentials(to *balancer.CallError, creds *credentialsError) bool {
	var op *smithy.OperationError
	if errors.As(creds.err, &op) && op.Service() == instanceMetadata {
		return true
	}
	var resp *smithyhttp.ResponseError
	if errors.As(creds.err, &resp) && resp.HTTPStatusCode() >= http.StatusBadRequest {
		return resp.HTTPStatusCode() < http.StatusInternalServerError && !errors.Is(to.Kind, balancer.ErrThrottled)
	}
	return !errors.As(creds.err, &op)
}

// networkText names the trouble without addresses and ports that may differ next time.
func networkText(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "the name " + strconv.Quote(dns.Name) + " is not resolved: " + dns.Err
	}

	// Which of these a closed connection gives depends on the moment.
	for _, closed := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, closed) {
			return "the connection was closed without an answer"
		}
	}

	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}

	return innermost(err).Error()
}

func networkDetail(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Error()
	}
	return ""
}

// innermost is the error that the SDK's layers wrap.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
