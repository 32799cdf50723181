#!/usr/bin/env bash
# Installs what the interop tests need on Debian or Ubuntu: a WireGuard peer that we did not write, and the tools of a
# deploy job. Needs root. Does nothing where all is there.
set -eu
packages=(wireguard-go wireguard-tools iproute2 util-linux procps openssh-client openssh-server openssh-sftp-server
  rsync git curl netcat-openbsd iperf3 tshark busybox-static libxml2-utils)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

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
