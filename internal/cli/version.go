// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/index"
)

func newVersion(e *environment) *cobra.Command {
	alone := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "The version of this program, of the podgate in the cluster, and of Kubernetes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := Version{Client: clientVersion()}
			if !alone {
				e.servers(cmd.Context(), &v)
			}
			return e.write(v, v.write)
		},
	}

	cmd.Flags().BoolVar(&alone, "client", false, "of this program only")
	return cmd
}

// Version is what runs where.
type Version struct {
	Client Client `json:"client"`
	// Server are the images of the podgate in the cluster, sorted.
	Server []string `json:"server,omitempty"`
	// Kubernetes is the API server's version.
	Kubernetes string `json:"kubernetes,omitempty"`
	// Unknown says why the server's could not be read.
	Unknown string `json:"unknown,omitempty"`
}

// Client is this program.
type Client struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// clientVersion is what the toolchain noted.
func clientVersion() Client {
	c := Client{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return c
	}
	c.Version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			c.Revision = s.Value
		}
	}
	return c
}

// servers asks the cluster. That it cannot be reached is no error: the client's version was told.
func (e *environment) servers(ctx context.Context, v *Version) {
	if err := e.askServers(ctx, v); err != nil {
		v.Unknown = err.Error()
	}
}

func (e *environment) askServers(ctx context.Context, v *Version) error {
	config, err := e.restConfig()
	if err != nil {
		return err
	}

	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}

	kubernetes, err := asked.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask the API server: %w", err)
	}

	v.Kubernetes = kubernetes.GitVersion
	reader, err := e.snapshot(ctx)
	if err != nil {
		return err
	}

	v.Server, err = images(ctx, reader, e.home)
	return err
}

// images are those of the pods behind the webhook's Service.
func images(ctx context.Context, r *snapshot, home string) ([]string, error) {
	var g gaps
	in := &Installation{Namespace: home, configured: true}
	if err := in.configure(ctx, r, &g); err != nil {
		return nil, err
	}

	var svc corev1.Service
	if err := r.Get(ctx, types.NamespacedName{Namespace: in.Namespace, Name: certificate.ServiceName}, &svc); err != nil {
		return nil, fmt.Errorf("find podgate in namespace %s: %w", in.Namespace, err)
	}

	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(in.Namespace)); err != nil {
		return nil, fmt.Errorf("find podgate's pods: %w", err)
	}

	var all []string
	for i := range pods.Items {
		if index.Selects(&svc, pods.Items[i].Labels) {
			all = append(all, pods.Items[i].Spec.Containers[0].Image)
		}
	}

	slices.Sort(all)
	return slices.Compact(all), nil
}

// write is for people.
func (v Version) write(p *paper) {
	p.printf("client:     %s\n", joined(v.Client.Version, v.Client.Revision, v.Client.Go, v.Client.Platform))
	if len(v.Server) > 0 {
		p.printf("server:     %s\n", joined(v.Server...))
	}
	if v.Kubernetes != "" {
		p.printf("kubernetes: %s\n", v.Kubernetes)
	}
	if v.Unknown != "" {
		p.printf("%s the server's version is not known: %s\n", p.paint(yellow, "note:"), v.Unknown)
	}
}
