#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The relay for a long time.

setup_file() {
	load ../lab/lab
	export LAB_TIMEOUT=1500
	LAB_JOBS=2 lab_start relay_flushed
}

@test "twenty minutes of all kinds of clients: memory is flat" {
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	cd "$BATS_TEST_TMPDIR"
	chmod 755 .
	setpriv --pdeathsig KILL unshare -mnp --fork --kill-child --mount-proc \
		bash "$BATS_TEST_DIRNAME/relay-soak.bash" "$B" 1200 >out 2>&1 ||
		{ cat out; false; }
	sed 's/^/# /' out >&3
	[ "$(tail -n 1 out)" = "all is well" ]
}

@test "a NAT forgets its table, eight times: relayed within 2 s, and direct again" {
	load ../lab/lab
	lab_result relay_flushed
}
