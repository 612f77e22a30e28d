// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// profiled are the profiles of a controller at rest, and what each is asked with.
var profiled = map[string]string{"heap": "gc=1", "allocs": "", "goroutine": "", "profile": "seconds=60"}

// profile writes the controller's profiles to the folder that was asked for, if one was.
func (w *world) profile(ctx context.Context) error {
	if w.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(w.profiles, 0o755); err != nil {
		return err
	}

	for _, name := range []string{"heap", "allocs", "goroutine", "profile"} {
		if err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%s/debug/pprof/%s?%s", w.ports["pprof-port"], name, profiled[name]), filepath.Join(w.profiles, name)); err != nil {
			return fmt.Errorf("take profile %s: %w", name, err)
		}
	}

	return nil
}

// fetch writes what is served at a URL to a file.
func fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}

	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
