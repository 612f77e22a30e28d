// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

// older are the releases of which there is the API server alone.
func older() []string {
	releases := Releases()
	return releases[:len(releases)-1]
}

func TestEveryReleaseStampsItsVersion(t *testing.T) {
	for _, release := range Releases() {
		c, err := Open(release, Control)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(c.Version(), "v"+release+".") {
			t.Errorf("release %s is built from %q", release, c.Version())
		}
		if !strings.Contains(ldflags(c.Version()), "gitVersion="+c.Version()+" ") {
			t.Errorf("version %q is not stamped by %q", c.Version(), ldflags(c.Version()))
		}
	}
}

// A module that pins one version and replaces the rest of Kubernetes by another builds something that was never released.
func TestEveryReleaseIsOfOnePiece(t *testing.T) {
	for _, release := range older() {
		wantTool(t, newest+"-"+release, apiServer)
		mod, err := inputs.ReadFile(newest + "-" + release + ".mod")
		if err != nil {
			t.Fatal(err)
		}
		staging := "v0." + strings.TrimPrefix(versionOf(newest+"-"+release), "v1.")
		for line := range strings.Lines(string(mod)) {
			if _, to, replaced := strings.Cut(line, "=>"); replaced && !strings.HasSuffix(strings.TrimSpace(to), " "+staging) {
				t.Errorf("release %s replaces by something else than %s: %s", release, staging, line)
			}
		}
	}
}

func TestOpenKeepsReleasesApart(t *testing.T) {
	dirs := map[string]string{}
	for _, release := range append(Releases(), "") {
		c, err := Open(release, Control)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := dirs[c.Dir]; taken && release != "" {
			t.Errorf("releases %s and %s share the folder %s", release, other, c.Dir)
		}
		dirs[c.Dir] = release
	}

	if len(dirs) != len(Releases()) {
		t.Errorf("no release is not the newest: folders %v", dirs)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		release string
		set     Set
		want    string
	}{
		"Unknown":   {reason: "a typing error must not run the newest", release: "1.3", set: Control, want: `no Kubernetes "1.3"`},
		"Version":   {reason: "a release is not a version", release: "v1.36.3", set: Control, want: "the releases are "},
		"OlderNode": {reason: "nothing but the API server is pinned", release: older()[0], set: Node, want: "--api-only"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(test.release, test.set); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want an error with %q", test.reason, err, test.want)
			}
		})
	}
}

func TestOlderReleaseTakesEtcdAndKubectlFromTheNewest(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := Open(older()[0], Control)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := c.Missing(), []string{"kube-apiserver", "etcd", "kubectl"}; !slices.Equal(got, want) {
		t.Errorf("an empty cache lacks %q, want %q", got, want)
	}

	// What has to be compiled is there, so that nothing is.
	for _, program := range []string{"kube-apiserver", "etcd", "kubectl"} {
		keep(t, c.newest, program)
	}

	keep(t, c, "kube-apiserver")
	if err := c.Build(context.Background(), func(said string) { t.Error("builds: " + said) }); err != nil {
		t.Fatal(err)
	}

	if got := c.Missing(); len(got) != 0 {
		t.Errorf("lacks %q when all is there", got)
	}

	if to, err := os.Readlink(c.Path("etcd")); err != nil || to != c.newest.Path("etcd") {
		t.Errorf("etcd is %q (%v), want the newest's, %q", to, err, c.newest.Path("etcd"))
	}

	if info, err := os.Lstat(c.Path("kube-apiserver")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("kube-apiserver is not the release's own: %v (%v)", info, err)
	}
}
