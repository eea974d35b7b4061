#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-lab grade: a NAT fails the requirements that it breaks, and no others.

bats_require_minimum_version 1.5.0

setup_file() {
	load grade
	export PATH=$PATH:/usr/sbin:/sbin
	grade_cases 8 <<-'END'
	good 14 toy
	broken 14 toy -udgb
	selfish 14 toy -mpr -l 6
	quiet 14 toy -oe
	internal 14 kernel profile=ei-ad hairpin=internal fragments=no
	symmetric 14 kernel profile=apd-apd udp_timeout_s=6 stream_timeout_s=6
	linux 14 kernel profile=linux
	deaf 14 prog sleep 60
	END
}

setup() {
	load grade
	lab=$BATS_TEST_DIRNAME/../../bin/nat-lab
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
}

@test "wrong usage: 100" {
	for words in '' '--' '-w 5 -- true' '-w x -- true' '-z -- true'; do
		# shellcheck disable=SC2086
		run --separate-stderr "$lab" grade $words
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ "$stderr" == *"usage: nat-lab grade "* ]]
	done
}

@test "a program that isn't there, that ends, that translates nothing" {
	if [ -f "$BATS_FILE_TMPDIR/skip" ]; then
		skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	fi
	run --separate-stderr -127 "$lab" grade -- /nonesuch
	[ -z "$output" ]
	run --separate-stderr -1 "$lab" grade -- false
	[ -z "$output" ]
	[[ "$stderr" == *"the program has ended with 1"* ]]
	[ "$(cat "$BATS_FILE_TMPDIR/deaf.code")" = 1 ]
	[ ! -s "$BATS_FILE_TMPDIR/deaf.out" ]
	grep -q 'no packet came through' "$BATS_FILE_TMPDIR/deaf.err"
}

@test "the program finds what nat-lab(1) says, and no IPv6 or forwarding" {
	if [ -f "$BATS_FILE_TMPDIR/skip" ]; then
		skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	fi
	run -1 "$lab" grade -- sh -c 'env | grep ^NAT_; ip -br addr
	    cat /proc/sys/net/ipv4/ip_forward; ip route show default'
	echo "$output"
	[[ "$output" == *NAT_LAN=lan* && "$output" == *NAT_WAN=wan* ]]
	[[ "$output" == *NAT_LAN_ADDRESS=192.168.1.1* ]]
	[[ "$output" == *NAT_WAN_ADDRESSES=198.51.100.2,198.51.100.3* ]]
	[[ "$output" == *NAT_GATEWAY=198.51.100.1* ]]
	[[ "$output" == *NAT_MTU=1400* && "$output" == *NAT_READY_FD=3* ]]
	grep -q '^lan@.* 192\.168\.1\.1/24 $' <<<"$output"
	grep -q '^wan@.* 198\.51\.100\.2/24 198\.51\.100\.3/24 $' <<<"$output"
	[[ "$output" == *$'\n0\n'* ]]
	[[ "$output" == *"default via 198.51.100.1 dev wan"* ]]
}

@test "ended by a signal, nothing is left" {
	if [ -f "$BATS_FILE_TMPDIR/skip" ]; then
		skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	fi
	mkfifo "$BATS_TEST_TMPDIR/began"
	"$lab" grade -- sh -c 'exec >"$1"; echo; exec sleep 60' - \
	    "$BATS_TEST_TMPDIR/began" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	local pid=$! code=0
	exec 4<"$BATS_TEST_TMPDIR/began"
	read -r _ <&4
	kill "$pid"
	wait "$pid" || code=$?
	[ "$code" = 143 ]
	# the program has the pipe open for writing for as long as it lives
	run -0 timeout 10 cat <&4
}

@test "a good NAT fails nothing; what takes long is untested" {
	graded good 0 '' 'REQ-5 REQ-5c REQ-6 REQ-7'
	grep -q '^requirement number=REQ-5 level=must value=untested reason=time' \
	    "$BATS_FILE_TMPDIR/good.out"
	grep -q '^requirement number=REQ-1 level=must value=pass evidence=mapping=endpoint-independent$' \
	    "$BATS_FILE_TMPDIR/good.out"
}

@test "each is told as soon as it is known, and in the end how many musts" {
	graded good 0 '' 'REQ-5 REQ-5c REQ-6 REQ-7'
	[[ "$(head -n 1 "$BATS_FILE_TMPDIR/good.out")" == *' number=REQ-3 '* ]]
	[[ "$(tail -n 3 "$BATS_FILE_TMPDIR/good.out")" == \
	    *' number=REQ-5 '*' number=REQ-5c '*' number=REQ-6 '* ]]
	[ "$(tail -n 1 "$BATS_FILE_TMPDIR/good.err")" = \
	    "nat-lab: info: of the musts, 9 passed, 0 failed, 3 untested" ]
	[ "$(tail -n 1 "$BATS_FILE_TMPDIR/broken.err")" = \
	    "nat-lab: info: of the musts, 6 passed, 3 failed, 3 untested" ]
}

@test "ports leave their range, unreachable ends mappings, DF packets vanish, so do fragments: 3a, 12, 13, 14" {
	graded broken 1 'REQ-3a REQ-12 REQ-13 REQ-14' 'REQ-5 REQ-5c REQ-6 REQ-7'
}

@test "a mapping for each destination, no hairpin, 6 s whatever goes out" {
	graded selfish 1 'REQ-1 REQ-3a REQ-5 REQ-5c REQ-6 REQ-9' 'REQ-7 REQ-9a'
}

@test "ports overloaded, ICMP errors kept back: 3, 12a, 12b" {
	graded quiet 1 'REQ-3 REQ-12a REQ-12b' \
	    'REQ-5 REQ-5c REQ-6 REQ-7 REQ-11 REQ-12'
}

@test "kernel: hairpin from the internal source, no fragments: 9a, 14" {
	graded internal 1 'REQ-9a REQ-14' 'REQ-5 REQ-5c REQ-6 REQ-7'
}

@test "kernel: address-and-port-dependent, random ports, 6 s: 1, 3a, 4, 5, 8" {
	graded symmetric 1 'REQ-1 REQ-3a REQ-4 REQ-5 REQ-5c REQ-8' 'REQ-7'
}

@test "kernel: masquerade as it comes: 3, 8, 9, 11" {
	graded linux 1 'REQ-3 REQ-8 REQ-9 REQ-11' 'REQ-5 REQ-5c REQ-6 REQ-7 REQ-9a'
}
