#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
# What nat-stun measures by two nat-stund that are each other's twin, against
# what it measures by one with both addresses; the networks are those of
# tests/e2e/twin-net.bash. 2 minutes.

bats_require_minimum_version 1.5.0

# net SCENE
net() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	run setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
		--mount-proc bash "$BATS_TEST_DIRNAME/../e2e/twin-net.bash" \
		"$B" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "all is well" ]
}

@test "nat-stun behaviour sees the same by two hosts and by one" {
	net behaviour
	[[ $output == *filtering\ value=endpoint-independent* ]]
}

@test "2 million random and mutated packets at one that has a twin" {
	net flood
}
