#!/bin/sh
# SPDX-License-Identifier: ISC
# The kernel as a NAT program for nat-lab grade: a profile of lab/profile.sh,
# in the namespace nat. usage: kernel-nat.sh key=value ...
set -efu
lab=${0%/*}/../../lab
# shellcheck source=lab/profile.sh
. "$lab/profile.sh"
profile_apply nat "$@"
# Last: a packet that gets through counts as ready.
sysctl -qw net.ipv4.ip_forward=1
echo >&3
exec sleep infinity
