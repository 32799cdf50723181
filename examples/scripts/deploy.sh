#!/bin/sh
# Uploads a folder as a new release, switches to it, and back if it is not healthy. In the tunnel:
#   tunless run --wait web1:22 sh deploy.sh dist deploy@web1 /srv/www http://web1:8000/health
# There rsync and ssh need no options, and curl finds a proxy in the environment. SSH_CONFIG names an ssh_config of
# the job's own, in a path without spaces.
set -eu
from=$1 host=$2 to=$3 health=$4
release=$(date -u +%Y%m%dT%H%M%SZ)

remote() {
  # shellcheck disable=SC2029 # the paths are this script's
  ssh ${SSH_CONFIG:+-F "$SSH_CONFIG"} "$host" "$1"
}
switch_to() { # in one step: nobody sees a folder without a release
  remote "cd '$to' && ln -sfn 'releases/$1' next && mv -T next current"
}
before=$(remote "mkdir -p '$to/releases' && { readlink '$to/current' || true; }")
rsync -a -e "ssh${SSH_CONFIG:+ -F $SSH_CONFIG}" ${before:+--link-dest="../../$before"} "$from/" "$host:$to/releases/$release/"
switch_to "$release"
if ! curl --fail --silent --show-error --max-time 10 --output /dev/null "$health"; then
  echo "deploy: $health does not answer as it should" >&2
  [ -z "$before" ] || switch_to "${before#releases/}"
  exit 1
fi
echo "deploy: $to/releases/$release is current"
