// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim"
)

// A client of the real SDK registers a target whose health is scripted.
func Example() {
	sim, err := awssim.New(awssim.Config{DataPath: awssim.DataPath{NoDataPath: true}})
	if err != nil {
		panic(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())

	client := elasticloadbalancingv2.New(elasticloadbalancingv2.Options{
		Region:       "eu-west-1",
		BaseEndpoint: &server.URL,
		HTTPClient:   server.Client(),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})

	created, err := client.CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: aws.String("web"), TargetType: types.TargetTypeEnumIp,
		Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"),
	})
	if err != nil {
		panic(err)
	}

	group := created.TargetGroups[0].TargetGroupArn

	if err := sim.SetHealth(*group, nil, awssim.Script{State: "unhealthy", Reason: "Target.Timeout"}); err != nil {
		panic(err)
	}

	targets := []types.TargetDescription{{Id: aws.String("10.0.0.1")}}
	if _, err := client.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: group, Targets: targets}); err != nil {
		panic(err)
	}

	health, err := client.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: group})
	if err != nil {
		panic(err)
	}

	for _, d := range health.TargetHealthDescriptions {
		fmt.Println(*d.Target.Id, d.TargetHealth.State, d.TargetHealth.Reason)
	}

	server.Close()
	cancel()

	if err := <-ended; err != nil {
		panic(err)
	}
	// Output: 10.0.0.1 unhealthy Target.Timeout
}
