#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun behaviour behind every kind of NAT, ten runs each: right 10 of 10
# without loss and with 5 %, never wrong with 30 %. 40 ms each way.

bats_require_minimum_version 1.5.0

sites='ei-ei ei-ad ei-apd ad-ei ad-ad ad-apd apd-ei apd-ad apd-apd masquerade fragile toy-icmp
    linux sequential sequential-apd parity random pool internal internal-seen
    deaf fragments-in fragments-out alg none hosts firewall6'
runs=10

setup() {
	load ../lab/lab
	load ../lab/behaviour
	lab_why=$(net_usable) || skip "$lab_why"
}

# ten DELAY LOSS WAIT [lossy]
ten() {
	local out=$BATS_TEST_TMPDIR/out site r bad=0 known=0
	mkdir "$out"
	# shellcheck disable=SC2086
	timeout -k 1 1500 $NET_UNSHARE bash \
	    "$BATS_TEST_DIRNAME/../lab/behaviour.bash" "$out" $runs "$1" "$2" \
	    "$3" $sites 3>&-
	for site in $sites; do
		behaviour_site "$site"
		for ((r = 1; r <= runs; r++)); do
			behaviour_check "$out/$site.$r" "${4:-}" || bad=1
			[ "$(cat "$out/$site.$r.code")" != 0 ] ||
				known=$((known + 1))
		done
	done
	echo "# verdict known in $known runs" >&3
	return $bad
}

@test "no loss: right 10 of 10" {
	ten 0 0 45
}

@test "5 % loss, 40 ms delay: right 10 of 10" {
	ten 40 5 45
}

@test "30 % loss, 40 ms delay: never wrong" {
	ten 40 30 60 lossy
}
