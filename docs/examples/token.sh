#!/usr/bin/env bash
# token.sh IDENTITY_FOLDER [WEB_ADDRESS] [SCOPE…]: prints an access token. Needs openssl and curl, nothing of the hub's.
#
# The client assertion (RFC 7523) is signed with the key of the client certificate, which travels in the header as x5c.
# It is addressed to the token issuer; where that is not https://WEB_ADDRESS, set TOKEN_ISSUER.
set -euo pipefail
folder=$1 web=${2:-localhost:8080}
shift; [ $# -gt 0 ] && shift
issuer=${TOKEN_ISSUER:-https://$web}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# Each certificate of cert.pem (leaf first, then its CA) as base64 of its DER form.
x5c=$(awk '/BEGIN CERT/ {der = ""; next} /END CERT/ {printf "%s\"%s\"", sep, der; sep = ","; next} {der = der $0}' "$folder/cert.pem")
# The participant is the one URI in the leaf's subject alternative name; it is also the client id.
client=$(openssl x509 -in "$folder/cert.pem" -noout -ext subjectAltName | sed -n 's/.*URI:\(spiffe:[^, ]*\).*/\1/p')
now=$(date +%s)
header=$(printf '{"alg":"ES256","typ":"JWT","x5c":[%s]}' "$x5c" | base64url)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' \
  "$client" "$client" "$issuer" "$now" $((now + 60)) "$(openssl rand -hex 16)" | base64url)
# openssl writes an ECDSA signature as DER; a JWT wants r and s, 32 bytes each, one after the other.
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$folder/key.pem" |
  openssl asn1parse -inform DER | awk -F: '/INTEGER/ {n = $NF; while (length(n) < 64) n = "0" n; printf "%s", substr(n, length(n) - 63)}' |
  awk '{for (i = 1; i <= length($0); i += 2) printf "\\x%s", substr($0, i, 2)}' | { IFS= read -r hex || true; printf '%b' "$hex"; } | base64url)

answer=$(curl --silent --show-error --cacert "$folder/ca.pem" "https://$web/oauth/token" \
  --data-urlencode grant_type=client_credentials \
  --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  --data-urlencode "client_assertion=$header.$claims.$signature" \
  ${1:+--data-urlencode "scope=$*"})
token=$(printf '%s' "$answer" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
[ -n "$token" ] || { printf '%s\n' "$answer" >&2; exit 1; }
printf '%s\n' "$token"
