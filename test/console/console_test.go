// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# A page\n\nDo:\n\n```console\n$ up --name x\n$ get pods   # all of them\nNAME\nweb\n\nend\n```\n\n```yaml\n$ not: a command\n```\n\n" +
	"```console\n$ install \\\n    --set a=b \\\n    --wait\ndone\n```\n"

func TestSteps(t *testing.T) {
	got, err := Steps(page)
	want := []Step{
		{Line: 6, Command: "up --name x"},
		{Line: 7, Command: "get pods   # all of them", Shown: []string{"NAME", "web", "", "end"}},
		{Line: 19, Command: "install \\\n    --set a=b \\\n    --wait", Shown: []string{"done"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; -want +got:\n%s", err, diff)
	}

	for reason, page := range map[string]string{
		"commands that nobody would run": "```sh\nrm x\n```\n",
		"a block without a language":     "```\n$ rm x\n```\n",
		"a block in a list":              "- so:\n  ```console\n  $ rm x\n  ```\n",
		"a block does not end":           "```console\n$ rm x\n",
		"output of nothing":              "```console\nremoved\n```\n",
		"a command does not end":         "```console\n$ rm \\\n```\n",
	} {
		if steps, err := Steps(page); err == nil {
			t.Errorf("%s: read as %+v", reason, steps)
		}
	}
}

func TestMatches(t *testing.T) {
	const pods = "NAME                   READY   AGE   IP           GATES\nweb-66bb59897d-8r29g   1/1     10m   10.244.0.7   1/1"
	for _, tc := range []struct {
		reason, shown, printed string
		want                   bool
	}{
		{"the same", "a\nb", "a\nb\n", true},
		{"another pod of another age, in another width", pods, "NAME   READY  AGE  IP  GATES\nweb-fb7c5ff9-pfgl9  1/1  3h5m  10.244.12.201  1/1\n", true},
		{"another count", "    812 v1\n     90 v2", "      3 v1\n   1190 v2\n", true},
		{"another date", "LAST DEPLOYED: Sat Nov 21 21:52:34 2026", "LAST DEPLOYED: Sun Dec  6 01:02:03 2026\n", true},
		{"lines left out in the middle", "a\n...\nz", "a\nb\nc\nz", true},
		{"none left out in the middle", "a\n...\nz", "a\nz", true},
		{"lines left out in front", "...\nz", "b\nc\nz", true},
		{"lines left out at the end", "a\n...", "a\nb", true},
		{"a gate that is closed", pods, strings.TrimSuffix(pods, "1/1") + "0/1", false},
		{"a pod of another name", pods, strings.Replace(pods, "web-", "api-", 1), false},
		{"another address of a machine", "tcp:172.30.0.2:9999", "tcp:172.30.0.3:9999", false},
		{"a request failed", "    812 v1\n     90 v2", "    812 v1\n     90 v2\n      1 failed", false},
		{"another time that is no age", "sleeps 15 s", "sleeps 40 s", false},
		{"a line is missing", "a\nb", "a", false},
		{"a line too many", "a", "a\nb", false},
		{"nothing", "a", "", false},
		{"the end is another", "a\n...\nz", "a\nb\ny", false},
		{"a word for a name's end", "web-66bb59897d-8r29g", "web-condition-false", false},
	} {
		if got := (Step{Shown: strings.Split(tc.shown, "\n")}).Matches(tc.printed); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.reason, got, tc.want)
		}
	}
}
