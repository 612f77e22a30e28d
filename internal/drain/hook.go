// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// hook is for how many seconds a container's preStop hook sleeps, Unread when that cannot be read. least is for how many it
// does so before it does anything else: what a script does then, such as stopping the server, is not known.
func hook(l *corev1.Lifecycle) (seconds, least int64) {
	switch {
	case l == nil || l.PreStop == nil:
		return 0, 0
	case l.PreStop.Sleep != nil:
		return l.PreStop.Sleep.Seconds, l.PreStop.Sleep.Seconds
	case l.PreStop.Exec != nil:
		return command(l.PreStop.Exec.Command)
	}
	return Unread, 0
}

// command reads a command that does nothing but sleep, in a shell or not.
func command(words []string) (seconds, least int64) {
	if len(words) > 0 && path.Base(words[0]) == "busybox" {
		words = words[1:]
	}
	if len(words) == 0 || !strings.HasSuffix(path.Base(words[0]), "sh") {
		n := sleeps(words)
		return known(n), max(n, 0)
	}

	// The script is what follows the option c.
	for i, word := range words[1:] {
		if !strings.HasPrefix(word, "-") || strings.HasPrefix(word, "--") {
			break
		}
		if strings.HasSuffix(word, "c") && i+2 < len(words) {
			return script(words[i+2])
		}
	}
	return Unread, 0
}

// quiet are commands of a shell that take no time and stop nothing.
var quiet = []string{"echo", "printf", "true", ":", "set", "trap", "date", "export", "cd"}

// script reads a script. Once it does something that is neither a sleep nor quiet, nobody can tell how long it takes.
func script(text string) (seconds, least int64) {
	for _, line := range strings.FieldsFunc(strings.ReplaceAll(text, "&&", ";"), func(r rune) bool { return r == ';' || r == '\n' }) {
		// What follows a failure does not follow a sleep.
		line, _, _ = strings.Cut(line, "||")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case words[0] == "exit":
			return known(least), least
		case slices.Contains(quiet, words[0]) && !strings.ContainsAny(line, "&|`("):
			continue
		}

		last := words[0] == "exec"
		if last {
			words = words[1:]
		}

		// A sleep without a time fails at once: so it is when the time follows the script.
		n := sleeps(words)
		if len(words) == 1 && words[0] == "sleep" {
			n = 0
		}
		if n == Unread {
			return Unread, least
		}
		least = min(least+n, endless)
		if last {
			break
		}
	}

	return known(least), least
}

// endless is how long a hook sleeps that sleeps until it is killed.
const endless = int64(math.MaxInt32)

// known is a number of seconds that a hook can be told to sleep for; Unread where it has no end.
func known(seconds int64) int64 {
	if seconds == endless {
		return Unread
	}
	return seconds
}

// sleeps is for how many seconds a command sleeps; Unread when it is another command. Not every sleep takes several times.
func sleeps(words []string) int64 {
	if len(words) != 2 || path.Base(words[0]) != "sleep" {
		return Unread
	}
	return slept(words[1])
}

// sleepArgument is what sleep(1) takes: seconds, or a number with a unit.
var sleepArgument = regexp.MustCompile(`^(\d{1,9})(?:\.\d*)?([smhd]?)$`)

// slept reads an argument of sleep(1), parts of a unit left out.
func slept(argument string) int64 {
	if argument == "infinity" || argument == "inf" {
		return endless
	}

	m := sleepArgument.FindStringSubmatch(argument)
	if m == nil {
		return Unread
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return Unread
	}
	return min(n*map[string]int64{"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[m[2]], endless)
}
