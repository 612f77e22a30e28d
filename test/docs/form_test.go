// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
)

// form are the headings of a page about a kind or a provider.
var form = []string{"Example", "In the above example", "Writing a spec", "Working with it", "Status"}

// TestPagesHaveTheForm: a page about a kind or a provider has the five parts, in their order, and its example can be applied.
func TestPagesHaveTheForm(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^## ([^:\n]*)`)
	for _, folder := range []string{"kinds", "providers"} {
		for name, p := range pagesOf(t, folder) {
			t.Run(folder+"/"+name, func(t *testing.T) {
				var have []string
				for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
					have = append(have, m[1])
				}

				if diff := cmp.Diff(form, have); diff != "" {
					t.Fatalf("headings: -want, +got:\n%s", diff)
				}

				applied := 0
				for _, b := range (page{p.path, p.part("Example")}).blocks() {
					if b.language == "yaml" {
						applied++ // by TestManifestsApply
					}
				}

				if applied == 0 {
					t.Error("its example is no manifest")
				}
			})
		}
	}
}

// TestKindsAndProvidersHaveAPage: each has one, and each page is about one that is there.
func TestKindsAndProvidersHaveAPage(t *testing.T) {
	kinds := definitions(t)
	kinds["service"] = definition{} // It is Kubernetes' own, as the Ingress is.
	kinds["gateway"] = definition{} // It is the Gateway API's.
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds)), slices.Sorted(maps.Keys(pagesOf(t, "kinds")))); diff != "" {
		t.Errorf("definitions (-) and docs/kinds (+):\n%s", diff)
	}
	if diff := cmp.Diff(providers(t), slices.Sorted(maps.Keys(pagesOf(t, "providers")))); diff != "" {
		t.Errorf("providers (-) and docs/providers (+):\n%s", diff)
	}
}

// referred are the pages of kinds that leave their fields to docs/api.md, with its section.
var referred = map[string]string{"readinessgate": "readinessgatespec", "targetbinding": "targetbindingspec", "targetgroupbinding": "targetgroupbindingspec"}

// TestFieldsAreDocumented: a page of a kind lists each field of the spec in a table under "Writing a spec", and nothing that is
// no field, or leads to docs/api.md. So does a provider's page. Policies have a page of their own, which lists them. Of the status
// of a TargetBinding each field is under "Status".
func TestFieldsAreDocumented(t *testing.T) {
	kinds := definitions(t)
	for name, p := range pagesOf(t, "kinds") {
		spec, part := kinds[name].properties("spec"), p.part("Writing a spec")
		if section, ok := referred[name]; ok {
			leads(t, p.path, part, section, spec)
			continue
		}
		compareFields(t, p.path, part, fieldsOf(spec), spec)
	}

	own := kinds["targetbinding"].properties("spec")
	for name, p := range pagesOf(t, "providers") {
		leads(t, p.path, p.part("Writing a spec"), name, own.properties(name))
	}

	policies, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "policies.md"))
	if err != nil {
		t.Fatal(err)
	}

	for _, field := range below(own["gate"]) {
		if !strings.Contains(string(policies), "| `"+field+"` |") {
			t.Errorf("docs/policies.md: spec.gate.%s is in no table", field)
		}
	}

	status := pagesOf(t, "kinds")["targetbinding"].part("Status")
	for field := range kinds["targetbinding"].properties("status") {
		if !strings.Contains(status, "`"+field+"`") {
			t.Errorf("docs/kinds/targetbinding.md: status.%s is not under Status", field)
		}
	}
}

// TestFieldsOfChecksAreDocumented: each kind of check has a part on the page of checks, which leads to its fields.
func TestFieldsOfChecksAreDocumented(t *testing.T) {
	list, _ := definitions(t)["readinessgate"].properties("spec")["checks"].(map[string]any)
	item, _ := list["items"].(map[string]any)
	text, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "checks.md"))
	if err != nil {
		t.Fatal(err)
	}

	kinds := 0
	for name, field := range schema(map[string]any{"check": item}).properties("check") {
		fields := schema(map[string]any{name: field}).properties(name)
		if len(fields) > 0 { // what is not a kind has no fields of its own
			kinds++
			leads(t, "docs/checks.md, "+name, page{"docs/checks.md", string(text)}.part(name+"\n"), strings.ToLower(name)+"check", fields)
		}
	}

	if kinds != 7 {
		t.Errorf("found %d kinds of checks", kinds)
	}
}

// leads: a part of a page leads to a section of docs/api.md, which says of each field what it is for, as kubectl explain does.
func leads(t *testing.T, where, text, section string, fields schema) {
	t.Helper()
	if !strings.Contains(text, "api.md#"+section+")") {
		t.Errorf("%s does not lead to api.md#%s", where, section)
	}
	if len(fields) == 0 {
		t.Errorf("%s: there are no fields", where)
	}

	for name, field := range fields {
		f, _ := field.(map[string]any)
		if what, _ := f["description"].(string); len(what) < 10 {
			t.Errorf("%s: the field %s says of itself only %q", where, name, what)
		}
	}
}

// compareFields holds the tables of a part of a page against the fields that it must list. It may list what is below those.
func compareFields(t *testing.T, where, text string, want []string, all schema) {
	t.Helper()
	listed := map[string]bool{}
	quoted := regexp.MustCompile("`([A-Za-z0-9.]+)`")
	for row := range strings.Lines(text) {
		cells := strings.Split(row, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			listed[m[1][strings.LastIndex(m[1], ".")+1:]] = true
			listed[strings.Split(m[1], ".")[0]] = true
		}
	}

	delete(listed, "") // of `.port`
	delete(listed, "spec")

	for _, field := range want {
		if !listed[field] {
			t.Errorf("%s: the field %s is in no table", where, field)
		}
	}

	known := below(all)
	for field := range listed {
		if !slices.Contains(known, field) {
			t.Errorf("%s lists the field %s, which is not there", where, field)
		}
	}
}

// TestColumnsAreDocumented: what kubectl get prints above the bindings on a kind's page is what it prints.
func TestColumnsAreDocumented(t *testing.T) {
	for name, d := range definitions(t) {
		want := []string{"NAME"}
		for _, c := range d.columns {
			if c.Priority == 0 {
				want = append(want, strings.ToUpper(c.Name))
			}
		}
		p := pagesOf(t, "kinds")[name]
		header := regexp.MustCompile(`(?m)^NAME .*$`).FindString(p.part("Status"))
		if diff := cmp.Diff(want, strings.Fields(header)); diff != "" {
			t.Errorf("%s: columns: -want, +got:\n%s", p.path, diff)
		}
	}
}

// TestEveryPageIsReached: from README one gets to every page of docs/ by links.
func TestEveryPageIsReached(t *testing.T) {
	byPath := map[string]page{}
	for _, p := range pages(t) {
		byPath[p.path] = p
	}

	reached := map[string]bool{"README.md": true}
	for next := []string{"README.md"}; len(next) > 0; next = next[1:] {
		for _, to := range byPath[next[0]].links() {
			if _, there := byPath[to]; there && !reached[to] {
				reached[to] = true
				next = append(next, to)
			}
		}
	}

	for path := range byPath {
		if strings.HasPrefix(path, "docs/") && !reached[path] {
			t.Errorf("nothing leads to %s", path)
		}
	}
}

// part is what is below a heading of the second level that begins like this, up to the next one.
func (p page) part(heading string) string {
	_, rest, _ := strings.Cut(p.text, "\n## "+heading)
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// links are the files that a page's links and pictures lead to, by their paths below the repository's root.
func (p page) links() []string {
	var all []string
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		to, _, _ := strings.Cut(m[1], "#")
		if to != "" && !strings.Contains(to, "://") {
			all = append(all, filepath.Join(filepath.Dir(p.path), to))
		}
	}
	return all
}

// pagesOf are the pages of a folder of docs/, by name.
func pagesOf(t *testing.T, folder string) map[string]page {
	t.Helper()
	found := map[string]page{}
	for _, p := range pages(t) {
		if filepath.Dir(p.path) == filepath.Join("docs", folder) {
			found[strings.TrimSuffix(filepath.Base(p.path), ".md")] = p
		}
	}
	if len(found) == 0 {
		t.Fatalf("docs/%s has no page", folder)
	}
	return found
}

// providers are those that are built, by name: the folders that have a driver.
func providers(t *testing.T) []string {
	t.Helper()
	drivers, err := filepath.Glob(filepath.Join(kubetest.Root(), "internal", "balancer", "*", "traits", "traits.go"))
	if err != nil || len(drivers) == 0 {
		t.Fatalf("no drivers: %v", err)
	}

	var names []string
	for _, d := range drivers {
		names = append(names, filepath.Base(filepath.Dir(filepath.Dir(d))))
	}
	return names
}

// schema is a part of a definition: fields by name.
type schema map[string]any

// properties are the fields of a part of an object, such as spec.
func (s schema) properties(part string) schema {
	p, _ := s[part].(map[string]any)
	fields, _ := p["properties"].(map[string]any)
	return fields
}

func fieldsOf(s schema) []string { return slices.Sorted(maps.Keys(s)) }

// below are the names of all fields in a part of a definition.
func below(v any) []string {
	var names []string
	switch v := v.(type) {
	case schema:
		for name, field := range v {
			names = append(append(names, name), below(field)...)
		}
	case map[string]any:
		fields, _ := v["properties"].(map[string]any)
		names = append(below(schema(fields)), below(v["items"])...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// definition is what the API server knows of a kind.
type definition struct {
	schema
	columns []column
}

// column is one that kubectl get prints; with -o wide only when its priority is not 0.
type column struct {
	Name     string
	Priority int
}

// called is the name of a kind's page. An IngressClassParams is nothing without Ingresses.
func called(kind string) string {
	if kind == "ingressclassparams" {
		return "ingress"
	}
	return kind
}

// definitions are those of podgate's kinds, by their names in lower case.
func definitions(t *testing.T) map[string]definition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(kubetest.Chart(), "files", "crd", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions: %v", err)
	}

	found := map[string]definition{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		var d struct {
			Spec struct {
				Names    struct{ Singular string }
				Versions []struct {
					AdditionalPrinterColumns []column
					Schema                   struct {
						OpenAPIV3Schema struct{ Properties schema }
					}
				}
			}
		}
		if err := yaml.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}

		v := d.Spec.Versions[0]
		found[called(d.Spec.Names.Singular)] = definition{v.Schema.OpenAPIV3Schema.Properties, v.AdditionalPrinterColumns}
	}

	return found
}
