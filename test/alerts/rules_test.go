// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
)

// root is the repository's.
var root = filepath.Join("..", "..")

func rules(t *testing.T) []Rule {
	t.Helper()
	all, err := ReadRules(filepath.Join(root, RulesFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no rules")
	}
	return all
}

// promtool is Debian's package prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: run scripts/install-debian promtool=prometheus", err)
	}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestRulesAreValid: Prometheus can read them.
func TestRulesAreValid(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", filepath.Join(root, RulesFile))
}

// own is what podgate's libraries register and the rules ask for.
var own = map[string][]string{"leader_election_master_status": {"name"}}

// documented reads docs/metrics.md, which TestMetricsPage makes of what podgate registers: labels and their values by metric.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}

	row := regexp.MustCompile("(?m)^\\| `(podgate_[a-z_]+)` \\| [a-z]+ \\| (.*)\\|$")
	found := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = regexp.MustCompile("`[^`]+`").FindAllString(m[2], -1)
		for i, label := range found[m[1]] {
			found[m[1]][i] = strings.Trim(label, "`")
		}
	}

	for metric, labels := range own {
		found[metric] = labels
	}

	return found
}

// TestRulesAskForWhatIsThere: metrics, labels and values of labels in the rules exist, and a rule's texts use
// no label that its expression drops.
func TestRulesAskForWhatIsThere(t *testing.T) {
	there := documented(t)
	selector := regexp.MustCompile(`\b([a-z_]+)\{([^}]*)\}`)
	matcher := regexp.MustCompile(`([a-z_]+)(?:=|!=|=~|!~)"([^"]*)"`)
	by := regexp.MustCompile(`\bby \(([^)]*)\)`)
	used := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	for _, r := range rules(t) {
		t.Run(r.Alert, func(t *testing.T) {
			metrics := r.Metrics()
			if len(metrics) == 0 {
				t.Error("it asks for none of podgate's metrics")
			}

			known := []string{"le", "podgate-leader"}
			for _, m := range metrics {
				if _, ok := there[m]; !ok {
					t.Errorf("%s is not in docs/metrics.md", m)
				}
				known = append(known, there[m]...)
			}

			for _, s := range selector.FindAllStringSubmatch(r.Expr, -1) {
				for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
					for _, word := range append(strings.Split(m[2], "|"), m[1]) {
						if !slices.Contains(known, word) {
							t.Errorf("%s has no label or value %q", s[1], word)
						}
					}
				}
			}

			var kept []string
			for _, m := range by.FindAllStringSubmatch(r.Expr, -1) {
				kept = append(kept, strings.Split(m[1], ", ")...)
			}

			for _, k := range kept {
				if !slices.Contains(known, k) {
					t.Errorf("it groups by %q, which no metric of it has", k)
				}
			}

			for _, m := range used.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
				if !slices.Contains(kept, m[1]) {
					t.Errorf("its text has the label %q, which its expression drops", m[1])
				}
			}
		})
	}
}

var update = flag.Bool("update", false, "write docs/alerts.md")

// TestAlertsPage: docs/alerts.md is what the rules say of themselves. Each leads there, and has what to do.
func TestAlertsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Alerts\n\nMade of [alerts.yaml](../charts/podgate/files/alerts.yaml) by `go test ./test/alerts -run TestAlertsPage -update`. [monitoring.md](monitoring.md#alerts) says how to install the rules.\n")

	page := regexp.MustCompile(`docs/([a-z0-9/-]+\.md(?:#[a-z0-9-]+)?)`)
	template := regexp.MustCompile(`\{\{ \$(?:labels\.)?([a-z]+)[^}]*\}\}`)
	severity := ""
	for _, r := range rules(t) {
		link := "https://github.com/podgate/podgate/blob/main/docs/alerts.md#" + strings.ToLower(r.Alert)
		if r.Annotations["runbook_url"] != link {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], link)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, what := range []string{"summary", "description", "action"} {
			if len(r.Annotations[what]) < 20 {
				t.Errorf("%s: the %s is %q", r.Alert, what, r.Annotations[what])
			}
		}

		if severity != r.Labels["severity"] {
			severity = r.Labels["severity"]
			b.WriteString(map[string]string{
				"critical": "\n## Critical: rollouts stand still, or requests are lost\n", "warning": "\n## Warning: look at it today\n",
			}[severity])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s %s\n\n*What to do*: %s\n", r.Alert, template.ReplaceAllString(r.Annotations["summary"], "*$1*"), r.Annotations["description"],
			page.ReplaceAllStringFunc(r.Annotations["action"], func(s string) string {
				file, heading, _ := strings.Cut(strings.TrimPrefix(s, "docs/"), "#")
				return "[" + cmp.Or(strings.ReplaceAll(heading, "-", " "), file) + "](" + strings.TrimPrefix(s, "docs/") + ")"
			}))
	}

	kubetest.Golden(t, *update, "alerts.md", b.String())
}

// atTime are the alerts that fire at a time.
type atTime struct {
	reason string
	at     time.Duration
	want   []string
}

// evaluate has promtool evaluate all rules over a recording.
func evaluate(t *testing.T, r Recording, moments ...atTime) {
	t.Helper()
	type sample struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}

	type expr struct {
		Expr    string   `json:"expr"`
		At      string   `json:"eval_time"`
		Samples []sample `json:"exp_samples"`
	}

	var tests []expr
	for _, m := range moments {
		e := expr{Expr: `group by (alertname) (ALERTS{alertstate="firing"})`, At: m.at.String(), Samples: []sample{}}
		for _, alert := range m.want {
			e.Samples = append(e.Samples, sample{Labels: `{alertname="` + alert + `"}`, Value: 1})
		}
		tests = append(tests, e)
		t.Logf("%s: %s", m.at, m.reason)
	}

	file, err := filepath.Abs(filepath.Join(root, RulesFile))
	if err != nil {
		t.Fatal(err)
	}

	raw, err := yaml.Marshal(map[string]any{
		"rule_files": []string{file}, "evaluation_interval": r.Interval,
		"tests": []any{map[string]any{"interval": r.Interval, "input_series": r.Series, "promql_expr_test": tests}},
	})
	if err != nil {
		t.Fatal(err)
	}

	test := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(test, raw, 0o600); err != nil {
		t.Fatal(err)
	}

	promtool(t, "test", "rules", test)
}

// TestAlertsOfTheRecording: what was recorded from a real podgate in a real cluster (make
// record-alerts) fires what it should: nothing while all is well.
func TestAlertsOfTheRecording(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "recording.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	var r Recording
	if err := yaml.UnmarshalStrict(raw, &r); err != nil {
		t.Fatal(err)
	}

	at := map[string]time.Duration{}
	for _, mark := range []string{"troubles", "leaderless", "end"} {
		if at[mark], err = r.At(mark); err != nil {
			t.Fatal(err)
		}
	}

	interval, err := time.ParseDuration(r.Interval)
	if err != nil {
		t.Fatal(err)
	}

	troubles := []string{"PodgateBudgetExhausted", "PodgateCallsFail", "PodgateGateWaiting", "PodgatePodsUngated", "PodgateReadsStale", "PodgateWebhookLosesGates"}
	evaluate(t, r,
		atTime{reason: "All is well.", at: at["troubles"] - interval},
		atTime{reason: "Pods were not asked about, and one ended undrained; all else may pass.", at: at["troubles"] + 4*time.Minute, want: []string{"PodgatePodsUndrained", "PodgateWebhookLosesGates"}},
		atTime{reason: "All troubles last.", at: at["leaderless"] - interval, want: troubles},
		atTime{reason: "Nobody leads, so nobody knows of pods and groups.", at: at["end"] - interval, want: []string{"PodgateNoLeader"}},
	)
}

// TestAlertsOfTheCertificate: it takes months to end, so these series are made up.
func TestAlertsOfTheCertificate(t *testing.T) {
	series := func(days string) Recording {
		return Recording{Interval: "1h", Series: []Series{
			{Series: `podgate_webhook_certificate_expiry_timestamp_seconds{what="serving",instance="a"}`, Values: days},
			{Series: `podgate_webhook_certificate_expiry_timestamp_seconds{what="ca",instance="a"}`, Values: "31536000+0x2400"},
			{Series: `leader_election_master_status{name="podgate-leader",instance="a"}`, Values: "1+0x2400"},
		}}
	}

	const life = 90 * 24 * time.Hour
	evaluate(t, series("7776000+0x2400"),
		atTime{reason: "It should be replaced at two thirds.", at: life * 2 / 3},
		atTime{reason: "Eight days are left.", at: life - 8*24*time.Hour},
		atTime{reason: "It was not replaced.", at: life - 6*24*time.Hour, want: []string{"PodgateCertificateEnds"}},
	)

	evaluate(t, series("7776000+0x1440 12960000+0x960"),
		atTime{reason: "It was.", at: life - 6*24*time.Hour},
	)
}

// TestNothingIsScraped: a podgate that shows nothing at all is one without a leader.
func TestNothingIsScraped(t *testing.T) {
	evaluate(t, Recording{Interval: "15s", Series: []Series{{Series: `up{job="other"}`, Values: "1+0x40"}}},
		atTime{reason: "A restart may take as long.", at: time.Minute},
		atTime{reason: "This does not pass.", at: 5 * time.Minute, want: []string{"PodgateNoLeader"}},
	)
}

// TestNobodyIsWokenForAnApproval: a pod that waits for a person is as it should be; one that waits for anything else is not.
func TestNobodyIsWokenForAnApproval(t *testing.T) {
	waits := func(reason string) Recording {
		return Recording{Interval: "15s", Series: []Series{
			{Series: `podgate_gates_waiting{namespace="shop",binding="checks.podgate.dev/warm",reason="` + reason + `",instance="a"}`, Values: "1+0x240"},
			{Series: `leader_election_master_status{name="podgate-leader",instance="a"}`, Values: "1+0x240"},
		}}
	}

	evaluate(t, waits("Check.NotApproved"), atTime{reason: "A person has the time.", at: 50 * time.Minute})
	evaluate(t, waits("Check.Failed"), atTime{reason: "A check does not.", at: 50 * time.Minute, want: []string{"PodgateGateWaiting"}})
}

// TestUndrainedAfterARestart: a leader that died and came again in its pod begins to count anew.
func TestUndrainedAfterARestart(t *testing.T) {
	r := Recording{Interval: "15s", Series: []Series{
		{Series: `podgate_pods_undrained_total{namespace="shop",binding="web",cause="grace_period",instance="a"}`, Values: "5+0x240 _x8 1+0x240"},
		{Series: `podgate_pods_undrained_total{namespace="shop",binding="web",cause="no_hook",instance="a"}`, Values: "1+1x500"},
		{Series: `leader_election_master_status{name="podgate-leader",instance="a"}`, Values: "1+0x500"},
	}}
	evaluate(t, r,
		atTime{reason: "All five are old; of those that end without a hook nobody is woken.", at: 50 * time.Minute},
		atTime{reason: "One more.", at: 65 * time.Minute, want: []string{"PodgatePodsUndrained"}},
		atTime{reason: "It is old, too.", at: 80 * time.Minute},
	)
}
