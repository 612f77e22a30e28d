// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// control serves the control API: the Go surface, as JSON.
func (s *Sim) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /_awssim/config", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Settings()) })
	mux.HandleFunc("GET /_awssim/listeners", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Listeners()) })
	mux.HandleFunc("GET /_awssim/hosts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, h := range s.Hosts() {
			_, _ = fmt.Fprintf(w, "%s %s\n", h.Address, h.Name) // a client that went away is nobody's loss
		}
	})
	mux.HandleFunc("GET /_awssim/networks", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.ServiceNetworks()) })
	mux.HandleFunc("GET /_awssim/ca", func(w http.ResponseWriter, _ *http.Request) {
		ca, err := s.CA()
		if err != nil {
			problem(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(ca) // a client that went away is nobody's loss
	})
	mux.HandleFunc("GET /_awssim/calls", since(func(seq int64) any { return s.Calls(seq) }))
	mux.HandleFunc("GET /_awssim/transitions", since(func(seq int64) any { return s.Transitions(seq) }))
	mux.HandleFunc("GET /_awssim/failures", since(func(seq int64) any { return s.Failures(seq) }))
	mux.HandleFunc("GET /_awssim/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Faults()) })
	mux.HandleFunc("POST /_awssim/faults", accept(func(f Fault) (any, error) {
		id, err := s.AddFault(f)
		return map[string]string{"id": id}, err
	}))

	mux.HandleFunc("DELETE /_awssim/faults", func(w http.ResponseWriter, _ *http.Request) { done(w, s.RemoveFaults("")) })
	mux.HandleFunc("DELETE /_awssim/faults/{id}", func(w http.ResponseWriter, r *http.Request) { done(w, s.RemoveFaults(r.PathValue("id"))) })
	mux.HandleFunc("POST /_awssim/health", accept(func(in healthRequest) (any, error) {
		return struct{}{}, s.SetHealth(in.TargetGroupARN, in.Target, in.Script)
	}))

	mux.HandleFunc("DELETE /_awssim/health", accept(func(in healthRequest) (any, error) {
		return struct{}{}, s.ClearHealth(in.TargetGroupARN, in.Target)
	}))

	mux.HandleFunc("DELETE /_awssim/targets", accept(func(in healthRequest) (any, error) {
		if in.Target == nil {
			in.Target = &Target{}
		}
		return struct{}{}, s.LoseTarget(in.TargetGroupARN, *in.Target)
	}))

	mux.HandleFunc("POST /_awssim/instances", accept(func(in map[string]string) (any, error) {
		s.SetInstances(in)
		return struct{}{}, nil
	}))

	mux.HandleFunc("POST /_awssim/ec2/instances", accept(func(in []Instance) (any, error) {
		return struct{}{}, s.PlaceInstances(in...)
	}))

	mux.HandleFunc("POST /_awssim/ec2/vpcs", accept(func(in VPC) (any, error) {
		return struct{}{}, s.SetVPC(in)
	}))

	mux.HandleFunc("POST /_awssim/acm/expired", accept(func(in struct {
		CertificateARN string `json:"certificateArn"`
	}) (any, error) {
		return struct{}{}, s.ExpireCertificate(in.CertificateARN)
	}))

	mux.HandleFunc("/_awssim/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such control call: "+r.Method+" "+r.URL.Path+"; see docs/awssim.md")
	})
}

// healthRequest names a target, or a whole group, and what is to become of it.
type healthRequest struct {
	TargetGroupARN string  `json:"targetGroupArn"`
	Target         *Target `json:"target,omitempty"`
	Script
}

// since serves a list from a sequence number on.
func since(list func(int64) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seq := int64(0)
		if text := r.URL.Query().Get("since"); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				problem(w, http.StatusBadRequest, "since wants a sequence number, not "+strconv.Quote(text))
				return
			}
			seq = n
		}
		reply(w, list(seq))
	}
}

// accept serves a call with a JSON body.
func accept[T any](f func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()

		if err := decoder.Decode(&in); err != nil {
			problem(w, http.StatusBadRequest, "read body: "+err.Error())
			return
		}

		out, err := f(in)
		if err != nil {
			problem(w, http.StatusBadRequest, err.Error())
			return
		}

		reply(w, out)
	}
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	reply(w, struct{}{})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away is nobody's loss
}

func problem(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}
