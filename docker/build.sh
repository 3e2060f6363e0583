#!/usr/bin/env bash
# Builds the image from this checkout.
#   docker/build.sh [--base IMAGE] [--tag NAME]       default: --base node:24-slim --tag belvedere
# CONTAINER_CLI: docker or podman (default: docker when it answers, else podman).
set -euo pipefail
cd "$(dirname "$0")/.."
base=node:24-slim tag=belvedere
while [ $# -gt 0 ]; do
  case $1 in
    --base) base=$2; shift 2 ;;
    --tag) tag=$2; shift 2 ;;
    *) echo "docker/build.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
cli=${CONTAINER_CLI:-$(docker info > /dev/null 2>&1 && echo docker || echo podman)}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
npm run --silent build >&2
mkdir "$stage/empty"
cp -R dist package.json package-lock.json LICENSE docker "$stage/"
# The packages of the image's platform, whatever this machine is.
(cd "$stage" && npm ci --omit=dev --ignore-scripts --prefer-offline --loglevel=error --os=linux --libc=glibc)
# The image brings its own Node.js: the packages that pin one for npm scripts are left out.
rm -rf "$stage"/node_modules/node-* "$stage/node_modules/.bin"
# Podman keeps the health check only in this format; Docker knows no other.
BUILDAH_FORMAT=docker "$cli" build --quiet --build-arg "BASE=$base" --tag "$tag" --file docker/Dockerfile "$stage"
