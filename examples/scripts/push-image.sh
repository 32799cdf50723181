#!/bin/sh
# Pushes an image to a registry that only the tunnel reaches. skopeo needs no daemon, whose network would be another.
#   REGISTRY_AUTH_FILE=auth.json sh push-image.sh image.tar registry.internal:5000/app:1.4.2
# A CA of your own: SSL_CERT_FILE=ca.pem.
set -eu
archive=$1 image=$2
registry=${image%%/*}
tunless run --wait "$registry" skopeo copy --retry-times 3 "oci-archive:$archive" "docker://$image"
