#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-relayd: what is of no use ends, and nothing grows; see relayd-net.bash.

bats_require_minimum_version 1.5.0

# net SCENE
net() {
	local b
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	b=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	cd "$BATS_TEST_TMPDIR" || return 1
	chmod 755 .
	run setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
		--mount-proc bash \
		"$BATS_TEST_DIRNAME/../e2e/relayd-net.bash" "$b" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "all is well" ]
}

@test "idle connections, unused pairs end in their time; used ones stay" {
	net idle
}

@test "clients that come and go leave memory and descriptors as they were" {
	net flat
}

@test "ICMP errors cost a client that reads slowly no connection" {
	net icmp
}
