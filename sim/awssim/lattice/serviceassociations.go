// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

// serviceAssociation puts a service into a network.
type serviceAssociation struct {
	*object
	service *service
	network *network
}

type serviceAssociationIn struct {
	Identifier string `json:"serviceNetworkServiceAssociationIdentifier"`
}

type createServiceAssociationIn struct {
	serviceIn
	networkIn
	Tags map[string]string `json:"tags"`
}

// serviceAssociationOut is such an association as answers have it.
type serviceAssociationOut struct {
	ARN                string    `json:"arn"`
	ID                 string    `json:"id"`
	Status             string    `json:"status"`
	CreatedBy          string    `json:"createdBy,omitempty"`
	CreatedAt          *stamp    `json:"createdAt,omitempty"`
	CustomDomainName   string    `json:"customDomainName,omitempty"`
	DNSEntry           *dnsEntry `json:"dnsEntry,omitempty"`
	ServiceARN         string    `json:"serviceArn,omitempty"`
	ServiceID          string    `json:"serviceId,omitempty"`
	ServiceName        string    `json:"serviceName,omitempty"`
	ServiceNetworkARN  string    `json:"serviceNetworkArn,omitempty"`
	ServiceNetworkID   string    `json:"serviceNetworkId,omitempty"`
	ServiceNetworkName string    `json:"serviceNetworkName,omitempty"`
	FailureCode        string    `json:"failureCode,omitempty"`
	FailureMessage     string    `json:"failureMessage,omitempty"`
}

func (a *serviceAssociation) view() *serviceAssociationOut {
	return &serviceAssociationOut{
		ARN: a.arn, ID: a.id, Status: a.status, CreatedBy: a.account, CustomDomainName: a.service.customDomain, DNSEntry: a.service.dns,
	}
}

// summary is an association as lists have it.
func (a *serviceAssociation) summary() *serviceAssociationOut {
	out := a.view()
	out.CreatedAt = (*stamp)(&a.created)
	out.ServiceARN, out.ServiceID, out.ServiceName = a.service.arn, a.service.id, a.service.name
	out.ServiceNetworkARN, out.ServiceNetworkID, out.ServiceNetworkName = a.network.arn, a.network.id, a.network.name
	return out
}

// associated reports whether a service is in a service network, or on its way in or out.
func (s *Service) associated(v *service) bool {
	for _, a := range s.serviceAssociations {
		if a.service == v {
			return true
		}
	}
	return false
}

func (s *Service) createServiceAssociation(c *Call, in *createServiceAssociationIn) (*serviceAssociationOut, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	n, err := s.network(c, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	if err := s.checkServiceAssociation(v, n); err != nil {
		return nil, err
	}

	o, err := s.newObject(c, kindServiceAssociation, "", "", in.Tags)
	if err != nil {
		return nil, err
	}
	a := &serviceAssociation{object: o, service: v, network: n}
	s.serviceAssociations[a.id] = a
	s.associate(c, o)
	return a.view(), nil
}

func (s *Service) checkServiceAssociation(v *service, n *network) error {
	if err := v.ready(); err != nil {
		return err
	}

	count := 0
	for _, a := range s.serviceAssociations {
		switch {
		case a.network != n:
			continue
		case a.service == v:
			return conflict(kindServiceAssociation, a.id, "Service %s is already associated with service network %s", v.id, n.id)
		case v.customDomain != "" && a.service.customDomain == v.customDomain:
			return conflict(kindServiceAssociation, a.id, "Service %s has the custom domain name %s in service network %s", a.service.id, v.customDomain, n.id)
		}
		count++
	}
	if limit := s.cfg.Quotas.ServicesPerNetwork; count >= limit {
		return tooMany(kindNetwork, n.id, "L-C48CCE66", "service associations per service network", limit)
	}
	return nil
}

func (s *Service) getServiceAssociation(c *Call, in *serviceAssociationIn) (*serviceAssociationOut, error) {
	a, err := find(s, c, kindServiceAssociation, s.serviceAssociations, in.Identifier)
	if err != nil {
		return nil, err
	}
	out := a.summary()
	out.FailureCode, out.FailureMessage = a.failureCode, a.failureMessage
	return out, nil
}

func (s *Service) deleteServiceAssociation(c *Call, in *serviceAssociationIn) (*serviceAssociationOut, error) {
	o, err := dissociate(s, c, kindServiceAssociation, s.serviceAssociations, in.Identifier)
	if err != nil {
		return nil, err
	}
	return &serviceAssociationOut{ARN: o.arn, ID: o.id, Status: o.status}, nil
}

type listServiceAssociationsIn struct {
	serviceIn
	networkIn
	paging
}

func (s *Service) listServiceAssociations(c *Call, in *listServiceAssociationsIn) (*listed[*serviceAssociationOut], error) {
	if in.ServiceIdentifier == "" && in.ServiceNetworkIdentifier == "" {
		return nil, invalid("serviceIdentifier", "either this or serviceNetworkIdentifier is required")
	}

	var list []*serviceAssociation
	for _, a := range sorted(c, s.serviceAssociations) {
		if names(a.service, in.ServiceIdentifier) && names(a.network, in.ServiceNetworkIdentifier) {
			list = append(list, a)
		}
	}
	return page(s, "service associations "+in.ServiceIdentifier+" "+in.ServiceNetworkIdentifier, in.paging, list,
		func(a *serviceAssociation) int64 { return a.seq }, (*serviceAssociation).summary)
}

// names reports whether a filter lets a resource through: it is empty, or its id or ARN.
func names(r resource, filter string) bool {
	o := r.self()
	return filter == "" || filter == o.id || filter == o.arn
}
