// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets this program be installed itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == CheckCommand {
		if err := Check(filepath.Dir(os.Args[0])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func environment(t *testing.T) map[string]string {
	return map[string]string{
		EnvNamespace: "shop", EnvPod: "web-1", EnvUID: "u1", EnvHostIPs: "10.0.0.1,2001:db8::1",
		EnvAddress: "10.96.0.7:443", EnvName: "podgate-webhook.podgate-system.svc", EnvCA: authority(t),
	}
}

func TestInstall(t *testing.T) {
	env := environment(t)
	c, err := FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	for range 2 { // The kubelet may start an init container again.
		if err := Install(t.Context(), os.Args[0], dir, c); err != nil {
			t.Fatal(err)
		}
	}

	got, err := ReadConfig(dir)
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Errorf("error %v; -want, +got:\n%s", err, diff)
	}

	if len(got.node()) != 2 {
		t.Errorf("the node's addresses are %v, want both", got.node())
	}

	for file, mode := range map[string]os.FileMode{programFile: 0o555, configFile: 0o444} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, error %v, want %v: containers of any user run it and none changes it", file, info.Mode().Perm(), err, mode)
		}
	}
}

// TestInstallFails: a pod whose hook could not run does not start.
func TestInstallFails(t *testing.T) {
	env := environment(t)
	c, err := FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}

	alien := filepath.Join(t.TempDir(), "alien")
	if err := os.WriteFile(alien, []byte("\x7fELF of another machine"), 0o755); err != nil {
		t.Fatal(err)
	}

	distrusting := c
	distrusting.CA = "none"
	noexec := t.TempDir()
	switch err := syscall.Mount("tmpfs", noexec, "tmpfs", syscall.MS_NOEXEC, "size=128m"); {
	case err == nil:
		t.Cleanup(func() { _ = syscall.Unmount(noexec, 0) })
	case errors.Is(err, syscall.EPERM):
		noexec = ""
	default:
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		program, dir, want string
		config             Config
	}{
		"WrongArchitecture": {alien, t.TempDir(), "does not run", c},
		"NoExec":            {os.Args[0], noexec, "permission denied", c},
		"NoRoom":            {os.Args[0], "/nonexistent", "no such file", c},
		"NoAuthority":       {os.Args[0], t.TempDir(), "no certificate authority", distrusting},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.dir == "" {
				t.Skip("only root can mount a file system that nothing runs from")
			}
			err := Install(t.Context(), tc.program, tc.dir, tc.config)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q in it", err, tc.want)
			}
		})
	}
}

// TestInstallIntoImage: where the directory is the image itself, nothing can be written and nothing has to be: the program is
// there, and the environment says the rest.
func TestInstallIntoImage(t *testing.T) {
	for name, value := range environment(t) {
		t.Setenv(name, value)
	}
	c, err := FromEnv(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}

	image := t.TempDir()
	if err := copyProgram(os.Args[0], filepath.Join(image, programFile)); err != nil {
		t.Fatal(err)
	}
	readOnly(t, image)

	if err := Install(t.Context(), os.Args[0], image, c); err != nil {
		t.Fatal(err)
	}

	got, err := ReadConfig(image)
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Errorf("error %v; -want, +got:\n%s", err, diff)
	}

	empty := t.TempDir()
	readOnly(t, empty)
	if err := Install(t.Context(), os.Args[0], empty, c); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("an image without the program: error %v, want one that says so", err)
	}
}

// readOnly mounts a directory over itself, read-only.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("only root can mount: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

func TestFromEnvWantsAll(t *testing.T) {
	for _, name := range []string{EnvNamespace, EnvPod, EnvUID, EnvAddress, EnvName, EnvCA} {
		env := environment(t)
		delete(env, name)
		if _, err := FromEnv(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v, want one that names it", name, err)
		}
	}
}
