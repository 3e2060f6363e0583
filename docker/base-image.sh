#!/usr/bin/env bash
# Makes a base image for docker/Dockerfile from this machine's own files, where no public image can be pulled: the Node.js
# that npm installed, its shared libraries, a shell and a few tools. Users build on the public image instead.
#   docker/base-image.sh [TAG]          default: belvedere-base
# CONTAINER_CLI: docker or podman (default: docker when it answers, else podman).
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-belvedere-base}
cli=${CONTAINER_CLI:-$(docker info > /dev/null 2>&1 && echo docker || echo podman)}
node=$(node -p process.execPath)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,var/lib,usr/local/bin}
ln -s bin "$root/sbin"
chmod 1777 "$root/tmp"
add() { # file: copied with the shared libraries it needs, to the path given
  cp -L "$1" "$root$2"
  ldd "$1" 2>/dev/null | grep -o '/[^ )]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    [ -e "$root$library" ] || cp -L "$library" "$root$library"
  done
}
add "$node" /usr/local/bin/node
for tool in sh bash cat grep awk sed ls mkdir hostname id env sleep true rm cp chmod tr cut ip; do
  path=$(type -P "$tool") || continue
  add "$(readlink -f "$path")" "/bin/$tool"
done
# Names are resolved through the first three; binary packages of npm are linked with the rest of glibc.
for library in /lib/*/lib{nss_files.so.2,nss_dns.so.2,resolv.so.2,rt.so.1,pthread.so.0,dl.so.2,m.so.6,gcc_s.so.1}; do
  [ -e "$library" ] && mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"
done
printf 'root:x:0:0:root:/:/bin/sh\ncassandra:x:999:999::/var/lib/cassandra:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\ncassandra:x:999:\n' > "$root/etc/group"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
tar -C "$root" -c . | "$cli" import --change 'ENV PATH=/usr/local/bin:/bin' - "$tag" > /dev/null
echo "$tag"
