#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun lifetime against the real time-outs of real NATs, to the second.
# tests/soak has the longer ones, and a WireGuard's port.

bats_require_minimum_version 1.5.0

# All at once: each waits most of its time.
setup_file() {
	local s why
	# shellcheck source=lab/net.sh
	. "$BATS_TEST_DIRNAME/../../lab/net.sh"
	why=$(net_usable) || skip "$why"
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	for s in "both 3 5" "six 3 5" bounded server_dies; do
		{
			# shellcheck disable=SC2086
			timeout -k 1 100 $NET_UNSHARE bash \
			    "$BATS_TEST_DIRNAME/lifetime.bash" $s \
			    >"$BATS_FILE_TMPDIR/${s%% *}.log" 2>&1 </dev/null
			echo "$?" >"$BATS_FILE_TMPDIR/${s%% *}.code"
		} 3>&- &
	done
	wait
}

result() {
	local log=$BATS_FILE_TMPDIR/$1
	if [ "$(cat "$log.code")" != 0 ]; then
		tail -n 60 "$log.log"
		return 1
	fi
	sed -n 's/^FIGURE /# /p' "$log.log" >&3
}

@test "a server that dies meanwhile is not taken for dead mappings" {
	result server_dies
}

@test "-w ends it, with what is known by then" {
	result bounded
}

@test "silent 3 s, active 5 s, through a NAT" {
	result both
}

@test "silent 3 s, active 5 s, through a firewall of IPv6" {
	result six
}
