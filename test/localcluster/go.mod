// localcluster is a program of its own, so that the programs it builds and runs never weigh on podgate's module. What it builds is
// pinned in internal/binaries/*.mod.
module github.com/podgate/podgate/test/localcluster

go 1.26.0

require golang.org/x/sys v0.48.0
