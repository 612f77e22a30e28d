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

	aws := e.cli(server.URL)
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

// cli runs the official AWS CLI against the simulator.
func (e *env) cli(url string) func(args ...string) string {
	return func(args ...string) string {
		e.Helper()
		cmd := exec.CommandContext(e.Context(), "aws", append(args, "--endpoint-url", url)...)
		home := e.TempDir()
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_CONFIG_FILE=" + home + "/config", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
			"AWS_REGION=" + e.sim.cfg.Region, "AWS_DEFAULT_REGION=" + e.sim.cfg.Region, "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret",
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
			e.Fatalf("aws %v: %v\n%s", args, err, problems.String())
		}

		return strings.TrimSpace(string(out))
	}
}

// TestAWSCLILattice runs, with the official AWS CLI, what a rollout behind VPC Lattice needs.
func TestAWSCLILattice(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	server := httptest.NewServer(e.handler)
	defer server.Close()
	aws := e.cli(server.URL)
	lattice := func(args ...string) string {
		return aws(append([]string{"vpc-lattice", "--output", "text"}, args...)...)
	}

	// Debian's package is what the project installs where there is no CLI.
	if out, err := exec.CommandContext(t.Context(), "aws", "vpc-lattice", "nonsense").CombinedOutput(); err != nil && !strings.Contains(string(out), "list-targets") {
		t.Skip("this AWS CLI, such as Debian 12's, does not know VPC Lattice, which came with 2.11 and 1.27; the SDK's tests go on")
	}

	arn := lattice("create-target-group", "--name", "web", "--type", "IP", "--config", "port=80,protocol=HTTP,vpcIdentifier="+latticeVPC, "--tags", "team=shop", "--query", "arn")
	e.script(arn, Script{State: "HEALTHY"})
	lattice("register-targets", "--target-group-identifier", arn, "--targets", "id=10.0.0.1,port=8080")
	if got := lattice("list-targets", "--target-group-identifier", arn, "--query", "items[].[id,port,status]"); got != "10.0.0.1\t8080\tHEALTHY" {
		t.Errorf("listed %q", got)
	}
	if got := lattice("list-tags-for-resource", "--resource-arn", arn, "--query", "tags.team"); got != "shop" {
		t.Errorf("tagged %q", got)
	}
	service := lattice("create-service", "--name", "web", "--query", "id")
	lattice("create-listener", "--service-identifier", service, "--name", "http", "--protocol", "HTTP", "--default-action", "forward={targetGroups=[{targetGroupIdentifier="+arn+"}]}")
	if got := lattice("get-target-group", "--target-group-identifier", arn, "--query", "[status,serviceArns[0]]"); !strings.HasPrefix(got, "ACTIVE\tarn:") {
		t.Errorf("the group is %q", got)
	}
	lattice("deregister-targets", "--target-group-identifier", arn, "--targets", "id=10.0.0.1,port=8080")
	if got := lattice("list-targets", "--target-group-identifier", arn, "--query", "items[].status"); got != "DRAINING" {
		t.Errorf("a deregistered target is %q", got)
	}
}
