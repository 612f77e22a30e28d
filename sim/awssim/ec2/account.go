// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"strconv"

	"github.com/podgate/podgate/sim/awssim/wire"
)

type describeAccountAttributesInput struct {
	DryRun        *bool
	AttributeName []string
}

type valueView struct{ AttributeValue string }

type accountAttributeView struct {
	AttributeName     string
	AttributeValueSet []valueView
}

type describeAccountAttributesOutput struct {
	AccountAttributeSet []accountAttributeView
}

// describeAccountAttributes tells those of the documented attributes that mean something here.
func (s *Service) describeAccountAttributes(_ *Call, in *describeAccountAttributesInput) (*describeAccountAttributesOutput, error) {
	all := []accountAttributeView{
		{"supported-platforms", []valueView{{"VPC"}}},
		{"vpc-max-security-groups-per-interface", []valueView{{strconv.Itoa(s.GroupsPerInterface())}}},
	}
	if in.AttributeName == nil {
		return &describeAccountAttributesOutput{all}, nil
	}

	var out describeAccountAttributesOutput
	for _, name := range in.AttributeName {
		known := false
		for _, a := range all {
			if a.AttributeName == name {
				out.AccountAttributeSet, known = append(out.AccountAttributeSet, a), true
			}
		}
		if !known {
			return nil, wire.Failed("InvalidParameterValue", "Invalid attribute name: %s", name)
		}
	}
	return &out, nil
}

// GroupsPerInterface is how many security groups a network interface may have.
func (s *Service) GroupsPerInterface() int { return s.cfg.Quotas.GroupsPerInterface }
