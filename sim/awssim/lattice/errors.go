// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"net/http"

	"github.com/podgate/podgate/sim/awssim/rest"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// kind is a kind of resource, in the words of errors.
type kind string

const (
	kindGroup              kind = "TARGET_GROUP"
	kindService            kind = "SERVICE"
	kindListener           kind = "LISTENER"
	kindRule               kind = "RULE"
	kindNetwork            kind = "SERVICE_NETWORK"
	kindServiceAssociation kind = "SERVICE_NETWORK_SERVICE_ASSOCIATION"
	kindVPCAssociation     kind = "SERVICE_NETWORK_VPC_ASSOCIATION"
)

// prefix is what ids of a kind begin with.
func (k kind) prefix() string {
	return map[kind]string{
		kindGroup: "tg-", kindService: "svc-", kindListener: "listener-", kindRule: "rule-", kindNetwork: "sn-",
		kindServiceAssociation: "snsa-", kindVPCAssociation: "snva-",
	}[k]
}

// path is what stands before the id of a kind in an ARN; listeners and rules stand below others.
func (k kind) path() string {
	return map[kind]string{
		kindGroup: "targetgroup", kindService: "service", kindNetwork: "servicenetwork",
		kindServiceAssociation: "servicenetworkserviceassociation", kindVPCAssociation: "servicenetworkvpcassociation",
		kindListener: "listener", kindRule: "rule",
	}[k]
}

func notFound(k kind, id string) *wire.APIError {
	return &wire.APIError{
		Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: fmt.Sprintf("%s %s not found", k, id),
		Members: map[string]any{"resourceId": id, "resourceType": string(k)},
	}
}

func conflict(k kind, id, format string, args ...any) *wire.APIError {
	return &wire.APIError{
		Status: http.StatusConflict, Code: "ConflictException", Message: fmt.Sprintf(format, args...),
		Members: map[string]any{"resourceId": id, "resourceType": string(k)},
	}
}

// busy is about something that is not in a state for what was asked; the text is in aws-application-networking-k8s #781.
func (o *object) busy() *wire.APIError {
	return conflict(o.kind, o.id, "Invalid resource status for this operation, resource id %s, status: %s.", o.id, o.status)
}

// tooMany is about a quota. code is the quota's, where it is known.
func tooMany(k kind, id, code, what string, limit int) *wire.APIError {
	return &wire.APIError{
		Status: http.StatusPaymentRequired, Code: "ServiceQuotaExceededException", Message: fmt.Sprintf("The limit of %d %s has been reached", limit, what),
		Members: map[string]any{"resourceId": id, "resourceType": string(k), "serviceCode": "vpc-lattice", "quotaCode": code},
	}
}

func invalid(field, format string, args ...any) *wire.APIError {
	return rest.Invalid(rest.Field{Name: field, Message: fmt.Sprintf(format, args...)})
}

// unmodelled is about what AWS has and the simulator has not.
func unmodelled(field, format string, args ...any) *wire.APIError {
	lacks := fmt.Sprintf(format, args...)
	return invalid(field, "awssim does not model %s", lacks).Lacking("%s", lacks)
}
