// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		pods := networktest.New()
		listening := networktest.Listen(t).Addr().String()
		const timeout = time.Second

		return checktest.Harness{
			Checker: New(network.AtPod(intstr.FromString(networktest.PortName), ""), timeout, pods.Dial),
			Timeout: timeout,
			Asked:   pods.Dialled,
			Secrets: []string{networktest.Refusing, listening},
			NewPod: func(*testing.T) check.Subject {
				pod := pods.Add()
				pods.Serve(pod, networktest.Refusing)
				return pod
			},
			Set: func(_ *testing.T, pod check.Subject, does checktest.Behaviour) {
				pods.Serve(pod, map[checktest.Behaviour]string{checktest.Passes: listening, checktest.Fails: networktest.Refusing}[does])
			},
		}
	})
}
