// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/env"
)

func render(t *testing.T, args ...string) env.Manifest {
	t.Helper()
	raw, err := kubetest.Render(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := env.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// named gives objects by kind, namespace and name.
func named(m env.Manifest) map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, u := range m {
		all[u.GetKind()+" "+u.GetNamespace()+"/"+u.GetName()] = u.Object
	}
	return all
}

// The kustomize base is the chart with its default values, but for what is off there, and podgate's namespace.
func TestKustomizeBaseIsTheChart(t *testing.T) {
	kubetest.Reads(t, filepath.Join(kubetest.Root(), "config"))
	kustomize := kubetest.Tool(t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
	raw, err := exec.CommandContext(t.Context(), kustomize, "build", filepath.Join(kubetest.Root(), "config")).Output()
	if err != nil {
		t.Fatal(err)
	}

	base, err := env.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}

	got := named(base)
	const namespace = "Namespace /podgate-system"
	if got[namespace] == nil {
		t.Error("the kustomize base makes no namespace")
	}

	delete(got, namespace)
	if diff := cmp.Diff(named(render(t, "--no-hooks", "--set", "webhookEnabled=false")), got); diff != "" {
		t.Errorf("run make generate; -chart, +kustomize:\n%s", diff)
	}
}

// The overlay that docs/install.md shows, with the patches that it adds one by one, does to the base what it says.
func TestDocumentedOverlay(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "config"), os.DirFS(filepath.Join(kubetest.Root(), "config"))); err != nil {
		t.Fatal(err)
	}

	overlay := documented(t, "install.md", "apiVersion: kustomize.config.k8s.io") +
		documented(t, "install.md", "- patch: |-\n    $patch: delete") + documented(t, "install.md", "- patch: |-\n    apiVersion: apps/v1")
	if err := os.Mkdir(filepath.Join(root, "overlay"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "overlay", "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}

	raw, err := exec.CommandContext(t.Context(), kubetest.Tool(t, "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"), "build", filepath.Join(root, "overlay")).Output()
	if err != nil {
		t.Fatal(err)
	}
	m, err := env.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}

	before, _ := container(t, render(t, "--set", "webhookEnabled=false").OfKind("Deployment")[0])["env"].([]any)
	podgate := container(t, m.OfKind("Deployment")[0])
	variables, _ := podgate["env"].([]any)
	if !slices.ContainsFunc(variables, func(v any) bool { return cmp.Equal(v, any(map[string]any{"name": "WEBHOOK_ENABLED", "value": "true"})) }) || len(variables) != len(before) {
		t.Errorf("variables %v of %v", variables, before)
	}
	if podgate["image"] != "registry.example/podgate:v1" || !slices.Contains(podgate["args"].([]any), any("--aws-region=eu-west-1")) {
		t.Errorf("image %v, args %v", podgate["image"], podgate["args"])
	}
	if !slices.Contains(podgate["args"].([]any), any("--drain-image=registry.example/podgate:v1")) {
		t.Errorf("args %v drop the image of adaptive hooks, which the base names", podgate["args"])
	}
	if n := len(m.OfKind("CustomResourceDefinition")); n != 2 {
		t.Errorf("%d definitions, want podgate's two alone", n)
	}
}

// The chart takes the values that the pages set. Helm makes a number of tag=1, which the schema refuses.
func TestDocumentedValues(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(kubetest.Root(), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	providers, err := filepath.Glob(filepath.Join(kubetest.Root(), "docs", "providers", "*.md"))
	if err != nil {
		t.Fatal(err)
	}

	set := regexp.MustCompile("--set ([^\\s`]+=[^\\s`]+)")
	commands := map[string][]string{} // the arguments of each, by themselves
	for _, page := range append(append(pages, providers...), filepath.Join(kubetest.Root(), "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
			var args []string
			for _, m := range set.FindAllStringSubmatch(line, -1) {
				args = append(args, "--set", strings.ReplaceAll(m[1], `"`, "")) // as a shell does
			}
			if args != nil {
				commands[strings.Join(args, " ")] = args
			}
		}
	}

	if len(commands) < 5 {
		t.Fatalf("found %d commands only", len(commands))
	}
	for name, args := range commands {
		if _, err := kubetest.Render(t, args...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	cases := map[string]struct{ reason, set, says string }{
		"TwoCertificates":      {"There is one source of the certificate.", "certificates.mode=cert-manager,certificates.provided.secretName=mine", "/certificates/provided"},
		"TwoCertificatesOther": {"The same the other way round.", "certificates.mode=provided,certificates.certManager.issuerRef.name=ca", "/certificates/certManager"},
		"NoSwitch":             {"It is on or off.", "webhookEnabled=maybe", "/webhookEnabled"},
		"NoSuchCertificate":    {"A mode that does not exist.", "certificates.mode=vault", "/certificates/mode"},
		"Typo":                 {"What is no value would do nothing.", "podMutatorWebhookConfig.failurepolicy=Fail", "failurepolicy"},
		"NoPolicy":             {"There are two policies.", "podMutatorWebhookConfig.failurePolicy=Never", "failurePolicy"},
		"NoAdmissionPolicy":    {"It is on or off.", "admissionPolicies.podStatus=maybe", "/admissionPolicies/podStatus"},
		"NoReplica":            {"Without a replica no pod gets a gate.", "replicaCount=0", "/replicaCount"},
		"BudgetOfNone":         {"No node could be drained.", "podDisruptionBudget.maxUnavailable=0%", "/podDisruptionBudget/maxUnavailable"},
		"OwnLabel":             {"Services and the Deployment select podgate's pods by it.", "podLabels.app=x", "/podLabels"},
		"SlowWebhook":          {"A call must end before a new authority is used.", "podMutatorWebhookConfig.timeoutSeconds=30", "timeoutSeconds"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := kubetest.Render(t, "--set", tc.set)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s --set %s: want an error about %q, got %v", tc.reason, tc.set, tc.says, err)
			}
		})
	}
}

// Helm refuses an older Kubernetes than the installation page says, and takes those that clouds add words to.
func TestOldestKubernetes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}

	said := regexp.MustCompile(`Kubernetes 1\.(\d+) or later`).FindSubmatch(page)
	if said == nil {
		t.Fatal("docs/install.md says no oldest Kubernetes")
	}

	oldest, err := strconv.Atoi(string(said[1]))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := kubetest.Render(t, "--kube-version", fmt.Sprintf("1.%d.99", oldest-1)); err == nil || !strings.Contains(err.Error(), "kubeVersion") {
		t.Errorf("Kubernetes 1.%d is too old: want an error about kubeVersion, got %v", oldest-1, err)
	}

	for _, version := range []string{fmt.Sprintf("1.%d.0", oldest), fmt.Sprintf("v1.%d.0-eks-036c24b", oldest)} {
		if _, err := kubetest.Render(t, "--kube-version", version); err != nil {
			t.Errorf("Kubernetes %s is refused: %v", version, err)
		}
	}
}

// The names that users of AWS Load Balancer Controller's chart know do what they did.
func TestKnownValues(t *testing.T) {
	plain := webhooks(t, render(t))
	if got := field(t, plain["mpod.elbv2.k8s.aws"], "failurePolicy"); got != "Ignore" {
		t.Errorf("failurePolicy is %v by default, want Ignore", got)
	}

	m := render(t, "--set", "podMutatorWebhookConfig.failurePolicy=Fail,enablePodReadinessGateInject=false",
		"--set-json", `objectSelector={"matchLabels":{"tier":"web"},"matchExpressions":[{"key":"canary","operator":"DoesNotExist"}]}`,
		"--set-json", `webhookNamespaceSelectors=[{"key":"team","operator":"Exists"}]`)

	set := webhooks(t, m)
	for name, w := range set {
		if got := field(t, w, "failurePolicy"); got != "Fail" {
			t.Errorf("failurePolicy of %s is %v, want Fail", name, got)
		}
		want := any(map[string]any{"matchLabels": map[string]any{"tier": "web"}, "matchExpressions": []any{map[string]any{"key": "canary", "operator": "DoesNotExist"}}})
		if strings.HasPrefix(name, "pod-") {
			want = field(t, plain[name], "objectSelector")
		}
		if diff := cmp.Diff(want, field(t, w, "objectSelector")); diff != "" {
			t.Errorf("objectSelector of %s: -want, +got:\n%s", name, diff)
		}
	}

	expressions, ok := field(t, set["mpod.elbv2.k8s.aws"], "namespaceSelector", "matchExpressions").([]any)
	if !ok || len(expressions) != 3 {
		t.Fatalf("namespaceSelector: %v, want the one given, and those that leave out podgate and who has podgate's label", expressions)
	}

	if diff := cmp.Diff(map[string]any{"key": "team", "operator": "Exists"}, expressions[0]); diff != "" {
		t.Errorf("namespaceSelector: -want, +got:\n%s", diff)
	}

	args := container(t, m.OfKind("Deployment")[0])["args"]
	if diff := cmp.Diff([]any{"--enable-pod-readiness-gate-inject=false", "--drain-image=podgate.dev/podgate:dev"}, args); diff != "" {
		t.Errorf("flags: -want, +got:\n%s", diff)
	}
}

// The switch of AWS Gateway API Controller's users is on in the chart and off in plain files, and the entry is there in both.
// Off, it refuses no pod, whatever the others do.
func TestSwitch(t *testing.T) {
	for set, want := range map[string]string{"": "true", "webhookEnabled=false": "false"} {
		m := render(t, "--set", set, "--set", "podMutatorWebhookConfig.failurePolicy=Fail")
		entries := webhooks(t, m)
		if entries["mpod.gwc.k8s.aws"] == nil {
			t.Errorf("--set %q: there is no entry to switch", set)
		}
		for name, e := range entries {
			policy := "Fail"
			if name == "mpod.gwc.k8s.aws" && want == "false" {
				policy = "Ignore"
			}
			if got := field(t, e, "failurePolicy"); got != policy {
				t.Errorf("--set %q: %s has the failurePolicy %v, want %s", set, name, got, policy)
			}
		}

		variables, _ := container(t, m.OfKind("Deployment")[0])["env"].([]any)
		if !slices.ContainsFunc(variables, func(v any) bool {
			return cmp.Equal(v, any(map[string]any{"name": "WEBHOOK_ENABLED", "value": want}))
		}) {
			t.Errorf("--set %q: WEBHOOK_ENABLED is not %q in %v", set, want, variables)
		}
	}
}

// helm upgrade --reuse-values has the values of the release's chart, so those that came later are missing. They mean what
// they do by default.
func TestValuesOfAnOlderChart(t *testing.T) {
	const others = "podMutatorWebhookConfig.failurePolicy=Fail"
	got := named(render(t, "--set", others, "--set", "drainImage=null,webhookEnabled=null,admissionPolicies=null,grafanaDashboard=null"))
	if diff := cmp.Diff(named(render(t, "--set", others)), got); diff != "" {
		t.Errorf("-with the chart's values, +with those of an older one:\n%s", diff)
	}
}

func TestDefinitions(t *testing.T) {
	cases := map[string]struct {
		set  string
		want int
		kept bool
	}{
		"Default":   {want: 3, kept: true},
		"BesideLBC": {set: "crds.targetGroupBinding=false", want: 2, kept: true},
		"NoneOfLBC": {set: "targetGroupBindings=absent", want: 2, kept: true},
		"None":      {set: "crds.enabled=false"},
		"NotKept":   {set: "crds.keep=false", want: 3},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			crds := render(t, "--set", tc.set).OfKind("CustomResourceDefinition")
			if len(crds) != tc.want {
				t.Errorf("%d definitions, want %d", len(crds), tc.want)
			}
			for _, crd := range crds {
				if kept := crd.GetAnnotations()["helm.sh/resource-policy"] == "keep"; kept != tc.kept {
					t.Errorf("definition %s is kept: %t, want %t", crd.GetName(), kept, tc.kept)
				}
			}
		})
	}
}

func webhooks(t *testing.T, m env.Manifest) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, c := range m.OfKind("MutatingWebhookConfiguration") {
		entries, _, err := unstructured.NestedSlice(c.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			w, _ := e.(map[string]any)
			name, _ := w["name"].(string)
			all[name] = w
		}
	}

	return all
}

func field(t *testing.T, object map[string]any, path ...string) any {
	t.Helper()
	v, _, err := unstructured.NestedFieldNoCopy(object, path...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func container(t *testing.T, deployment *unstructured.Unstructured) map[string]any {
	t.Helper()
	all, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(all) == 0 {
		t.Fatalf("no container: %v", err)
	}
	c, _ := all[0].(map[string]any)
	return c
}
