#!/usr/bin/env bash
# gen-webhook-secret.sh [NAMESPACE [SECRET [FOLDER]]]
# Prints a Secret with a certificate for podgate's webhook, its key, and the authority that
# signed it. podgate serves it instead of its own, with certificates.mode=provided as well as without:
#   scripts/gen-webhook-secret.sh podgate-system | kubectl apply -f -
# It lasts a year; run it again before that. FOLDER keeps the authority, ca.crt and ca.key:
# with it the next certificate is of the same authority. Without it API servers do not trust
# the next one for some seconds, and pods that are created then get no gate.
# podgate needs no such Secret by default.
set -euo pipefail
namespace=${1:-podgate-system}
secret=${2:-webhook-cert}
name=podgate-webhook.$namespace.svc
folder=${3:+$(realpath -- "$3")}
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
if [ -n "$folder" ] && [ -e "$folder/ca.key" ]; then
  cp "$folder/ca.crt" "$folder/ca.key" .
else
  openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 3650 -subj "/CN=podgate-webhook-ca" \
    -addext "keyUsage=critical,keyCertSign,digitalSignature" 2>/dev/null
  [ -z "$folder" ] || cp ca.crt ca.key "$folder"
fi
openssl req -new "${key[@]}" -keyout tls.key -out tls.csr -subj "/CN=podgate-webhook" 2>/dev/null
printf 'subjectAltName=DNS:%s,DNS:%s.cluster.local\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n' "$name" "$name" > extensions
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 365 -extfile extensions 2>/dev/null
cat <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: $secret
  namespace: $namespace
type: kubernetes.io/tls
data:
  ca.crt: $(base64 -w0 < ca.crt)
  tls.crt: $(base64 -w0 < tls.crt)
  tls.key: $(base64 -w0 < tls.key)
YAML
