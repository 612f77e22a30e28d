// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The program's own pages are gone when they were released, and come back when they are used, which the test shows by going on.
func TestProgramIsReleased(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}

	touch(t, unwritten(read(t, "/proc/self/smaps"), program))
	before := resident(t, program)
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}

	if after := resident(t, program); after > before/2 {
		t.Errorf("%d KiB of the program are resident, of %d before", after, before)
	}
}

// touch reads all of what is mapped.
func touch(t *testing.T, all []mapping) {
	if len(all) == 0 {
		t.Fatal("the program is mapped nowhere")
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()

	for _, m := range all {
		if _, err := memory.ReadAt(make([]byte, m.to-m.from), int64(m.from)); err != nil {
			t.Fatal(err)
		}
	}
}

// resident is how much of a file is resident, in KiB.
func resident(t *testing.T, file string) (sum int) {
	ofFile := false
	for line := range strings.Lines(read(t, "/proc/self/smaps")) {
		fields := strings.Fields(line)
		if len(fields) >= 5 && strings.Contains(fields[0], "-") {
			ofFile = fields[len(fields)-1] == file
		}
		if ofFile && fields[0] == "Rss:" {
			size, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += size
		}
	}
	return sum
}

func read(t *testing.T, file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const smaps = `00400000-01c7c000 r-xp 00000000 fe:00 11 /podgate
Size:              25072 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
01c7c000-035a2000 r--p 0187c000 fe:00 11 /podgate
Anonymous:             0 kB
035a2000-0365c000 rw-p 031a2000 fe:00 11 /podgate
Anonymous:             0 kB
0365c000-03800000 r-xp 03200000 fe:00 11 /podgate
Anonymous:             4 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 12 /etc/podgate
Anonymous:             0 kB
7f0000002000-7f0000003000 r--p 00000000 fe:00 12 /podgate (deleted)
Anonymous:             0 kB
xyz-7f0000005000 r--p 00000000 fe:00 11 /podgate
Anonymous:             0 kB
7f0000006000- r--p 00000000 fe:00 11 /podgate
Anonymous:             0 kB
7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0 [stack]
`

// What may differ from the file stays: variables, and code with a tracer's breakpoints.
func TestUnwrittenMappings(t *testing.T) {
	want := []mapping{{from: 0x400000, to: 0x1c7c000}, {from: 0x1c7c000, to: 0x35a2000}}
	if got := unwritten(smaps, "/podgate"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
