#!/usr/bin/env bash
# patch-deploy-yaml.sh [VALUES...]
# Prints all that installs podgate with a certificate of its own making in it, for those who
# apply plain files; further arguments are helm template's:
#   scripts/patch-deploy-yaml.sh --set region=eu-west-1 > deploy.yaml
#   kubectl create namespace podgate-system; kubectl apply --server-side -f deploy.yaml
set -euo pipefail
cd "$(dirname "$0")/.."
helm=bin/helm
[ -x "$helm" ] || helm=helm
scripts/gen-webhook-secret.sh podgate-system
"$helm" template podgate charts/podgate --namespace podgate-system --kube-version 1.37.0 --no-hooks \
  --set certificates.mode=provided "$@"
