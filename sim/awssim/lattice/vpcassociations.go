// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import "time"

// vpcAssociation lets the clients of a VPC into a network.
type vpcAssociation struct {
	*object
	network        *network
	vpc            string
	securityGroups []string
}

type vpcAssociationIn struct {
	Identifier string `json:"serviceNetworkVpcAssociationIdentifier"`
}

type createVPCAssociationIn struct {
	networkIn
	VPCIdentifier    string            `json:"vpcIdentifier"`
	SecurityGroupIDs []string          `json:"securityGroupIds"`
	Tags             map[string]string `json:"tags"`
}

// vpcAssociationOut is such an association as answers have it.
type vpcAssociationOut struct {
	ARN                string   `json:"arn"`
	ID                 string   `json:"id"`
	Status             string   `json:"status"`
	CreatedBy          string   `json:"createdBy,omitempty"`
	CreatedAt          *stamp   `json:"createdAt,omitempty"`
	LastUpdatedAt      *stamp   `json:"lastUpdatedAt,omitempty"`
	SecurityGroupIDs   []string `json:"securityGroupIds,omitempty"`
	VPCID              string   `json:"vpcId,omitempty"`
	ServiceNetworkARN  string   `json:"serviceNetworkArn,omitempty"`
	ServiceNetworkID   string   `json:"serviceNetworkId,omitempty"`
	ServiceNetworkName string   `json:"serviceNetworkName,omitempty"`
	FailureCode        string   `json:"failureCode,omitempty"`
	FailureMessage     string   `json:"failureMessage,omitempty"`
}

func (a *vpcAssociation) view() *vpcAssociationOut {
	return &vpcAssociationOut{ARN: a.arn, ID: a.id, Status: a.status, CreatedBy: a.account, SecurityGroupIDs: a.securityGroups}
}

// summary is an association as lists have it.
func (a *vpcAssociation) summary() *vpcAssociationOut {
	return &vpcAssociationOut{
		ARN: a.arn, ID: a.id, Status: a.status, CreatedBy: a.account, VPCID: a.vpc,
		CreatedAt: (*stamp)(&a.created), LastUpdatedAt: (*stamp)(&a.updated),
		ServiceNetworkARN: a.network.arn, ServiceNetworkID: a.network.id, ServiceNetworkName: a.network.name,
	}
}

func (s *Service) createVPCAssociation(c *Call, in *createVPCAssociationIn) (*vpcAssociationOut, error) {
	n, err := s.network(c, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}

	count := 0
	for _, a := range sorted(c, s.vpcAssociations) {
		if a.vpc == in.VPCIdentifier {
			// The text is in aws-application-networking-k8s, docs/guides/service-network-endpoint.md.
			return nil, conflict(kindVPCAssociation, a.id, "VPC has already been associated to a service network.")
		}
		if a.network == n {
			count++
		}
	}
	if limit := s.cfg.Quotas.VPCsPerNetwork; count >= limit {
		return nil, tooMany(kindNetwork, n.id, "L-7B5DBEC3", "VPC associations per service network", limit)
	}

	o, err := s.newObject(c, kindVPCAssociation, "", "", in.Tags)
	if err != nil {
		return nil, err
	}
	a := &vpcAssociation{object: o, network: n, vpc: in.VPCIdentifier, securityGroups: in.SecurityGroupIDs}
	s.vpcAssociations[a.id] = a
	s.associate(c, o)
	return a.view(), nil
}

func (s *Service) getVPCAssociation(c *Call, in *vpcAssociationIn) (*vpcAssociationOut, error) {
	a, err := find(s, c, kindVPCAssociation, s.vpcAssociations, in.Identifier)
	if err != nil {
		return nil, err
	}
	out := a.summary()
	out.SecurityGroupIDs = a.securityGroups
	out.FailureCode, out.FailureMessage = a.failureCode, a.failureMessage
	return out, nil
}

type updateVPCAssociationIn struct {
	vpcAssociationIn
	SecurityGroupIDs []string `json:"securityGroupIds"`
}

func (s *Service) updateVPCAssociation(c *Call, in *updateVPCAssociationIn) (*vpcAssociationOut, error) {
	a, err := find(s, c, kindVPCAssociation, s.vpcAssociations, in.Identifier)
	if err != nil {
		return nil, err
	}
	if a.status != active && a.status != updateFailed {
		return nil, a.busy()
	}

	a.status = updating
	out := a.view()
	out.SecurityGroupIDs = in.SecurityGroupIDs
	s.progress(c, a.object, updating, updateFailed, s.cfg.AssociateDelay, func() {
		a.status, a.securityGroups, a.updated = active, in.SecurityGroupIDs, time.Now()
	})
	return out, nil
}

func (s *Service) deleteVPCAssociation(c *Call, in *vpcAssociationIn) (*vpcAssociationOut, error) {
	o, err := dissociate(s, c, kindVPCAssociation, s.vpcAssociations, in.Identifier)
	if err != nil {
		return nil, err
	}
	return &vpcAssociationOut{ARN: o.arn, ID: o.id, Status: o.status}, nil
}

type listVPCAssociationsIn struct {
	networkIn
	VPCIdentifier string `json:"vpcIdentifier"`
	paging
}

func (s *Service) listVPCAssociations(c *Call, in *listVPCAssociationsIn) (*listed[*vpcAssociationOut], error) {
	if in.VPCIdentifier == "" && in.ServiceNetworkIdentifier == "" {
		return nil, invalid("vpcIdentifier", "either this or serviceNetworkIdentifier is required")
	}

	var list []*vpcAssociation
	for _, a := range sorted(c, s.vpcAssociations) {
		if (in.VPCIdentifier == "" || in.VPCIdentifier == a.vpc) && names(a.network, in.ServiceNetworkIdentifier) {
			list = append(list, a)
		}
	}
	return page(s, "VPC associations "+in.VPCIdentifier+" "+in.ServiceNetworkIdentifier, in.paging, list,
		func(a *vpcAssociation) int64 { return a.seq }, (*vpcAssociation).summary)
}
