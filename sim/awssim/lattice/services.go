// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// service is what clients call by a name.
type service struct {
	*object
	authType       string
	certificateARN string
	customDomain   string
	dns            *dnsEntry
}

type dnsEntry struct {
	DomainName   string `json:"domainName"`
	HostedZoneID string `json:"hostedZoneId"`
}

type serviceIn struct {
	ServiceIdentifier string `json:"serviceIdentifier"`
}

type createServiceIn struct {
	Name             string            `json:"name"`
	AuthType         string            `json:"authType"`
	CertificateARN   string            `json:"certificateArn"`
	CustomDomainName string            `json:"customDomainName"`
	Tags             map[string]string `json:"tags"`
}

// serviceOut is a service as answers have it; each answer has its own part of this.
type serviceOut struct {
	ARN              string    `json:"arn"`
	ID               string    `json:"id"`
	Name             string    `json:"name"`
	Status           string    `json:"status,omitempty"`
	AuthType         string    `json:"authType,omitempty"`
	CertificateARN   string    `json:"certificateArn,omitempty"`
	CustomDomainName string    `json:"customDomainName,omitempty"`
	DNSEntry         *dnsEntry `json:"dnsEntry,omitempty"`
	CreatedAt        *stamp    `json:"createdAt,omitempty"`
	LastUpdatedAt    *stamp    `json:"lastUpdatedAt,omitempty"`
	FailureCode      string    `json:"failureCode,omitempty"`
	FailureMessage   string    `json:"failureMessage,omitempty"`
}

func (v *service) view() *serviceOut {
	return &serviceOut{
		ARN: v.arn, ID: v.id, Name: v.name, Status: v.status, AuthType: v.authType,
		CertificateARN: v.certificateARN, CustomDomainName: v.customDomain, DNSEntry: v.dns,
	}
}

func (s *Service) service(c *Call, identifier string) (*service, error) {
	return find(s, c, kindService, s.services, identifier)
}

func (s *Service) createService(c *Call, in *createServiceIn) (*serviceOut, error) {
	if err := taken(s, c, s.services, in.Name); err != nil {
		return nil, err
	}
	if limit := s.cfg.Quotas.Services; len(sorted(c, s.services)) >= limit {
		return nil, tooMany(kindService, in.Name, "L-4A6D1F6E", "services per Region", limit)
	}

	o, err := s.newObject(c, kindService, "", in.Name, in.Tags)
	if err != nil {
		return nil, err
	}

	v := &service{object: o, authType: in.AuthType, certificateARN: in.CertificateARN, customDomain: strings.ToLower(in.CustomDomainName)}
	if v.authType == "" {
		v.authType = "NONE"
	}
	v.dns = &dnsEntry{
		DomainName:   v.name + "-" + strings.TrimPrefix(v.id, "svc-") + ".7d67968.vpc-lattice-svcs." + s.cfg.Region + ".on.aws",
		HostedZoneID: "Z" + strings.ToUpper(wire.RandomHex(7)),
	}

	s.services[v.id] = v
	v.status = creating
	out := v.view()
	s.progress(c, o, creating, createFailed, s.cfg.CreateDelay, func() {
		v.status = active
		s.refresh()
	})
	return out, nil
}

func (s *Service) getService(c *Call, in *serviceIn) (*serviceOut, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	out := v.view()
	out.CreatedAt, out.LastUpdatedAt = (*stamp)(&v.created), (*stamp)(&v.updated)
	out.FailureCode, out.FailureMessage = v.failureCode, v.failureMessage
	return out, nil
}

type updateServiceIn struct {
	serviceIn
	AuthType       string `json:"authType"`
	CertificateARN string `json:"certificateArn"`
}

func (s *Service) updateService(c *Call, in *updateServiceIn) (*serviceOut, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	if err := v.ready(); err != nil {
		return nil, err
	}

	if in.AuthType != "" {
		v.authType = in.AuthType
	}
	if in.CertificateARN != "" {
		v.certificateARN = in.CertificateARN
	}
	v.updated = time.Now()

	out := v.view()
	out.Status, out.DNSEntry = "", nil
	return out, nil
}

func (s *Service) deleteService(c *Call, in *serviceIn) (*serviceOut, error) {
	v, err := s.service(c, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	if err := v.removable(); err != nil {
		return nil, err
	}
	if s.associated(v) {
		return nil, conflict(kindService, v.id, "Service %s is associated with a service network", v.id)
	}

	out := &serviceOut{ARN: v.arn, ID: v.id, Name: v.name, Status: deleting}
	s.progress(c, v.object, deleting, deleteFailed, s.cfg.DeleteDelay, func() {
		for _, l := range s.listenersOf(v) {
			s.dropListener(l)
		}
		delete(s.services, v.id)
		s.refresh()
	})
	s.refresh()
	return out, nil
}

type listIn struct{ paging }

func (s *Service) listServices(c *Call, in *listIn) (*listed[*serviceOut], error) {
	return page(s, "services "+c.Account, in.paging, sorted(c, s.services), func(v *service) int64 { return v.seq }, func(v *service) *serviceOut {
		return &serviceOut{
			ARN: v.arn, ID: v.id, Name: v.name, Status: v.status, CustomDomainName: v.customDomain, DNSEntry: v.dns,
			CreatedAt: (*stamp)(&v.created), LastUpdatedAt: (*stamp)(&v.updated),
		}
	})
}
