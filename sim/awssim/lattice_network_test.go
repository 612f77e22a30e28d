// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

func (e *env) latticeNetwork(name string) *string {
	e.Helper()
	return does(e, e.lattice.CreateServiceNetwork)(&vpclattice.CreateServiceNetworkInput{Name: &name}).Id
}

func (e *env) latticeJoin(network, service *string) *string {
	e.Helper()
	return does(e, e.lattice.CreateServiceNetworkServiceAssociation)(&vpclattice.CreateServiceNetworkServiceAssociationInput{ServiceNetworkIdentifier: network, ServiceIdentifier: service}).Id
}

// latticeEnter lets a VPC into a network.
func (e *env) latticeEnter(network *string) *string {
	e.Helper()
	vpc := latticeVPC
	return does(e, e.lattice.CreateServiceNetworkVpcAssociation)(&vpclattice.CreateServiceNetworkVpcAssociationInput{ServiceNetworkIdentifier: network, VpcIdentifier: &vpc}).Id
}

// A network is made at once, its associations in the background, and it goes last.
func TestLatticeNetwork(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{AssociateDelay: 5 * time.Second, DeleteDelay: 2 * time.Second}}, func(e *env) {
		network, service := e.latticeNetwork("shop"), e.latticeService("web").Id
		join, enter := e.latticeJoin(network, service), e.latticeEnter(network)
		getJoin := &vpclattice.GetServiceNetworkServiceAssociationInput{ServiceNetworkServiceAssociationIdentifier: join}
		getEnter := &vpclattice.GetServiceNetworkVpcAssociationInput{ServiceNetworkVpcAssociationIdentifier: enter}
		if got := does(e, e.lattice.GetServiceNetworkServiceAssociation)(getJoin); got.Status != types.ServiceNetworkServiceAssociationStatusCreateInProgress || *got.ServiceName != "web" {
			t.Errorf("a new association is %s of %s", got.Status, *got.ServiceName)
		}

		dropJoin := &vpclattice.DeleteServiceNetworkServiceAssociationInput{ServiceNetworkServiceAssociationIdentifier: join}
		dropEnter := &vpclattice.DeleteServiceNetworkVpcAssociationInput{ServiceNetworkVpcAssociationIdentifier: enter}
		refuses(e, e.lattice.DeleteServiceNetworkServiceAssociation, "it is being created", "ConflictException", dropJoin)
		refuses(e, e.lattice.DeleteServiceNetworkVpcAssociation, "it is being created", "ConflictException", dropEnter)
		time.Sleep(5*time.Second + time.Millisecond)

		change := &vpclattice.UpdateServiceNetworkVpcAssociationInput{ServiceNetworkVpcAssociationIdentifier: enter, SecurityGroupIds: []string{"sg-0a1b2c3d"}}
		if got := does(e, e.lattice.UpdateServiceNetworkVpcAssociation)(change); got.Status != types.ServiceNetworkVpcAssociationStatusUpdateInProgress {
			t.Errorf("a changed association is %s", got.Status)
		}
		time.Sleep(5*time.Second + time.Millisecond)
		if got := does(e, e.lattice.GetServiceNetworkVpcAssociation)(getEnter); got.Status != types.ServiceNetworkVpcAssociationStatusActive || len(got.SecurityGroupIds) != 1 || *got.VpcId != latticeVPC {
			t.Errorf("the association is %+v", got)
		}
		if got := does(e, e.lattice.GetServiceNetwork)(&vpclattice.GetServiceNetworkInput{ServiceNetworkIdentifier: network}); *got.NumberOfAssociatedServices != 1 || *got.NumberOfAssociatedVPCs != 1 {
			t.Errorf("the network has %d services, %d VPCs", *got.NumberOfAssociatedServices, *got.NumberOfAssociatedVPCs)
		}

		drop := &vpclattice.DeleteServiceNetworkInput{ServiceNetworkIdentifier: network}
		dropService := &vpclattice.DeleteServiceInput{ServiceIdentifier: service}
		refuses(e, e.lattice.DeleteServiceNetwork, "it has associations", "ConflictException", drop)
		refuses(e, e.lattice.DeleteService, "it is in a network", "ConflictException", dropService)
		does(e, e.lattice.DeleteServiceNetworkServiceAssociation)(dropJoin)
		does(e, e.lattice.DeleteServiceNetworkVpcAssociation)(dropEnter)
		refuses(e, e.lattice.DeleteService, "it is still leaving", "ConflictException", dropService)
		time.Sleep(2*time.Second + time.Millisecond)
		refuses(e, e.lattice.GetServiceNetworkServiceAssociation, "it is gone", "ResourceNotFoundException", getJoin)
		does(e, e.lattice.DeleteService)(dropService)
		does(e, e.lattice.DeleteServiceNetwork)(drop)
	})
}

func TestLatticeAssociationRefusals(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{Quotas: lattice.Quotas{ServicesPerNetwork: 1}}}, func(e *env) {
		network, other := e.latticeNetwork("shop"), e.latticeNetwork("office")
		named := func(name string) *string {
			return does(e, e.lattice.CreateService)(&vpclattice.CreateServiceInput{Name: &name, CustomDomainName: aws.String("web.example.com")}).Id
		}
		one, two := named("one"), named("two")
		e.latticeJoin(network, one)
		e.latticeJoin(other, one)
		e.latticeEnter(network)

		join := func(network, service *string) *vpclattice.CreateServiceNetworkServiceAssociationInput {
			return &vpclattice.CreateServiceNetworkServiceAssociationInput{ServiceNetworkIdentifier: network, ServiceIdentifier: service}
		}
		refuses(e, e.lattice.CreateServiceNetworkServiceAssociation, "the same pair", "ConflictException", join(network, one))
		refuses(e, e.lattice.CreateServiceNetworkServiceAssociation, "the custom domain is in the network", "ConflictException", join(network, two))
		plain := e.latticeService("plain").Id
		refuses(e, e.lattice.CreateServiceNetworkServiceAssociation, "the quota", "ServiceQuotaExceededException", join(network, plain))
		refuses(e, e.lattice.CreateServiceNetworkServiceAssociation, "no such network", "ResourceNotFoundException", join(aws.String("sn-00000000000000000"), plain))

		vpc := latticeVPC
		refuses(e, e.lattice.CreateServiceNetworkVpcAssociation, "a VPC is in one network", "ConflictException", &vpclattice.CreateServiceNetworkVpcAssociationInput{ServiceNetworkIdentifier: other, VpcIdentifier: &vpc})
		refuses(e, e.lattice.ListServiceNetworkVpcAssociations, "of which?", "ValidationException", &vpclattice.ListServiceNetworkVpcAssociationsInput{})

		byService := does(e, e.lattice.ListServiceNetworkServiceAssociations)(&vpclattice.ListServiceNetworkServiceAssociationsInput{ServiceIdentifier: one})
		both := does(e, e.lattice.ListServiceNetworkServiceAssociations)(&vpclattice.ListServiceNetworkServiceAssociationsInput{ServiceIdentifier: one, ServiceNetworkIdentifier: network})
		vpcs := does(e, e.lattice.ListServiceNetworkVpcAssociations)(&vpclattice.ListServiceNetworkVpcAssociationsInput{VpcIdentifier: &vpc})
		networks := does(e, e.lattice.ListServiceNetworks)(&vpclattice.ListServiceNetworksInput{})
		if len(byService.Items) != 2 || len(both.Items) != 1 || len(vpcs.Items) != 1 || len(networks.Items) != 2 {
			t.Errorf("listed %d, %d, %d, %d; want 2, 1, 1, 2", len(byService.Items), len(both.Items), len(vpcs.Items), len(networks.Items))
		}
		does(e, e.lattice.UpdateServiceNetwork)(&vpclattice.UpdateServiceNetworkInput{ServiceNetworkIdentifier: network, AuthType: types.AuthTypeAwsIam})
	})
}
