// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Variables of the init container, from which Install makes the Config, and of containers that have the image as a volume.
const (
	EnvNamespace = "PODGATE_NAMESPACE"
	EnvPod       = "PODGATE_POD"
	EnvUID       = "PODGATE_UID"
	EnvHostIPs   = "PODGATE_HOST_IPS"
	EnvAddress   = "PODGATE_ADDRESS"
	EnvName      = "PODGATE_SERVER_NAME"
	EnvCA        = "PODGATE_CA"
)

// File names in the directory that pods share with the init container.
const (
	programFile = "drain"
	configFile  = "config.json"
)

// Config is what the hook must know and its arguments cannot say: at the time of
// admission a pod has no name and no UID yet.
type Config struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
	// HostIPs are the node's addresses, from which the kubelet probes.
	HostIPs []string `json:"hostIPs"`
	// Address is podgate's host:port, ServerName what its certificate is made out to, and
	// CA the authority, as PEM.
	Address    string `json:"address"`
	ServerName string `json:"serverName"`
	CA         string `json:"ca"`
}

// FromEnv reads a Config from a container's environment.
func FromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Namespace: getenv(EnvNamespace), Pod: getenv(EnvPod), UID: getenv(EnvUID),
		Address: getenv(EnvAddress), ServerName: getenv(EnvName), CA: getenv(EnvCA),
	}
	if ips := getenv(EnvHostIPs); ips != "" {
		c.HostIPs = strings.Split(ips, ",")
	}

	for name, value := range map[string]string{EnvNamespace: c.Namespace, EnvPod: c.Pod, EnvUID: c.UID, EnvAddress: c.Address, EnvName: c.ServerName, EnvCA: c.CA} {
		if value == "" {
			return Config{}, errors.New(name + " is not set")
		}
	}

	return c, nil
}

// ReadConfig reads what Install wrote into a directory. Into an image it writes nothing, and the environment says it.
func ReadConfig(dir string) (Config, error) {
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, os.ErrNotExist) {
		return FromEnv(os.Getenv)
	}
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return c, nil
}

// node are the node's addresses.
func (c Config) node() map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, ip := range c.HostIPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			all[addr.Unmap()] = true
		}
	}
	return all
}
