// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// info is what podgate reads from "show info".
type info struct {
	version version
	// process tells one run of HAProxy from the next: a reload starts another.
	process string
	// stopping: it takes no new connections, as after a reload.
	stopping bool
}

func parseInfo(answer string) (info, error) {
	fields := map[string]string{}
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}

	v, err := parseVersion(fields["Version"])
	if err != nil {
		return info{}, fmt.Errorf("show info: %w", err)
	}
	if fields["Pid"] == "" {
		return info{}, errors.New("show info: no Pid")
	}

	return info{
		version: v, process: fields["Pid"] + "@" + fields["Start_time_sec"],
		stopping: fields["Stopping"] != "" && fields["Stopping"] != "0",
	}, nil
}

// version is a branch of HAProxy; what differs within a branch does not matter here.
type version struct{ major, minor int }

var (
	// version26 is the first in which servers can be added without experimental mode.
	version26 = version{2, 6}
	// version30 has "wait srv-removable". Not run.
	version30 = version{3, 0}
	// version31 has the keyword init-state. Not run.
	version31 = version{3, 1}
)

func (v version) atLeast(w version) bool {
	return v.major > w.major || v.major == w.major && v.minor >= w.minor
}

// String is the version as HAProxy's documentation names it.
func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// parseVersion reads texts such as "2.6.12-1+deb12u3" and "3.5-dev5".
func parseVersion(text string) (version, error) {
	major, rest, dot := strings.Cut(text, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(rest[:end])
	if !dot || errA != nil || errB != nil || a < 0 {
		return version{}, fmt.Errorf("version %.40q is none of HAProxy's", text)
	}
	return version{a, b}, nil
}
