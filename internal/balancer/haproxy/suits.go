// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/balancer"
)

// trial is the name, after the prefix, of a server that HAProxy is asked about and that never serves.
const trial = "trial"

// externalCheck is what stands against a backend whose check is a command. No version prepares the command for servers that
// are added at runtime, and 2.6.12 ends by a segmentation fault when the first check begins.
const externalCheck = `backend %q has "option external-check", and HAProxy runs the command only for servers of its configuration: use a check that HAProxy makes itself, such as "option httpchk" or "option tcp-check", or list the servers in the configuration and have them observed (spec.membership: External)`

// suits asks HAProxy whether the backend takes servers such as podgate adds, and returns what stands against it, which may
// be the settings themselves. The answer holds for as long as the process runs, since its configuration does not change.
func (v view) suits(ctx context.Context) *troubleError {
	if v.g.unaddable != "" {
		return v.refuse(balancer.ErrInvalid, v.g.unaddable)
	}

	suits, external := v.g.memory.tried(v)
	if suits {
		return nil
	}

	if !external {
		external = v.externallyChecked()
	}
	if !external {
		var trouble *troubleError
		if external, trouble = v.try(ctx); trouble != nil {
			return trouble
		}
	}

	v.g.memory.try(v, external)
	if external {
		return v.refuse(balancer.ErrInvalid, fmt.Sprintf(externalCheck, v.g.Backend))
	}

	return nil
}

// externallyChecked reports whether a server's check is known to have been an external one.
func (v view) externallyChecked() bool {
	return slices.ContainsFunc(v.servers, func(s server) bool { return strings.HasPrefix(s.stat.check, "PROC") })
}

// try has HAProxy judge a server, and reports whether its checks would be external ones, which nothing else shows. The
// server has no port, so that HAProxy refuses it, as the last of all that it looks at, for want of a port to check, and
// names the rules of the backend's checks if there are any. It accepts the server where the rules have a port. That is
// undone with the next command of the same line, and a server that is added is in maintenance and not checked.
func (v view) try(ctx context.Context) (external bool, trouble *troubleError) {
	answers, trouble := v.exchange(ctx, v.g.try(v.version))
	if trouble != nil {
		return false, trouble
	}

	switch said := answers[0][1]; {
	case strings.Contains(said, "tcp_check rule"):
		return false, nil
	case strings.Contains(said, "nor check port"):
		return true, nil
	case strings.Contains(said, "Already exists a server with the same name"):
		return false, v.refuse(nil, "another podgate asks what the backend takes at this moment, too")
	case !strings.Contains(said, "New server registered"):
		return false, v.refusedServer(said)
	}

	// Releases since June 2026 take any server whose check is external. One of the two protocols fits no check of HAProxy's own.
	answers, trouble = v.exchange(ctx, v.g.try(v.version, "check-proto", "h1"), v.g.try(v.version, "check-proto", "none"))
	if trouble != nil {
		return false, trouble
	}

	registered := func(unit []string) bool { return strings.Contains(unit[1], "New server registered") }
	return registered(answers[0]) && registered(answers[1]), nil
}
