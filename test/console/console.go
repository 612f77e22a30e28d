// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package console reads what a page of the documentation shows of a shell: commands, and what they print. It tells
// whether something that was printed is what the page shows. It runs nothing.
package console

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Step is a command of a page.
type Step struct {
	// Line is where it stands in the page, from 1.
	Line int
	// Command is what is to be typed, without the prompt; several lines where all but the last end with a backslash.
	Command string
	// Shown are the lines that the page shows below it; none where the page says nothing of what it prints.
	Shown []string
}

// prompt begins a command in a block of the language "console".
const prompt = "$ "

// Steps gives all commands of a page's blocks of the language "console", in their order. A block that may be taken for
// commands and is none of those is an error, since nobody would run it.
func Steps(page string) ([]Step, error) {
	var steps []Step
	language, inside, continued := "", false, false
	for i, line := range strings.Split(page, "\n") {
		at := i + 1
		if after, fence := strings.CutPrefix(strings.TrimLeft(line, " "), "```"); fence {
			if !inside && after != "console" && after != "yaml" && after != "haproxy" {
				return nil, fmt.Errorf("line %d: a block of the language %q: commands are in blocks of the language console", at, after)
			}
			if strings.HasPrefix(line, " ") || continued {
				return nil, fmt.Errorf("line %d: a fence is indented, or in the middle of a command", at)
			}
			language, inside = after, !inside
			continue
		}

		if !inside || language != "console" {
			continue
		}

		command, begins := strings.CutPrefix(line, prompt)
		switch {
		case continued:
			last := &steps[len(steps)-1]
			last.Command += "\n" + line
		case begins:
			steps = append(steps, Step{Line: at, Command: command})
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: output before any command", at)
		default:
			last := &steps[len(steps)-1]
			last.Shown = append(last.Shown, line)
		}

		continued = (continued || begins) && strings.HasSuffix(line, `\`)
	}

	if inside {
		return nil, errors.New("a block does not end")
	}

	return steps, nil
}

// Anything stands for any number of lines, also none, in what a page shows.
const Anything = "..."

// Matches reports whether a command printed what the page shows: the same lines, but for what is another each time. These
// are the ends of pods' names, addresses of pods, ages and times, counts in front of a line as uniq -c prints them, and
// how wide a table's columns are.
func (s Step) Matches(printed string) bool {
	return match(plain(s.Shown), plain(strings.Split(strings.TrimRight(printed, "\n"), "\n")))
}

func match(shown, printed []string) bool {
	for len(shown) > 0 && shown[0] != Anything {
		if len(printed) == 0 || shown[0] != printed[0] {
			return false
		}
		shown, printed = shown[1:], printed[1:]
	}

	if len(shown) == 0 {
		return len(printed) == 0
	}

	for skip := range len(printed) + 1 {
		if match(shown[1:], printed[skip:]) {
			return true
		}
	}

	return false
}

// varying is what is another each time, and what stands for it. Kubernetes makes names' ends of these letters and digits
// only, in which no word can be hidden.
var varying = []struct {
	is *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`^ +\d+ `), "COUNT "},
	{regexp.MustCompile(`-[b-df-hj-np-tv-xz24-9]{6,10}-[b-df-hj-np-tv-xz24-9]{5}\b`), "-HASH-END"},
	{regexp.MustCompile(`\b10\.244\.\d{1,3}\.\d{1,3}\b`), "ADDRESS"},
	{regexp.MustCompile(`\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\b`), "TIME"},
	{regexp.MustCompile(`\b(\d+(h|m|s|ms))+\b`), "AGE"},
	{regexp.MustCompile(`\s+`), " "},
}

func plain(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		for _, v := range varying {
			line = v.is.ReplaceAllString(line, v.by)
		}
		all[i] = strings.TrimSpace(line)
	}
	return all
}
