#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun lifetime: 20, 47, 90 and 180 s to the second, the silent and the
# active time-out apart, also on the port of a running WireGuard. All at once,
# each in a lab of its own; about 25 minutes.

bats_require_minimum_version 1.5.0

labs=("both 20 47" "both 47 90" "both 90 180" "both 180 20" "pool 3 5" "lossy 12 7"
	"tunnel 20 47" "tunnel 47 20")

setup_file() {
	local s why
	# shellcheck source=lab/net.sh
	. "$BATS_TEST_DIRNAME/../../lab/net.sh"
	why=$(net_usable) || skip "$why"
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	for s in "${labs[@]}"; do
		{
			# shellcheck disable=SC2086
			timeout -k 1 3700 $NET_UNSHARE bash \
			    "$BATS_TEST_DIRNAME/../lab/lifetime.bash" $s \
			    >"$BATS_FILE_TMPDIR/${s// /-}.log" 2>&1 </dev/null
			echo "$?" >"$BATS_FILE_TMPDIR/${s// /-}.code"
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

@test "silent 20 s, active 47 s" {
	result both-20-47
}

@test "silent 47 s, active 90 s" {
	result both-47-90
}

@test "silent 90 s, active 180 s" {
	result both-90-180
}

@test "silent 180 s, active 20 s" {
	result both-180-20
}

@test "a NAT with several addresses, any of them for any flow" {
	result pool-3-5
}

@test "one packet of ten is lost, each way" {
	result lossy-12-7
}

@test "through -s on WireGuard's port: silent 20 s, active 47 s" {
	result tunnel-20-47
}

@test "through -s on WireGuard's port: silent 47 s, active 20 s" {
	result tunnel-47-20
}
