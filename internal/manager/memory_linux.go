// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram has the kernel take the pages of the program's file for unused. The file stays where it is, so what is used
// is there again at once.
func releaseProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}

	mappings, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}

	var errs []error
	for _, m := range unwritten(string(mappings), program) {
		// Cold pages are the first that the kernel takes when memory is short, and count as available. Kernels before
		// Linux 5.4 do not know that.
		_ = m.advise(unix.MADV_COLD)
		if err := m.advise(unix.MADV_DONTNEED); err != nil {
			errs = append(errs, fmt.Errorf("release %x-%x: %w", m.from, m.to, err))
		}
	}
	return errors.Join(errs...)
}

// mapping is a part of the process's memory.
type mapping struct{ from, to uintptr }

func (m mapping) advise(advice uintptr) error {
	if _, _, failed := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, advice); failed != 0 {
		return failed
	}
	return nil
}

// unwritten finds in /proc/PID/smaps where a file is mapped without a page that differs from it: a program writes its
// variables, and debuggers and tracers write breakpoints into its code.
func unwritten(smaps, file string) []mapping {
	var found []mapping
	var current *mapping
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			current = nil
			if len(fields) == 6 && fields[5] == file && !strings.Contains(fields[1], "w") {
				current = parseMapping(fields[0])
			}
		case current != nil && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			found = append(found, *current)
		}
	}
	return found
}

// parseMapping reads "from-to"; nil where that is something else.
func parseMapping(s string) *mapping {
	from, to, _ := strings.Cut(s, "-")
	begin, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return nil
	}
	end, err := strconv.ParseUint(to, 16, 64)
	if err != nil {
		return nil
	}
	return &mapping{from: uintptr(begin), to: uintptr(end)}
}
