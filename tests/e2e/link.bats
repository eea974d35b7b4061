#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-link between two hosts: what it does to packets, and what it leaves alone.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	link=$NATKIT_BUILD/nat-link
}

# scenario NAME: runs it in a network of its own.
scenario() {
	local unshare=(setpriv --pdeathsig KILL unshare -mnp --fork
		--kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip nsenter ping socat ss tcpdump; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run --separate-stderr timeout 30 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/link-net.bash" "$@"
	echo "exit code $status; stdout:"
	echo "$output"
	echo "stderr:"
	echo "$stderr"
}

usage() {
	run --separate-stderr "$link" "$@"
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "${stderr_lines[0]}" == "nat-link: fatal: "* ]]
	[[ "${stderr_lines[1]}" == "usage: nat-link "* ]]
}

@test "usage errors end with 100 and say what to do" {
	usage
	usage wa
	usage wa wa
	usage -z wa wb
	usage -n 3 wa wb
	usage -N 99 wa wb
	usage wa wb loss=101
	[[ "${stderr_lines[0]}" == *"loss=101: per cent up to 100"* ]]
	usage wa wb loss
	usage wa wb colour=red
	[[ "${stderr_lines[0]}" == *"give delay_ms=, jitter_ms=, "* ]]
	usage wa wb direction=wc loss=1
	[[ "${stderr_lines[0]}" == *"give wa, wb or both"* ]]
}

@test "an interface that is not there, or is no Ethernet: 100" {
	scenario start wa nosuch
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"no interface nosuch here; ip link shows them"* ]]
	scenario start lo wb
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"lo is no Ethernet interface"* ]]
	scenario start -u nosuch wa wb
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"-u nosuch: no such user"* ]]
}

@test "the delay is what was asked for" {
	scenario delay
	[ "$status" -eq 0 ]
}

@test "the two directions are apart" {
	scenario directions
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "link from=wa to=wb delay_ms=5 jitter_ms=0 loss=0 "* ]]
	[[ "${lines[1]}" == "link from=wb to=wa delay_ms=25 jitter_ms=0 loss=0 "* ]]
	[ "${lines[2]}" = 0 ]
	[ "${lines[3]}" = "5 0 5" ]
	[[ "${lines[4]}" == "link from=wa to=wb delay_ms=5 jitter_ms=0 loss=100 "* ]]
	[[ "${lines[5]}" == "link from=wb to=wa delay_ms=25 jitter_ms=0 loss=0 "* ]]
	[ "${lines[6]}" = "end status=ok" ]
}

@test "loss is counted, and one seed loses the same packets" {
	scenario loss
	[ "$status" -eq 0 ]
}

@test "duplicates arrive" {
	scenario duplicate
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 10 ] # of the first ten
	[ "${lines[1]}" = 60 ]
	[ "${lines[2]}" = 120 ]
}

@test "packets overtake each other when asked to, and never otherwise" {
	scenario reorder
	[ "$status" -eq 0 ]
}

@test "the rate is a line's, with a queue that loses its tail" {
	scenario rate
	[ "$status" -eq 0 ]
}

@test "TCP crosses it, whole, in packets" {
	scenario tcp
	[ "$status" -eq 0 ]
}

@test "UDP that leaves the host as one frame crosses in packets" {
	scenario burst
	[ "$status" -eq 0 ]
}

@test "ARP, IPv6, VLAN tags and jumbo frames pass" {
	scenario ethernet
	[ "$status" -eq 0 ]
}

@test "the control socket: bad words change nothing and are told" {
	scenario commands
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "end status=error reason=loss=101:%20per%20cent"* ]]
	[[ "${lines[1]}" == "end status=error reason=colour=red:%20give"* ]]
	[[ "${lines[2]}" == "end status=error reason=set:%20give%20what"* ]]
	[[ "${lines[3]}" == "end status=error reason=direction=eth0:%20give%20wa"* ]]
	[ "${lines[4]}" = "end status=error reason=give%20show,%20stats%20or%20set" ]
	[ "${lines[5]}" = "link from=wa to=wb delay_ms=1.5 jitter_ms=0 loss=0.25 rate_kbit=0 reorder=0 duplicate=0 seed=3 queue_ms=200" ]
	[[ "${lines[6]}" == "link from=wb to=wa delay_ms=1.5 "* ]]
	[[ "${lines[8]}" == "link from=wa "*" rate_kbit=0 "* ]]
	[[ "${lines[9]}" == "link from=wb "*" rate_kbit=1000 "* ]]
	[ "${lines[10]}" = "end status=ok" ]
}

@test "an interface that goes down and up again is used again" {
	scenario down_and_up
	[ "$status" -eq 0 ]
}

@test "an interface that vanishes ends it with 111" {
	scenario vanish
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"nat-link: fatal: interface wb has vanished"* ]]
}

@test "it runs without any privilege, and ends with 0" {
	scenario unprivileged
	[ "$status" -eq 0 ]
	[ "$(grep -c '^Cap[A-Z][a-z]*:	0000000000000000$' <<<"$output")" = 5 ]
	[[ "$output" == *"NoNewPrivs:	1"* ]]
	[[ "$output" == *"Seccomp:	2"* ]]
}
