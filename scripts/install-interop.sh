#!/usr/bin/env bash
# Installs what the interop tests need on Debian or Ubuntu: a WireGuard peer that we did not write, the tools of a deploy
# job, and the servers that they talk to. Needs root. Does nothing where all is there.
set -eu
packages=(wireguard-go wireguard-tools iproute2 util-linux procps openssh-client openssh-server openssh-sftp-server
  rsync git curl netcat-openbsd iperf3 tshark busybox-static
  wget python3-pip python3-requests python3-httpx python3-socks ansible-core bind9-dnsutils dnsmasq-base
  postgresql postgresql-client redis-server redis-tools mariadb-server mariadb-client docker-registry skopeo
  openssl rabbitmq-server exim4-daemon-light zsh fish strace
  python3-venv systemd nix-bin libxml2-utils)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  # A server package starts its service on installation, unless this says no; the tests start their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
  fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# An npm registry: the last one that runs on Node 20. It names one of its packages by a tag that moves.
npm_registry=/var/lib/tunless-interop/verdaccio
version=6.8.0
if ! grep -qs "\"version\": \"$version\"" $npm_registry/node_modules/verdaccio/package.json; then
  mkdir -p $npm_registry
  printf '{ "private": true, "dependencies": { "verdaccio": "%s" }, "overrides": { "node-fetch": "^2.6.7" } }\n' $version \
    > $npm_registry/package.json
  npm install --prefix $npm_registry --omit=dev --no-audit --no-fund --loglevel=error >/dev/null
fi

bash "$(dirname "$0")/install-recipes.sh"
