// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply reads load balancers from AWS, and performs the steps of a plan there.
//
// What belongs to a stack is found by its tags, and nothing is changed that does not carry them. One list of the account's
// load balancers and target groups serves all stacks for some minutes. Nothing is remembered that AWS does not tell again:
// a process that starts anew goes on where another one ended.
//
// It decides nothing, retries nothing and starts no goroutine. Bindings are not its business: it performs no step of theirs.
package apply

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/balancer"
)

// Cloud is podgate's own account in one region. It is safe for concurrent use.
type Cloud struct {
	sessions *podaws.Sessions[*elbv2.Client]
	network  *ec2.EC2
	region   string
	within   podaws.Within
	now      func() time.Time

	// turn is held by who asks for the list of all, so that others wait for it and do not ask as well.
	turn chan struct{}

	mu sync.Mutex
	// listed is when the list of all was begun; zero: it has to be asked for.
	listed time.Time
	// all are load balancers and target groups by their ARNs.
	all map[string]*resource
	// details are what was seen of stacks, by their keys.
	details map[string]detail
	// quotas are the account's.
	quotas quotas
}

// New makes a Cloud, without a call. podaws.New says what cfg, region and opts are; within makes each call within the
// account's budget.
func New(cfg aws.Config, region string, within podaws.Within, opts ...podaws.Option) *Cloud {
	return &Cloud{
		sessions: podaws.New(cfg, region, podaws.Service[*elbv2.Client]{
			Client: func(cfg aws.Config) *elbv2.Client { return elbv2.NewFromConfig(cfg) }, Kinds: kinds, Document: podaws.HasElement,
		}, opts...),
		network: ec2.New(cfg, region, within, opts...), region: region, within: within, now: time.Now,
		turn: make(chan struct{}, 1), all: map[string]*resource{}, details: map[string]detail{},
	}
}

// service is the name of Elastic Load Balancing in permissions.
const service = "elasticloadbalancing"

// Permissions are the actions that an IAM policy has to allow, for this package and for choosing subnets, security groups
// and certificates. AWS asks for iam:CreateServiceLinkedRole where an account gets its first load balancer.
var Permissions = []string{
	"acm:DescribeCertificate",
	"acm:ListCertificates",
	"ec2:AuthorizeSecurityGroupIngress",
	"ec2:CreateSecurityGroup",
	"ec2:CreateTags",
	"ec2:DeleteSecurityGroup",
	"ec2:DescribeAccountAttributes",
	"ec2:DescribeAvailabilityZones",
	"ec2:DescribeRouteTables",
	"ec2:DescribeSecurityGroups",
	"ec2:DescribeSubnets",
	"ec2:RevokeSecurityGroupIngress",
	"elasticloadbalancing:AddListenerCertificates",
	"elasticloadbalancing:AddTags",
	"elasticloadbalancing:CreateListener",
	"elasticloadbalancing:CreateLoadBalancer",
	"elasticloadbalancing:CreateRule",
	"elasticloadbalancing:CreateTargetGroup",
	"elasticloadbalancing:DeleteListener",
	"elasticloadbalancing:DeleteLoadBalancer",
	"elasticloadbalancing:DeleteRule",
	"elasticloadbalancing:DeleteTargetGroup",
	"elasticloadbalancing:DescribeAccountLimits",
	"elasticloadbalancing:DescribeListenerAttributes",
	"elasticloadbalancing:DescribeListenerCertificates",
	"elasticloadbalancing:DescribeListeners",
	"elasticloadbalancing:DescribeLoadBalancerAttributes",
	"elasticloadbalancing:DescribeLoadBalancers",
	"elasticloadbalancing:DescribeRules",
	"elasticloadbalancing:DescribeTags",
	"elasticloadbalancing:DescribeTargetGroupAttributes",
	"elasticloadbalancing:DescribeTargetGroups",
	"elasticloadbalancing:DescribeTargetHealth",
	"elasticloadbalancing:ModifyListener",
	"elasticloadbalancing:ModifyListenerAttributes",
	"elasticloadbalancing:ModifyLoadBalancerAttributes",
	"elasticloadbalancing:ModifyRule",
	"elasticloadbalancing:ModifyTargetGroup",
	"elasticloadbalancing:ModifyTargetGroupAttributes",
	"elasticloadbalancing:RemoveListenerCertificates",
	"elasticloadbalancing:RemoveTags",
	"elasticloadbalancing:SetIpAddressType",
	"elasticloadbalancing:SetRulePriorities",
	"elasticloadbalancing:SetSecurityGroups",
	"elasticloadbalancing:SetSubnets",
}

// tooManyRules is the error of a rule for which a load balancer has no room.
const tooManyRules = "TooManyRules"

// kinds maps the service's own error codes to the seam's errors. The source is the service's model.
var kinds = map[string]error{
	"ListenerNotFound":     balancer.ErrNotFound,
	"LoadBalancerNotFound": balancer.ErrNotFound,
	"RuleNotFound":         balancer.ErrNotFound,
	"TargetGroupNotFound":  balancer.ErrNotFound,

	"TooManyActions":                           balancer.ErrQuota,
	"TooManyCertificates":                      balancer.ErrQuota,
	"TooManyListeners":                         balancer.ErrQuota,
	"TooManyLoadBalancers":                     balancer.ErrQuota,
	"TooManyRegistrationsForTargetId":          balancer.ErrQuota,
	tooManyRules:                               balancer.ErrQuota,
	"TooManyTags":                              balancer.ErrQuota,
	"TooManyTargetGroups":                      balancer.ErrQuota,
	"TooManyTargets":                           balancer.ErrQuota,
	"TooManyUniqueTargetGroupsPerLoadBalancer": balancer.ErrQuota,

	"ALPNPolicyNotFound":           balancer.ErrInvalid,
	"AllocationIdNotFound":         balancer.ErrInvalid,
	"AvailabilityZoneNotSupported": balancer.ErrInvalid,
	"CertificateNotFound":          balancer.ErrInvalid,
	"DuplicateListener":            balancer.ErrInvalid,
	"DuplicateLoadBalancerName":    balancer.ErrInvalid,
	"DuplicateTagKeys":             balancer.ErrInvalid,
	"DuplicateTargetGroupName":     balancer.ErrInvalid,
	"IncompatibleProtocols":        balancer.ErrInvalid,
	"InvalidConfigurationRequest":  balancer.ErrInvalid,
	"InvalidLoadBalancerAction":    balancer.ErrInvalid,
	"InvalidScheme":                balancer.ErrInvalid,
	"InvalidSecurityGroup":         balancer.ErrInvalid,
	"InvalidSubnet":                balancer.ErrInvalid,
	"OperationNotPermitted":        balancer.ErrInvalid,
	"SSLPolicyNotFound":            balancer.ErrInvalid,
	"SubnetNotFound":               balancer.ErrInvalid,
	"TargetGroupAssociationLimit":  balancer.ErrInvalid,
	"UnsupportedProtocol":          balancer.ErrInvalid,
	"ValidationError":              balancer.ErrInvalid,

	// What has just been taken away or moved elsewhere may hold something for some seconds.
	"PriorityInUse": balancer.ErrNotReady,
	"ResourceInUse": balancer.ErrNotReady,
}

// advice says what to do about errors.
var advice = map[string]string{
	"CertificateNotFound":                      "Name certificates of ACM or IAM in the load balancer's region",
	"DuplicateListener":                        "Delete the listener that somebody else made, or name another port",
	"DuplicateLoadBalancerName":                "Another load balancer has the name: delete it, or name another one",
	"DuplicateTargetGroupName":                 "Another target group has the name: delete it",
	"OperationNotPermitted":                    "Switch deletion protection off if it is meant to go: podgate does not",
	"ResourceInUse":                            "Something still names it, which ends within seconds unless somebody else made that",
	"PriorityInUse":                            "The rules are read again",
	"SSLPolicyNotFound":                        "Name a policy that the region has",
	"TooManyCertificates":                      "Raise the quota of certificates per load balancer, or name fewer",
	"TooManyListeners":                         "Raise the quota of listeners per load balancer, or name fewer ports",
	"TooManyLoadBalancers":                     "Raise the quota of load balancers per Region, or let Ingresses share one",
	tooManyRules:                               "Raise the quota of rules per load balancer, or divide the group",
	"TooManyTags":                              "Name fewer tags",
	"TooManyTargetGroups":                      "Raise the quota of target groups per Region",
	"TooManyUniqueTargetGroupsPerLoadBalancer": "Divide the group: the quota is fixed",
}

// call makes one call within the budget. subject is what people know the matter by.
func call[I, O any](ctx context.Context, c *Cloud, operation, subject string,
	send func(*elbv2.Client, context.Context, *I, ...func(*elbv2.Options)) (*O, error), in *I) (*O, error) {
	connection := c.sessions.Connection(balancer.Ref{})
	charge := podaws.Charge{Service: service, Operation: operation, Changes: !strings.HasPrefix(operation, "Describe")}

	var out *O
	err := c.within.Make(ctx, charge, func(ctx context.Context) error {
		var err error
		out, err = podaws.Do(ctx, connection, words(operation), subject, func(ctx context.Context) (*O, error) {
			return send(connection.API, ctx, in)
		})
		return err
	})
	return out, podaws.Advise(err, service+":"+operation, advice)
}

// words is an operation's name in words, such as describe load balancers.
func words(operation string) string {
	var b strings.Builder
	for i, r := range operation {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// value is what a pointer of an answer points at; empty if it is nil.
func value(p *string) string { return aws.ToString(p) }
