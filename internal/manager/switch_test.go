// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

// TestSwitch: WEBHOOK_ENABLED switches the entry on, and off without it; what is neither is refused. Off is told at the
// start, once.
func TestSwitch(t *testing.T) {
	for value, want := range map[string]struct{ on, refused bool }{
		"": {}, "false": {}, "true": {on: true}, "True": {on: true}, "yes": {refused: true}, "1": {refused: true}, "on": {refused: true},
	} {
		t.Setenv(SwitchVariable, value)
		var c Config
		c.Bind(flag.NewFlagSet("podgate", flag.PanicOnError))
		c.Namespace = "podgate-system"

		err := c.Validate()
		if (err != nil) != want.refused || err != nil && !strings.Contains(err.Error(), `WEBHOOK_ENABLED="`+value+`": must be "true" or "false"`) {
			t.Errorf("%q: want it refused %t, got %v", value, want.refused, err)
		}
		if on := len(c.off()) == 0; on != want.on {
			t.Errorf("%q: want it on %t, got off %q", value, want.on, c.off())
		}

		var said []string
		tellSwitch(funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{}), c)
		if told := len(said) == 1 && strings.Contains(said[0], "mpod.gwc.k8s.aws") && strings.Contains(said[0], "WEBHOOK_ENABLED=true"); told == want.on || want.on && len(said) > 0 {
			t.Errorf("%q: the log says %q", value, said)
		}
	}
}
