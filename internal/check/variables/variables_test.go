// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package variables

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
)

var pod = check.Subject{
	UID:   "6f1c0a4e-8d5e-4c3c-9d5b-3f1d0f6b7a21",
	Addrs: []netip.Addr{netip.MustParseAddr("fd12::1"), netip.MustParseAddr("10.0.0.1")},
	Pod: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-0",
			Labels: map[string]string{"shard": "a_1", "example.com/tier": "gold", "empty": ""},
		},
		Spec: corev1.PodSpec{NodeName: "node-1.example.com"},
	},
}

func parse(t *testing.T, text string) Text {
	t.Helper()
	parsed, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestFill(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"up":                     "up",
		`up{x=~"a$(b)$"}`:        `up{x=~"a$(b)$"}`,
		"$(pod.name)":            "web-0",
		"$(pod.namespace)":       "shop",
		"$(pod.uid)":             "6f1c0a4e-8d5e-4c3c-9d5b-3f1d0f6b7a21",
		"$(pod.node)":            "node-1.example.com",
		"$(pod.ip)":              "fd12::1",
		"$(pod.labels['shard'])": "a_1",
		`up{tier="$(pod.labels['example.com/tier'])",pod="$(pod.name)"} > 1`: `up{tier="gold",pod="web-0"} > 1`,
		"$(pod.name)$(pod.name)": "web-0web-0",
	} {
		if got, ok := parse(t, text).Fill(pod); !ok || got != want {
			t.Errorf("%s: got %q, %t, want %q", text, got, ok, want)
		}
	}
}

func TestFillURL(t *testing.T) {
	const want = "/v1/fd12%3A%3A1/web-0?shard=a_1"
	if got, ok := parse(t, "/v1/$(pod.ip)/$(pod.name)?shard=$(pod.labels['shard'])").FillURL(pod); !ok || got != want {
		t.Errorf("got %q, %t, want %q", got, ok, want)
	}
}

func TestPerPod(t *testing.T) {
	for text, want := range map[string]struct{ perPod, ofIP bool }{
		"up": {}, "$(pod": {}, "$(pod.name)": {perPod: true}, "a$(pod.ip)b": {perPod: true, ofIP: true}, "$(pod.ip)$(pod.name)": {perPod: true, ofIP: true},
	} {
		if got := parse(t, text); got.PerPod() != want.perPod || got.OfIP() != want.ofIP {
			t.Errorf("%s: got %t and %t", text, got.PerPod(), got.OfIP())
		}
	}
}

func TestMask(t *testing.T) {
	for text, want := range map[string]string{"": "", "up": "up", "$(pod.name)": "*", "/a/$(pod.ip)b$(pod.labels['a/b'])": "/a/*b*"} {
		if got := parse(t, text).Mask("*"); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"$(pod.)", "$(pod.name", "$(pod.Name)", "$(pod.name )", "$(pod.annotations['a'])", "$(pod.labels)", "$(pod.labels[''])", "$(pod.labels['a)", "$(pod.labels['a\"'])",
		"$(pod.labels['a b'])", "$(pod.labels[\"a\"])", "$(pod.name) $(pod.spec)",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "$(pod.name)") {
			t.Errorf("%s: got the error %v", text, err)
		}
	}
}

// TestLaw1EmptyVariablesAskNothing: an empty value would change what is asked, such as {shard=""}.
func TestLaw1EmptyVariablesAskNothing(t *testing.T) {
	for _, text := range []string{`up{shard="$(pod.labels['unset'])"}`, `up{shard="$(pod.labels['empty'])"}`} {
		if got, ok := parse(t, text).Fill(pod); ok || got != "" {
			t.Errorf("%s: filled in as %q", text, got)
		}
	}
	for name := range fields {
		if got, ok := parse(t, "$(pod."+name+")").Fill(check.Subject{}); ok {
			t.Errorf("%s of nothing: filled in as %q", name, got)
		}
	}
}

// attacks are values that would leave a string, a matcher, a path segment or a header.
var attacks = []string{
	`"} or vector(1) or up{x="`, `a"`, `a\`, "a`b", "a'b", "a}", "a{", "a,b", "a/b", "../..", ".", "..", "a b", "a\n", "a\r\nX: y", "a\x00", "a%2fb", "a?b=c", "a&b", "a#b", "a=b", "a;b", "a(b)", "é", "$(pod.name)",
}

// TestValuesStayWithin: no value ends the text that it is filled into, whoever says what the pod is.
func TestValuesStayWithin(t *testing.T) {
	label, name, uid, node := parse(t, "$(pod.labels['a'])"), parse(t, "$(pod.name)"), parse(t, "$(pod.uid)"), parse(t, "$(pod.node)")
	for _, attack := range attacks {
		evil := check.Subject{UID: types.UID(attack), Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": attack}, Name: attack},
			Spec:       corev1.PodSpec{NodeName: attack},
		}}
		for _, text := range []Text{label, name, uid, node} {
			if got, ok := text.Fill(evil); ok {
				t.Errorf("%q: filled in as %q", attack, got)
			}
		}
	}
}

func FuzzFill(f *testing.F) {
	for _, attack := range append(attacks, "web-0", "a.b", "a..b") {
		f.Add(attack)
	}

	text, err := Parse("/a/$(pod.labels['a'])?b=$(pod.labels['a'])")
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, value string) {
		pod := check.Subject{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": value}}}}
		filled, ok := text.FillURL(pod)
		if !ok {
			return
		}

		u, err := url.Parse(filled)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if u.Path != "/a/"+value || u.Query().Get("b") != value || u.JoinPath().Path != u.Path {
			t.Errorf("%q became %q", value, filled)
		}
		if strings.ContainsAny(value, "\"\\'`{}()/ \t\r\n") {
			t.Errorf("%q was filled in", value)
		}
	})
}
