// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Web answers with its host name, fetches a URL for a test, and is an admission webhook that labels pods.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "get" {
		get(os.Args[2])
		return
	}

	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		host, _ := os.Hostname()
		fmt.Fprintln(w, "served by", host)
	})

	http.HandleFunc("/admit", admit)
	if _, err := os.Stat("/tls/tls.crt"); err == nil {
		go func() { log.Fatal(http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", nil)) }()
	}

	log.Fatal(http.ListenAndServe(":8080", nil))
}

func get(url string) {
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}

	answer, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}

	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(answer.StatusCode, string(body))
}

func admit(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct{ UID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	patch := []byte(`[{"op":"add","path":"/metadata/labels","value":{"admitted":"yes"}}]`)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "admission.k8s.io/v1",
		"kind":       "AdmissionReview",
		"response":   map[string]any{"uid": review.Request.UID, "allowed": true, "patchType": "JSONPatch", "patch": patch},
	})
}
