// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chromium drives a real Chromium, Debian's, for tests: it opens pages, says what a person would see there, and keeps
// what goes wrong in them. It knows nothing of podgate. It speaks the browser's own protocol (Chrome DevTools Protocol)
// through a pipe, so that nothing listens.
package chromium

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds what the browser does in its own time.
const Patience = time.Minute

// Browser is a running Chromium.
type Browser struct {
	command *exec.Cmd
	in      io.WriteCloser
	said    *os.File

	mu      sync.Mutex
	last    int
	answers map[int]chan answer
	pages   map[string]*Page
	ended   chan struct{}
}

// message is what goes through the pipe, in either direction.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type answer struct {
	result json.RawMessage
	err    error
}

// Start starts a Chromium that ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("Chromium is needed: run `scripts/install-debian chromium=chromium` as root on Debian 12, or install it")
	}

	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(t.TempDir(), "chromium.log"))
	if err != nil {
		t.Fatal(err)
	}

	// The profile goes when the browser has ended; t.TempDir would fail where a process of its writes a last time.
	profile, err := os.MkdirTemp("", "chromium") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}

	b := &Browser{in: in, said: said, answers: map[int]chan answer{}, pages: map[string]*Page{}, ended: make(chan struct{})}
	b.command = exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-breakpad", "--force-color-profile=srgb", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	b.command.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	b.command.Stdout, b.command.Stderr = said, said
	b.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.command.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toBrowser.Close(), fromBrowser.Close()

	go b.read(out)
	t.Cleanup(func() {
		b.stop(t)
		_ = os.RemoveAll(profile)
	})
	return b
}

// stop asks the browser to end, and ends what is left of its processes.
func (b *Browser) stop(t testing.TB) {
	kill := time.AfterFunc(Patience, func() { _ = syscall.Kill(-b.command.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()

	_, _ = b.call("", "Browser.close", nil)
	_ = b.in.Close()
	_ = b.command.Wait()
	_ = syscall.Kill(-b.command.Process.Pid, syscall.SIGKILL)
	<-b.ended
	if t.Failed() {
		if raw, err := os.ReadFile(b.said.Name()); err == nil {
			t.Logf("chromium said:\n%s", raw[max(0, len(raw)-4000):])
		}
	}
	_ = b.said.Close()
}

// read hands on what the browser says until it ends.
func (b *Browser) read(out *os.File) {
	defer close(b.ended)
	defer func() { _ = out.Close() }()
	in := bufio.NewReaderSize(out, 1<<20)
	for {
		raw, err := in.ReadBytes(0)
		if err != nil {
			b.end(err)
			return
		}
		var m message
		if json.Unmarshal(raw[:len(raw)-1], &m) != nil {
			continue
		}

		b.mu.Lock()
		waiting, page := b.answers[m.ID], b.pages[m.Session]
		delete(b.answers, m.ID)
		b.mu.Unlock()

		switch {
		case waiting != nil && m.Error != nil:
			waiting <- answer{err: fmt.Errorf("chromium: %s", m.Error.Message)}
		case waiting != nil:
			waiting <- answer{result: m.Result}
		case page != nil && m.Method != "":
			page.event(m)
		}
	}
}

// end has all who wait for an answer wait no longer.
func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, waiting := range b.answers {
		waiting <- answer{err: fmt.Errorf("chromium has ended: %w", err)}
		delete(b.answers, id)
	}
}

// call calls a method of the protocol.
func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}

	b.mu.Lock()
	b.last++
	m := message{ID: b.last, Session: session, Method: method}
	if params != nil {
		m.Params = raw
	}
	waiting := make(chan answer, 1)
	b.answers[m.ID] = waiting
	whole, err := json.Marshal(m)
	if err == nil {
		_, err = b.in.Write(append(whole, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}

	select {
	case a := <-waiting:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", method, a.err)
		}
		return a.result, nil
	case <-b.ended:
		return nil, fmt.Errorf("%s: chromium has ended", method)
	case <-time.After(Patience):
		return nil, fmt.Errorf("%s: chromium does not answer", method)
	}
}

// Page is a page in a browser. Its methods end the test when the browser does not do what they ask.
type Page struct {
	testing.TB
	browser *Browser
	session string

	mu     sync.Mutex
	errors []string
}

// Open opens an address in a window of a width, as wide as a person's.
func (b *Browser) Open(t testing.TB, address string, width, height int) *Page {
	t.Helper()
	var target struct {
		ID string `json:"targetId"`
	}
	p := &Page{TB: t, browser: b}
	p.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		Session string `json:"sessionId"`
	}
	p.ask("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached)
	p.session = attached.Session

	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	t.Cleanup(func() { _, _ = b.call("", "Target.closeTarget", map[string]any{"targetId": target.ID}) })

	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.ask(domain+".enable", nil, nil)
	}
	p.Size(width, height)
	p.Go(address)
	return p
}

// ask calls a method for the page, and reads its answer.
func (p *Page) ask(method string, params, into any) {
	p.Helper()
	raw, err := p.browser.call(p.session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// event keeps what goes wrong in the page.
func (p *Page) event(m message) {
	var said struct {
		Type  string `json:"type"`
		Entry struct {
			Level, Text, URL string
		} `json:"entry"`
		Exception struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
		Args []struct {
			Value any `json:"value"`
		} `json:"args"`
	}
	if json.Unmarshal(m.Params, &said) != nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m.Method == "Runtime.exceptionThrown":
		p.errors = append(p.errors, said.Exception.Text+" "+said.Exception.Exception.Description)
	case m.Method == "Log.entryAdded" && (said.Entry.Level == "error" || said.Entry.Level == "warning"):
		p.errors = append(p.errors, said.Entry.Text+" "+said.Entry.URL)
	case m.Method == "Runtime.consoleAPICalled" && (said.Type == "error" || said.Type == "warning" || said.Type == "assert"):
		p.errors = append(p.errors, fmt.Sprint(said.Args))
	}
}

// Errors takes out what went wrong in the page since they were asked for last: exceptions, and what the console warns of.
func (p *Page) Errors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.errors
	p.errors = nil
	return all
}

// Go opens another address, and returns when it is loaded.
func (p *Page) Go(address string) {
	p.Helper()
	var went struct {
		Error string `json:"errorText"`
	}
	p.ask("Page.navigate", map[string]any{"url": address}, &went)
	if went.Error != "" {
		p.Fatalf("open %s: %s", address, went.Error)
	}
	p.Wait("the page is loaded", `document.readyState === "complete"`)
}

// Location is the address of another path where the page is.
func (p *Page) Location(path string) (address string) {
	p.Helper()
	p.Eval(fmt.Sprintf("location.origin + %q", path), &address)
	return address
}

// Size sets how large the window is.
func (p *Page) Size(width, height int) {
	p.Helper()
	p.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
}

// Dark sets whether its user prefers dark pages.
func (p *Page) Dark(dark bool) {
	p.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	p.ask("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
}

// Eval evaluates an expression of JavaScript in the page, and reads its value, for which it waits; into may be nil.
func (p *Page) Eval(expression string, into any) {
	p.Helper()
	if err := p.eval(expression, into); err != nil {
		p.Fatal(err)
	}
}

func (p *Page) eval(expression string, into any) error {
	raw, err := p.browser.call(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true})
	if err != nil {
		return err
	}
	var said struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return err
	}
	if e := said.Exception; e != nil {
		return fmt.Errorf("evaluate %s: %s %s", clip(expression), e.Text, e.Exception.Description)
	}
	if into == nil || said.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(said.Result.Value, into)
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

// Wait waits until an expression is true.
func (p *Page) Wait(what, expression string) {
	p.Helper()
	var last error
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		is := false
		if last = p.eval("!!("+expression+")", &is); last == nil && is {
			return
		}
	}
	p.Fatalf("waited in vain until %s (%v); the page says:\n%s", what, last, p.Text("body"))
}

// Text is what a person reads in the first element of a selector.
func (p *Page) Text(selector string) string {
	p.Helper()
	var text string
	p.Eval(fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText", selector), &text)
	return text
}

// Says waits until an element says all that is given.
func (p *Page) Says(selector string, texts ...string) {
	p.Helper()
	for _, text := range texts {
		p.Wait(fmt.Sprintf("%s says %q", selector, text), fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText.includes(%q)", selector, text))
	}
}

// Click clicks on the first element of a selector, as a person does: where it is.
func (p *Page) Click(selector string) {
	p.Helper()
	p.Wait(selector+" is there", fmt.Sprintf("document.querySelector(%q)", selector))
	var at struct{ X, Y float64 }
	// A page that is still being laid out would move the element away from where the click is.
	p.Eval(fmt.Sprintf(`(async () => {
		for (let last; ;) {
			const e = document.querySelector(%q);
			e.scrollIntoView({block: "center"});
			await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
			const r = e.getBoundingClientRect(), at = {X: r.x + r.width / 2, Y: r.y + r.height / 2};
			if (last && Math.abs(last.X - at.X) + Math.abs(last.Y - at.Y) < 1) return at;
			last = at;
		}
	})()`, selector), &at)
	p.ask("Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": at.X, "y": at.Y}, nil)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.ask("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// Press presses a key, such as "Tab" or "Enter".
func (p *Page) Press(key string) {
	p.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27}
	text := map[string]string{"Enter": "\r"}
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
		if kind == "keyDown" && text[key] != "" {
			params["text"] = text[key]
		}
		p.ask("Input.dispatchKeyEvent", params, nil)
	}
}

// Screenshot writes a picture of the whole page to a file.
func (p *Page) Screenshot(file string) {
	p.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	p.ask("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, raw, 0o644)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// Faults are those of the page's accessibility that axe finds, whose program is in a file: what is wrong, with what.
func (p *Page) Faults(axe string) []string {
	p.Helper()
	program, err := os.ReadFile(axe)
	if err != nil {
		p.Fatalf("axe is needed: run `scripts/install-axe` (%v)", err)
	}

	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string `json:"html"`
			FailureSummary string `json:"failureSummary"`
		}
	}
	p.Eval(string(program)+"\n;0", nil)
	p.Eval("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)", &found)

	var faults []string
	for _, f := range found {
		for _, n := range f.Nodes {
			faults = append(faults, fmt.Sprintf("%s (%s): %s: %s", f.ID, f.Help, clip(n.HTML), strings.Join(strings.Fields(n.FailureSummary), " ")))
		}
	}
	return faults
}
