// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

// elsewhere is a second region, whose simulator answers what is signed for it.
const elsewhere = "us-east-1"

// otherRegion is the cluster with the load balancers of another region.
func (c *cluster) otherRegion() *cluster {
	c.Helper()
	sim, err := awssim.New(awssim.Config{ELB: awssim.ELB{Region: elsewhere}, DataPath: awssim.DataPath{NoDataPath: true}, Throttle: awssim.ThrottleOff})
	if err != nil {
		c.Fatal(err)
	}

	done := make(chan struct{})
	go func() { defer close(done); _ = sim.Run(c.Context()) }()
	c.Cleanup(func() { <-done })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/"+elsewhere+"/") {
			sim.Handler().ServeHTTP(w, r)
			return
		}
		c.sim.Handler().ServeHTTP(w, r)
	}))

	c.Cleanup(server.Close)
	c.Setenv("AWS_ENDPOINT_URL", server.URL)
	other := *c
	other.sim = sim
	other.elb = elb.New(elb.Options{Region: elsewhere, BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
	return &other
}

// bindGroup makes a TargetBinding of the Service web and a target group.
func (c *cluster) bindGroup(name string, group v1alpha1.ELBv2) {
	c.Helper()
	c.create(&v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns},
		Spec:       v1alpha1.TargetBindingSpec{ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}, ELBv2: &group},
	})
}

// One podgate serves groups of several regions, by name and by ARN, and assumes roles there.
func TestRegions(t *testing.T) {
	c := newCluster(t)
	other := c.otherRegion()
	near, far := c.group("web"), other.group("web")
	farther := other.group("api")
	c.script(near, "healthy")
	other.script(far, "healthy")
	other.script(farther, "healthy")
	c.service("web")
	c.bindGroup("near", v1alpha1.ELBv2{TargetGroupName: "web"})
	c.bindGroup("far", v1alpha1.ELBv2{TargetGroupName: "web", Region: elsewhere})
	c.bindGroup("farther", v1alpha1.ELBv2{TargetGroupARN: farther, Region: elsewhere, RoleARN: "arn:aws:iam::123456789012:role/web"})
	c.start()
	gates := []string{v1alpha1.GatePrefix + "near", v1alpha1.GatePrefix + "far", v1alpha1.GatePrefix + "farther"}
	c.pod("web-1", "web", "10.0.0.1", gates...)

	for _, gate := range gates {
		c.eventually(gate+" opens", func() bool { return c.gate("web-1", gate).Status == corev1.ConditionTrue })
	}

	if n := len(other.calls("AssumeRole")); n != 1 {
		t.Errorf("the role was assumed %d times in the other region", n)
	}

	if a, b := c.rows(near)["10.0.0.1"], other.rows(far)["10.0.0.1"]; a != "healthy" || b != "healthy" {
		t.Errorf("near %q, far %q", a, b)
	}
}

// A podgate that knows of no AWS, neither region nor credentials nor a configuration that
// can be read, serves HAProxy, and says on a binding of a target group what is missing.
func TestWithoutAWS(t *testing.T) {
	for name, tc := range map[string]struct {
		env   map[string]string
		group v1alpha1.ELBv2
		says  string
	}{
		"no region":        {group: v1alpha1.ELBv2{TargetGroupName: "web"}, says: "set podgate's --aws-region or AWS_REGION"},
		"no credentials":   {group: v1alpha1.ELBv2{TargetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"}, says: "no credentials"},
		"no configuration": {env: map[string]string{"AWS_PROFILE": "missing"}, group: v1alpha1.ELBv2{TargetGroupName: "web", Region: region}, says: "the configuration for AWS cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"} {
				t.Setenv(variable, "")
			}

			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			for _, file := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
				t.Setenv(file, t.TempDir()+"/none")
			}

			for variable, value := range tc.env {
				t.Setenv(variable, value)
			}

			s.config = func(cfg *manager.Config) { cfg.AWS.Region = "" }
			s.bind("web", nil)
			s.bindGroup("aws", tc.group)
			s.start()
			s.serve("127.0.0.31").healthy.Store(true)
			s.pod("web-1", "web", "127.0.0.31", ownGate)
			s.opens("web-1")
			s.eventually("the other binding says what is missing", func() bool {
				c := s.verdict(v1alpha1.GatePrefix + "aws")
				return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, tc.says)
			})

			t.Log(s.verdict(v1alpha1.GatePrefix + "aws").Message)
		})
	}
}
