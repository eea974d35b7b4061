#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun check against real servers: what a script that keeps a list of
# servers clean has to be able to rely on. And what nat-stun lifetime says to a
# server that can't help it.

bats_require_minimum_version 1.5.0

setup_file() {
	local p
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	[ "$(id -u)" -eq 0 ] || skip 'needs root for a network namespace'
	for p in turnserver wg; do
		PATH=$PATH:/usr/sbin command -v $p >/dev/null ||
		    skip "$p is not installed"
	done
	timeout 60 unshare -mnp --fork --kill-child --mount-proc \
	    sh "$BATS_TEST_DIRNAME/check-net.sh" "$NATKIT_BUILD" \
	    "$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

# was NAME CODE: that check ended with this code; $out is its first record.
was() {
	out=$(cat "$BATS_FILE_TMPDIR/$1.out")
	err=$(cat "$BATS_FILE_TMPDIR/$1.err")
	echo "$1: $(cat "$BATS_FILE_TMPDIR/$1.code"): $out $err"
	[ "$(cat "$BATS_FILE_TMPDIR/$1.code")" = "$2" ]
}

usage() {
	run --separate-stderr "$NATKIT_BUILD/nat-stun" "$@"
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "${stderr_lines[0]}" == "nat-stun: "*": "* ]]
	[[ "${stderr_lines[1]}" == "usage: nat-stun $1 "* ]]
}

@test "usage errors end with 100 and say what to do" {
	local c
	for c in check lifetime; do
		usage $c
		usage $c one two
		usage $c -w 0 server
		usage $c -f server
		usage $c -s path -p 1 server
		usage $c server:0
	done
}

@test "nobody there: 111, and no record" {
	local n
	for n in nobody unreachable family; do
		was $n 111
		[ -z "$out" ]
		[[ "$err" == "nat-stun: warning: "* ]]
	done
}

@test "a server that answers from elsewhere is faulty, and named so" {
	was hostile 1
	[[ "$out" == *" fault=wrong-source,no-420 "* ]]
	[[ "$out" == *" reply=wrong-port "* ]]
	was refusing 1
}

@test "half a name that is dead is told, and is no success" {
	was half 1
	[[ "$out" == *"stun endpoint=127.0.0.9:3478 udp=no tcp=no reason=no-answer"* ]]
	[[ "$out" == *"stun endpoint=127.0.0.1:3478 udp=yes tcp=yes "*" rfc5780=yes "* ]]
}

@test "one address: right, but no RFC 5780" {
	local n
	for n in one six rendezvousd; do
		was $n 1
		[[ "$out" == *" rfc5780=no response_port="* ]]
		[[ "$out" == *" unknown=420 reply=right "* ]]
		[[ "$out" != *fault=* ]]
	done
	[[ "$out" == *" tcp=yes "* ]]
	[[ "$out" == *" response_port=none padding=420 "* ]]
}

@test "two addresses: everything, from any of its four places" {
	was two 0
	[[ "$out" =~ ^stun\ endpoint=127.0.0.1:3478\ udp=yes\ tcp=yes\ rtt_us=[0-9]+\ rfc5780=yes\ other=127.0.0.2:3479\ response_port=both\ padding=yes\ unknown=420\ reply=right\ amplification=[0-9]+$ ]]
	[ -z "$err" ]
	was lent 0
	was json 0
	[[ "$out" == '{"record":"stun","endpoint":"127.0.0.2:3479",'*'"other":"127.0.0.1:3478",'* ]]
}

@test "a server that amplifies nothing (-A) is asked at length" {
	was modest 0
	[[ "$out" == *" rfc5780=yes other=127.0.0.8:3479 "* ]]
	[[ "$out" == *" unknown=420 reply=right "* ]]
	[ "${out##*amplification=}" -le 100 ]
}

@test "coturn's server does all of it, too, and amplifies" {
	was coturn 0
	[[ "$out" == *" rfc5780=yes other=127.0.0.6:3479 "* ]]
	[ "${out##*amplification=}" -gt 500 ]
}

@test "no lifetime without RESPONSE-PORT: the server's lack is named" {
	was lifetime 1
	[ -z "$out" ]
	[[ "$err" == *"refuses RESPONSE-PORT"*"5780"* ]]
	was ignores 1
	[ -z "$out" ]
	[[ "$err" == *"ignores RESPONSE-PORT"* ]]
	was silence 111
	[ -z "$out" ]
}
