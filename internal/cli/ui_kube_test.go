// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/podgate/podgate/internal/kubetest"
)

// spoken is what a command says while it runs.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a `podgate ui` that runs.
type running struct {
	*testing.T
	out, err spoken
	stop     context.CancelFunc
	ended    chan int
}

// serve runs ui as a person does, with a kubeconfig.
func (c *cluster) serve(kubeconfig string, flags ...string) *running {
	ctx, stop := context.WithCancel(context.Background())
	s := &running{T: c.T, stop: stop, ended: make(chan int, 1)}
	go func() {
		s.ended <- Run(ctx, PluginName, append([]string{"ui", "--kubeconfig", kubeconfig}, flags...), Streams{In: strings.NewReader(""), Out: &s.out, Err: &s.err, Now: time.Now})
	}()
	c.Cleanup(stop)
	return s
}

// says waits until one of its streams says something.
func (s *running) says(stream *spoken, text string) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(stream.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("it does not say %q, but\n%s%s", text, s.out.String(), s.err.String())
		}
	}
}

// ends waits for its end.
func (s *running) ends() int {
	s.Helper()
	select {
	case code := <-s.ended:
		return code
	case <-time.After(time.Minute):
		s.Fatal("it does not end")
		return 0
	}
}

// address is the one that it prints.
func (s *running) address() string {
	s.Helper()
	s.says(&s.out, "until you press Ctrl-C")
	_, rest, _ := strings.Cut(s.out.String(), "The page is at ")
	address, _, _ := strings.Cut(rest, "\n")
	return address
}

// contexts writes a kubeconfig with the contexts "here", of the cluster's namespace, and "there", of another.
func (c *cluster) contexts(there string) string {
	c.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: shared.Host, CertificateAuthorityData: shared.CAData, CertificateAuthority: shared.CAFile}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificateData: shared.CertData, ClientCertificate: shared.CertFile, ClientKeyData: shared.KeyData, ClientKey: shared.KeyFile}
	config.Contexts["here"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: c.ns}
	config.Contexts["there"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: there}
	config.CurrentContext = "here"
	file := filepath.Join(c.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		c.Fatal(err)
	}
	return file
}

// TestUIScope: it shows the namespace of the context, or the one that is named.
func TestUIScope(t *testing.T) {
	c := newCluster(t, nil)
	there := kubetest.Namespace(t, c.kube, nil)
	file := c.contexts(there)
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{nil, "namespace " + c.ns},
		{[]string{"--context", "there"}, "namespace " + there},
		{[]string{"--context", "there", "--namespace", "shop"}, "namespace shop"},
		{[]string{"-n", "shop", "-A"}, "all namespaces"},
	} {
		s := c.serve(file, tc.flags...)
		page := get(t, s.address())
		if want := "It shows " + tc.want + ", with your permissions"; !strings.Contains(s.out.String(), want) {
			t.Errorf("%q: it does not say %q, but %s", tc.flags, want, s.out.String())
		}
		if !strings.Contains(page, `<span class="scope">`+tc.want+"</span>") {
			t.Errorf("%q: the page does not say that it shows %s:\n%s", tc.flags, tc.want, page)
		}
		s.stop()
		if code := s.ends(); code != ExitDone {
			t.Errorf("%q: it ends with %d: %s", tc.flags, code, s.err.String())
		}
	}

	s := c.serve(file, "--context", "nowhere")
	if code := s.ends(); code != ExitError || !strings.Contains(s.err.String(), `context "nowhere" does not exist`) {
		t.Errorf("without the context it ends with %d: %s", code, s.err.String())
	}
}

// get reads a page as a browser does, which keeps cookies.
func get(t *testing.T, address string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Jar: jar}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", address, answer.Status, err, body)
	}
	return string(body)
}

// TestUIPort: it listens at the port that is named, and says how to name another where that is taken.
func TestUIPort(t *testing.T) {
	c := newCluster(t, nil)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port

	s := c.serve(c.contexts("there"), "--port", fmt.Sprint(port))
	code := s.ends()
	if want := fmt.Sprintf("podgate: listen tcp 127.0.0.1:%d: bind: address already in use (--port names another port, and 0 any that is free)\n", port); code != ExitError || s.err.String() != want || s.out.String() != "" {
		t.Errorf("it ends with %d and says %q and %q, want %q", code, s.out.String(), s.err.String(), want)
	}

	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	s = c.serve(c.contexts("there"), "--port", fmt.Sprint(port))
	if address, want := s.address(), fmt.Sprintf("http://127.0.0.1:%d/?key=", port); !strings.HasPrefix(address, want) {
		t.Errorf("it is at %s, want %s", address, want)
	}
}

// TestUIOpens: asked to, it has the desktop open its address, and serves whatever becomes of that; it opens nothing by itself.
func TestUIOpens(t *testing.T) {
	c := newCluster(t, nil)
	file := c.contexts("there")
	opener, err := filepath.Abs("testdata/opener")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", opener+":"+os.Getenv("PATH"))
	opened := filepath.Join(t.TempDir(), "opened")
	t.Setenv("OPENED", opened)
	open := func(s *running) string {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			raw, err := os.ReadFile(opened)
			if err == nil {
				_ = os.Remove(opened)
				return strings.TrimSpace(string(raw))
			}
			if time.Now().After(end) {
				t.Fatalf("nothing was opened: %v, %s", err, s.err.String())
			}
		}
	}
	done := func(s *running, want string) {
		t.Helper()
		get(t, s.address())
		s.stop()
		if code := s.ends(); code != ExitDone || s.err.String() != want {
			t.Errorf("it ends with %d and says %q, want %q", code, s.err.String(), want)
		}
	}

	// A browser that was not open yet lasts, and its opener with it.
	t.Setenv("OPENER_STATUS", "")
	s := c.serve(file, "--open")
	if got := open(s); got != s.address() {
		t.Errorf("%s is opened, and the page is at %s", got, s.address())
	}
	done(s, "")

	t.Setenv("OPENER_STATUS", "3")
	s = c.serve(file, "--open")
	open(s)
	const failed = "podgate: xdg-open opened no browser (exit status 3): open the address yourself\n"
	s.says(&s.err, failed)
	done(s, failed)

	t.Setenv("PATH", "")
	s = c.serve(file, "--open")
	s.says(&s.err, "executable file not found in $PATH): open the address yourself")

	t.Setenv("PATH", opener)
	done(c.serve(file), "")
	if _, err := os.Stat(opened); err == nil {
		t.Error("it opens a browser that nobody asked for")
	}
}

// TestUICompletion: a shell is given contexts and namespaces, and no files where none can be meant.
func TestUICompletion(t *testing.T) {
	c := newCluster(t, nil)
	file := c.contexts("there")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"ui", ""}, ":4\n"},
		{[]string{"ui", "--port", ""}, ":4\n"},
		{[]string{"ui", "--kubeconfig", file, "--context", "the"}, "there\n:4\n"},
		{[]string{"ui", "--kubeconfig", file, "--context", ""}, "here\nthere\n:4\n"},
		{[]string{"ui", "--kubeconfig", file, "--namespace", c.ns}, c.ns + "\n:4\n"},
		{[]string{"status", "--kubeconfig", file, "-n", c.ns}, c.ns + "\n:4\n"},
	} {
		if a := c.run(append([]string{"__complete"}, tc.args...)...); a.code != ExitDone || a.out != tc.want {
			t.Errorf("%q gives %q, want %q", tc.args, a.out, tc.want)
		}
	}
	a := c.run("__complete", "ui", "--")
	for _, flag := range []string{"--all-namespaces", "--context", "--open", "--port"} {
		if !strings.Contains(a.out, flag) {
			t.Errorf("%s is not offered:\n%s", flag, a.out)
		}
	}
}
