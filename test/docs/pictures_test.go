// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// TestPictures: each picture is shown on a page, with words for those who do not see it. One that is drawn as SVG is
// well-formed, has a background of its own, so that it can be read on any page, and loads nothing.
func TestPictures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(kubetest.Root(), "docs", "images", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}

	shown := map[string]string{} // the words, by picture
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile(`!\[([^]]*)\]\(([^)]*)\)`).FindAllStringSubmatch(p.text, -1) {
			shown[filepath.Join(filepath.Dir(p.path), m[2])] = m[1]
		}
	}

	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			words, there := shown[filepath.Join("docs", "images", name)]
			if !there || len(words) < 40 {
				t.Errorf("it is on no page, or has no words that say what it shows: %q", words)
			}
			if filepath.Ext(name) == ".svg" {
				wellFormed(t, file)
			}
		})
	}
}

func wellFormed(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}

	defer f.Close()
	var elements []string
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements = append(elements, e.Name.Local)
			loadsNothing(t, e)
		}
	}

	if !slices.Contains(elements, "title") {
		t.Error("it has no title")
	}

	drawn := slices.DeleteFunc(elements, func(e string) bool {
		return slices.Contains([]string{"svg", "title", "style", "defs", "marker", "pattern"}, e)
	})
	if first := slices.Index(drawn, "rect"); first < 0 || slices.Contains(drawn[:first], "text") {
		t.Error("it has no background of its own below its text")
	}
}

// loadsNothing: a picture that fetched something would show nothing where a page is read.
func loadsNothing(t *testing.T, e xml.StartElement) {
	t.Helper()
	for _, a := range e.Attr {
		if a.Name.Local == "href" || strings.Contains(a.Value, "url(http") || e.Name.Local == "script" {
			t.Errorf("it loads something: <%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
		}
	}
}
