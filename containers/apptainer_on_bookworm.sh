#!/usr/bin/env bash
# Install Apptainer on Debian 12, which does not package it: Debian unstable's package, one version by
# its sha256, with the two symbols of a newer libc re-pointed (older_libc.py). Root; half a minute.
# Adds no package source to the host and touches no libc. Elsewhere, install Apptainer as usual.
set -euo pipefail
version=1.4.5-2
sha256=26cf96e08fccb0e50ea0f285a5a19f940ee873d167a0680584fe6eba7d197d65
here="$(cd "$(dirname "$0")" && pwd)"
! command -v apptainer >/dev/null || { apptainer --version; exit 0; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mirror="${DEBIAN_MIRROR:-$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources)}"
mkdir -p "$work"/{lists/partial,cache/archives/partial}
: > "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" > "$work/sources.list"
apt=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State=$work"
  -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
  -o Dir::Etc::preferencesparts=/dev/null -o Acquire::Languages=none)
cd "$work"
apt-get -qq "${apt[@]}" update
apt-get -qq "${apt[@]}" download "apptainer=$version"
echo "$sha256 $(ls ./*.deb)" | sha256sum --check --quiet
dpkg-deb -R ./*.deb package
python3 "$here/older_libc.py" package/usr/bin/apptainer package/usr/lib/x86_64-linux-gnu/apptainer/bin/starter
sed -i -E 's/^(Version: .*)/\1~vlprm1/; s/libc6 \(>= 2\.38\)/libc6 (>= 2.36)/' package/DEBIAN/control
(cd package && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum > DEBIAN/md5sums)
dpkg-deb -b --root-owner-group -Zxz -z1 package apptainer.deb > built.log
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ./apptainer.deb squashfuse fuse-overlayfs uidmap
apptainer --version
