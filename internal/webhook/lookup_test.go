// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// BenchmarkHandler asks about pods of a namespace with 1,000 Services and bindings. In the
// worst case all Services share the pair that they are found by.
func BenchmarkHandler(b *testing.B) {
	for name, selector := range map[string]func(i int) map[string]string{
		"distinct": func(i int) map[string]string {
			return map[string]string{"app": fmt.Sprintf("app-%04d", i), "team": "shop"}
		},
		"worst": func(i int) map[string]string {
			return map[string]string{"app": fmt.Sprintf("%04d", i), "part-of": "the-whole-shop"}
		},
	} {
		b.Run(name, func(b *testing.B) {
			w := &world{}
			for i := range 1000 {
				s := fmt.Sprintf("svc-%04d", i)
				w.services = append(w.services, service("shop", s, selector(i)))
				w.bindings = append(w.bindings, typed(bindingTo("shop", s+"-tg", s), elbv2.TargetTypeIP))
			}

			h := newHandler(b, w, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
			body := creation("shop", podLike(selector(500)))
			b.ReportAllocs()

			for b.Loop() {
				if got := ask(h, body); got.Code != http.StatusOK {
					b.Fatalf("status %d: %s", got.Code, got.Body)
				}
			}
		})
	}
}

// podLike is a pod of a common size: ten labels and 8 KiB of containers.
func podLike(labels map[string]string) string {
	var env, extra string
	for i := range 128 {
		env += fmt.Sprintf(`{"name":"SETTING_%03d","value":"something of a common length here"},`, i)
	}
	for i := range 8 {
		extra += fmt.Sprintf(`"label-%d":"value-%d",`, i, i)
	}
	for k, v := range labels {
		extra += fmt.Sprintf(`%q:%q,`, k, v)
	}
	return fmt.Sprintf(`{"metadata":{"labels":{%s"pod-template-hash":"abc"}},"spec":{"containers":[{"name":"c","env":[%s{"name":"A","value":"b"}]}]}}`, extra, env)
}
