// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/markup"
	"github.com/podgate/podgate/internal/timeline/draw"
)

//go:embed static
var static embed.FS

// The pace of what a page shows.
const (
	// atMost is the least time between two versions of a page.
	atMost = 500 * time.Millisecond
	// growing is how often a page is drawn again while nothing changes: ages and bars grow.
	growing = time.Second
	// anew is how often what no watch follows is read again.
	anew = 5 * time.Second
	// patience is how long an answer is waited for.
	patience = 30 * time.Second
)

// Server serves the pages of what a Cluster follows.
type Server struct {
	cluster *Cluster
	answers Answers
	// scope is the namespace that is followed; empty when all are.
	scope string
	now   func() time.Time
	key   string
	// ending is closed when the server ends, so that pages that are kept up to date end.
	ending chan struct{}

	overview latest[*Overview]

	mu       sync.Mutex
	followed map[string]*followed
}

// NewServer makes a Server for a namespace, or for all where that is empty.
func NewServer(cluster *Cluster, answers Answers, namespace string, now func() time.Time) *Server {
	return &Server{cluster: cluster, answers: answers, scope: namespace, now: now, key: rand.Text(), ending: make(chan struct{}), followed: map[string]*followed{}}
}

// Serve serves until the context ends. Ready is told the address to open. It listens on this machine only.
func (s *Server) Serve(ctx context.Context, port uint16, ready func(address string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return fmt.Errorf("%w (--port names another port, and 0 any that is free)", err)
	}

	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: patience, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	ready(fmt.Sprintf("http://%s/?key=%s", listener.Addr(), s.key))

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}

	close(s.ending)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.show)
	mux.HandleFunc("GET /workload/{namespace}/{kind}/{name}", s.show)
	mux.HandleFunc("GET /explain/{namespace}/{pod}", s.show)
	mux.HandleFunc("GET /live", s.live)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /static/draw.css", text("text/css", draw.Style))
	mux.HandleFunc("GET /static/draw.js", text("text/javascript", draw.Script))
	return s.guard(mux)
}

// text serves a text that does not change.
func text(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write([]byte(text))
	}
}

// guard lets in only who knows the key, by an address of this machine: any page of the web can make a browser ask, and any
// user of this machine can connect.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")

		switch {
		case !local(r.Host):
			http.Error(w, "podgate ui answers at localhost only", http.StatusForbidden)
			return
		case r.Header.Get("Origin") != "" && r.Header.Get("Origin") != "http://"+r.Host:
			http.Error(w, "podgate ui answers its own pages only", http.StatusForbidden)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "podgate ui changes nothing", http.StatusMethodNotAllowed)
			return
		}

		if given := r.URL.Query().Get("key"); s.knows(given) {
			http.SetCookie(w, &http.Cookie{Name: cookie(r.Host), Value: s.key, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			query := r.URL.Query()
			query.Del("key")
			to := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: query.Encode()}
			http.Redirect(w, r, to.String(), http.StatusSeeOther)
			return
		}

		if c, err := r.Cookie(cookie(r.Host)); err != nil || !s.knows(c.Value) {
			http.Error(w, "Open the address that podgate ui printed: it has a key that this request lacks.", http.StatusForbidden)
			return
		}

		next.ServeHTTP(w, r)
	})
}

func (s *Server) knows(key string) bool {
	return subtle.ConstantTimeCompare([]byte(key), []byte(s.key)) == 1
}

// cookie is the name of the cookie with the key. Cookies do not tell ports apart, so that their names have to.
func cookie(host string) string {
	_, port, _ := net.SplitHostPort(host)
	return "podgate-ui-" + port
}

// local reports whether a request was for this machine by a name that nobody else can have point at it.
func local(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// content is what a page shows now: its title, and what is kept up to date.
func (s *Server) content(r *http.Request) (string, markup.Markup) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()

	v := s.view()
	title, content, err := s.contentOf(ctx, v, r)
	if err != nil {
		return "podgate", s.view().failed(err)
	}
	return title, content
}

func (s *Server) view() *view {
	v := &view{scope: s.scope, now: s.now()}
	var err error
	if v.away, err = s.cluster.Away(); err != nil {
		// What was asked does not matter to a person, and is long.
		if asked := (*url.Error)(nil); errors.As(err, &asked) {
			err = asked.Err
		}
		v.because = err.Error()
	}
	return v
}

func (s *Server) contentOf(ctx context.Context, v *view, r *http.Request) (string, markup.Markup, error) {
	if pod := r.PathValue("pod"); pod != "" {
		key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: pod}
		text, err := s.answers.Explain(ctx, s.cluster, key)
		if err != nil {
			text = err.Error()
		}
		return pod + " – podgate", v.explanation(key.Namespace, key.Name, text), nil
	}

	if r.PathValue("kind") != "" {
		return s.workload(ctx, v, r)
	}

	o, err := s.overviewNow(ctx)
	if err != nil {
		return "", "", err
	}

	title := "podgate"
	if n := len(o.Problems); n > 0 {
		title = fmt.Sprintf("(%d) podgate", n)
	}
	return title, v.overview(o), nil
}

// overviewNow is the overview, found out again when something has changed, but not more often than a page may change, nor for
// more than a part of the time.
func (s *Server) overviewNow(ctx context.Context) (*Overview, error) {
	_, version := s.cluster.changes.next()
	return s.overview.get(s.now, version, func() (*Overview, error) {
		o, err := s.answers.Overview(ctx, s.cluster, s.scope)
		if err != nil {
			return nil, err
		}
		for _, u := range s.cluster.Unwatched() {
			o.Unknown = append(o.Unknown, u.Error()+": what it says here may be half a minute old")
		}
		return o, nil
	})
}

// latest is what was found out last.
type latest[T any] struct {
	mu      sync.Mutex
	value   T
	known   bool
	version int64
	at      time.Time
	// took is how long it took to find out.
	took time.Duration
}

// get gives what is known, after finding it out where that is of an earlier version. What was known before stands in for
// what cannot be found out.
func (l *latest[T]) get(now func() time.Time, version int64, find func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	age := now().Sub(l.at)
	changed := l.version != version && age >= max(atMost, 3*l.took)
	if l.known && !changed && age < max(anew, 20*l.took) {
		return l.value, nil
	}

	began := now()
	value, err := find()
	l.at = now()
	l.took = l.at.Sub(began)
	if err != nil {
		if l.known {
			return l.value, nil
		}
		return value, err
	}
	l.value, l.known, l.version = value, true, version
	return value, nil
}

// show serves a page, or only its content for the script.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	title, content := s.content(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.Query().Has("content") {
		_, _ = w.Write([]byte(content))
		return
	}
	_, _ = w.Write([]byte(page(title, content)))
}

// update is what a page is sent when its content changed.
type update struct {
	Title   string `json:"title"`
	Content string `json:"content"`
}

// live keeps a page up to date: it sends the content of the page of a path whenever that changed.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	about, err := s.about(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	var last markup.Markup
	for {
		changed, _ := s.cluster.changes.next()
		title, content := s.content(about)
		if content != last {
			last = content
			said, err := json.Marshal(update{title, string(content)})
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "retry: 1000\ndata: %s\n\n", said); err != nil {
				return
			}
		}
		if control.Flush() != nil || !s.wait(r.Context(), changed) {
			return
		}
	}
}

// about makes the request whose page is to be kept up to date.
func (s *Server) about(r *http.Request) (*http.Request, error) {
	path, err := url.Parse(r.URL.Query().Get("path"))
	if err != nil {
		return nil, err
	}
	about, err := http.NewRequestWithContext(r.Context(), http.MethodGet, path.RequestURI(), nil)
	if err != nil {
		return nil, err
	}

	// The same patterns as the pages', so that a path means the same.
	found := false
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /{$}", "GET /workload/{namespace}/{kind}/{name}", "GET /explain/{namespace}/{pod}"} {
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, matched *http.Request) { about, found = matched, true })
	}
	mux.ServeHTTP(discard{}, about)
	if !found {
		return nil, fmt.Errorf("there is no page %q", path)
	}
	return about, nil
}

// discard is where an answer goes that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// wait waits for the next version of a page; it reports whether there will be one.
func (s *Server) wait(ctx context.Context, changed <-chan struct{}) bool {
	rest, grown := time.NewTimer(atMost), time.NewTimer(growing)
	defer rest.Stop()
	defer grown.Stop()

	select {
	case <-ctx.Done():
		return false
	case <-s.ending:
		return false
	case <-rest.C:
	}

	select {
	case <-ctx.Done():
		return false
	case <-s.ending:
		return false
	case <-changed:
	case <-grown.C:
	}
	return true
}
