// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"net/http"
	"strconv"
)

// Word says in a few words why a check answered as it did. There are no words but those of this file, so that
// nothing of what was asked or answered (a body, a header, an address, a name) can get into a pod's condition.
type Word struct{ text string }

// String is the word for people; empty for the zero value.
func (w Word) String() string { return w.text }

// What is known before anybody was asked.
var (
	// Waiting means that the check has not been asked since it could be, or has not passed often enough yet.
	Waiting = Word{"not passed often enough yet"}
	// Outdated means that the last answer is too old to count.
	Outdated = Word{"no recent answer"}
	// NoAddress means that the pod has no address, or none of the family that is asked for.
	NoAddress = Word{"the pod has no such address"}
	// NoPort means that no container declares the port of that name.
	NoPort = Word{"no container has that port"}
	// Unusable means that the check cannot be asked as it is: the condition Ready of the ReadinessGate says why.
	Unusable = Word{"the check cannot be used as it is"}
	// NotAllowed means that podgate does not connect there. It does not say why: the reason could tell what is there.
	NotAllowed = Word{"not allowed"}
)

// What happens to connections.
var (
	// Connected means that the port accepts connections.
	Connected = Word{"connected"}
	// Refused means that nothing listens.
	Refused = Word{"connection refused"}
	// TimedOut means that there was no answer in time.
	TimedOut = Word{"timed out"}
	// Unreachable means that the network has no way there.
	Unreachable = Word{"unreachable"}
	// NameNotFound means that a host's name could not be resolved.
	NameNotFound = Word{"host name not found"}
	// NotTrusted means that the server's certificate is not from a trusted authority, not valid now, or another host's.
	NotTrusted = Word{"TLS certificate not trusted"}
	// TLSFailed means that the server does not speak TLS, or refuses to.
	TLSFailed = Word{"TLS handshake failed"}
)

// What servers answer.
var (
	// Malformed means that what came back is not an answer of the protocol, is larger than it may be, or ended in the middle. These
	// are one word because a server that closes connections looks now like the one, now like the other.
	Malformed = Word{"no valid answer"}
	// BodyTooLarge means that an expression reads the body, and the body is larger than is read.
	BodyTooLarge = Word{"body too large"}
	// ExpressionTrue and ExpressionFalse are what an expression said.
	ExpressionTrue  = Word{"the expression is true"}
	ExpressionFalse = Word{"the expression is false"}
	// ExpressionFailed means that an expression could not be evaluated.
	ExpressionFailed = Word{"the expression could not be evaluated"}
	// Serving, NotServing, ServiceUnknown and HealthUnknown are the statuses of gRPC's health service.
	Serving        = Word{"SERVING"}
	NotServing     = Word{"NOT_SERVING"}
	ServiceUnknown = Word{"SERVICE_UNKNOWN"}
	HealthUnknown  = Word{"UNKNOWN"}
	// Unimplemented means that the server has no health service.
	Unimplemented = Word{"UNIMPLEMENTED"}
)

// What people say.
var (
	// Approved means that somebody approved of the pod, of its revision, or of all pods.
	Approved = Word{"approved"}
	// NotApproved means that nobody did.
	NotApproved = Word{"not approved"}
	// OpenInitially means that no approval is asked for.
	OpenInitially = Word{"open unless it is closed by hand"}
)

// What is known of a query to a server that knows about pods.
var (
	// VariableUnusable means that a variable of the check has no value for this pod, such as a label that the pod lacks, or
	// one that cannot stand where the variable does.
	VariableUnusable = Word{"a variable has no usable value for this pod"}
	// LooksBack means that the answer would be in part about the time before the pod's containers became ready.
	LooksBack = Word{"the query still looks back to before the pod was ready"}
	// NoSeries and SeveralSeries mean that not exactly one series is about the pod; NoValue and SeveralValues
	// that a query about all pods has not exactly one value.
	NoSeries      = Word{"no series for this pod"}
	SeveralSeries = Word{"several series for this pod"}
	NoValue       = Word{"the query has no value"}
	SeveralValues = Word{"the query has several values"}
	// NotFinite means that the value is NaN, infinite, or no number, such as a histogram.
	NotFinite = Word{"the value is not a finite number"}
	// NotAVector means that a query returns something else than an instant vector or a scalar.
	NotAVector = Word{"the query returns no instant vector"}
	// QueryInvalid means that the server cannot read the query, and QueryFailed that it could not evaluate it.
	QueryInvalid = Word{"the query is not valid"}
	QueryFailed  = Word{"the query could not be evaluated"}
	// Partial means that the server warns that something is missing from its answer.
	Partial = Word{"the answer may be incomplete"}
	// TooManySeries means that a query returns more series than are read.
	TooManySeries = Word{"the query returns too many series"}
	// TokenUnreadable means that podgate cannot read the token for the server.
	TokenUnreadable = Word{"the token for the server cannot be read"}
)

// What is known of objects of the cluster.
var (
	// NotRead means that nothing was heard of the object yet, or of who may read it.
	NotRead = Word{"not read yet"}
	// ObjectNotFound means that there is no such object.
	ObjectNotFound = Word{"object not found"}
	// NoSuchKind means that the API server does not know the kind.
	NoSuchKind = Word{"the cluster does not have the kind of object"}
	// NoRights means that nobody gave podgate the right to read objects of the kind.
	NoRights = Word{"podgate may not read objects of the kind"}
	// TooMuch means that the objects are more or larger than podgate reads, and TooManyLooks that the namespace, or all of them together,
	// look at as many objects as they may.
	TooMuch      = Word{"too many objects, or too large ones"}
	TooManyLooks = Word{"too many objects are looked at already"}
)

// AtServer is a word about the server that a check asks instead of the pod, such as "server: timed out". It is not
// Silent: other pods' answers say nothing about the server.
func AtServer(w Word) Word { return Word{"server: " + w.text} }

// HTTPStatus is the status code of a response, such as "HTTP status 503". What is not a status code is Malformed.
func HTTPStatus(code int) Word {
	if code < http.StatusContinue || code > 999 {
		return Malformed
	}
	return Word{"HTTP status " + strconv.Itoa(code)}
}

// Silent reports whether a word means that nothing came back at all. That may be the pod's fault, or that of the network
// between podgate and the pod.
func (w Word) Silent() bool { return w == TimedOut || w == Unreachable }
