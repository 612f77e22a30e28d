// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// TestAWSCLI runs, with the official AWS CLI, the two commands by which the
// guide to readiness gates watches a rollout: find the group, read its health.
func TestAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Fatal("the AWS CLI is not installed: apt-get install awscli")
	}

	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, ELB: ELB{Region: "us-west-2"}})
	server := httptest.NewServer(e.handler)
	defer server.Close()
	group := e.group("k8s-ui-ui-b21a807597")
	e.group("k8s-catalog-catalog-0000000000")
	e.balance(group, types.LoadBalancerTypeEnumApplication)
	e.script(group, Script{State: "initial", Reason: "Elb.RegistrationInProgress"})
	e.register(group, Target{ID: "10.42.142.144", Port: 8080})

	aws := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "aws", append(args, "--endpoint-url", server.URL)...)
		home := t.TempDir()
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_CONFIG_FILE=" + home + "/config", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
			"AWS_REGION=us-west-2", "AWS_DEFAULT_REGION=us-west-2", "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret",
		}

		for _, name := range []string{"PYENV_ROOT", "PYENV_VERSION"} { // where a shim leads to the command
			if value, ok := os.LookupEnv(name); ok {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}

		var problems strings.Builder
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("aws %v: %v\n%s", args, err, problems.String())
		}

		return strings.TrimSpace(string(out))
	}

	arn := aws("elbv2", "describe-target-groups", "--query", "TargetGroups[?contains(TargetGroupName, 'k8s-ui-ui')].TargetGroupArn", "--output", "text")
	if arn != group {
		t.Fatalf("describe-target-groups found %q, want %q", arn, group)
	}

	health := func() []map[string]string {
		t.Helper()
		var rows []map[string]string
		out := aws("elbv2", "describe-target-health", "--target-group-arn", arn, "--query", "TargetHealthDescriptions[].TargetHealth", "--output", "json")
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return rows
	}

	want := []map[string]string{{"State": "initial", "Reason": "Elb.RegistrationInProgress", "Description": "Target registration is in progress"}}
	if diff := cmp.Diff(want, health()); diff != "" {
		t.Errorf("just registered (-want +got):\n%s", diff)
	}

	e.script(group, Script{State: "healthy"})
	if diff := cmp.Diff([]map[string]string{{"State": "healthy"}}, health()); diff != "" {
		t.Errorf("after some seconds (-want +got):\n%s", diff)
	}
}
