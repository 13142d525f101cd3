#!/usr/bin/env bash
# Inside a Debian root that has apt: install exactly the packages of debian-ROLE.lock.
#   debian.sh ROLE SOURCE      ROLE: cpu, gpu, build; SOURCE: the checkout, read-only
# Packages come from Debian's snapshot archive at SNAPSHOT; the base image names that archive in a
# comment of its own sources file. DEBIAN_MIRROR=ADDRESS takes an ordinary mirror instead.
set -euo pipefail
role="$1" source="$2"
. "$source/containers/pins.env"
lock="$source/containers/debian-$role.lock"

mirror="${DEBIAN_MIRROR:-}"
if [ -z "$mirror" ]; then
  archive="$(sed -nE 's|^# *([^ ]+/archive/debian)/[0-9TZ]+.*|\1|p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1 || true)"
  [ -n "$archive" ] || { echo "debian.sh: the base image names no snapshot archive -> set DEBIAN_MIRROR" >&2; exit 2; }
  mirror="$archive/$SNAPSHOT"
fi
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $DEBIAN_SUITE main" \
  > /etc/apt/sources.list.d/vlprm.list

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
grep -v '^#' "$lock" | xargs apt-get install -y -qq --no-install-recommends --allow-downgrades
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/*.log /var/log/apt /var/log/*/*.log
