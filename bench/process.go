// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is what /proc/PID/stat tells of a process.
type process struct {
	pid, group int
	// ended: its parent has not asked for it yet.
	ended bool
	// cpu is user and system time.
	cpu time.Duration
	// pages are resident.
	pages int64
}

// members are the processes of a group that have not ended.
func members(group int) []process {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var all []process
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it ended since
		}
		if p, err := parseStat(string(raw)); err == nil && p.group == group && !p.ended {
			all = append(all, p)
		}
	}
	return all
}

// clockTick is the unit of /proc/PID/stat: USER_HZ, 100 on every architecture that Go knows.
const clockTick = 10 * time.Millisecond

// parseStat reads /proc/PID/stat (proc(5)); the name in it may hold anything.
func parseStat(stat string) (process, error) {
	before, _, _ := strings.Cut(stat, " (")
	end := strings.LastIndex(stat, ") ")
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 22 {
		return process{}, fmt.Errorf("not a process's stat: %q", stat)
	}

	numbers := map[string]int64{}
	for name, field := range map[string]string{
		"pid": before, "group": fields[2], "user": fields[11], "system": fields[12], "pages": fields[21],
	} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("not a process's stat: %w", err)
		}
		numbers[name] = n
	}

	return process{
		pid: int(numbers["pid"]), group: int(numbers["group"]), ended: fields[0] == "Z",
		cpu: time.Duration(numbers["user"]+numbers["system"]) * clockTick, pages: numbers["pages"],
	}, nil
}
