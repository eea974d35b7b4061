#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
# nat-relayd against its own and coturn's clients, in relayd-net.bash.

bats_require_minimum_version 1.5.0

setup() {
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	D=$B/nat-relayd
	cd "$BATS_TEST_TMPDIR" || return 1
	chmod 755 .
}

# net SCENE
net() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	run setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
		--mount-proc bash "$BATS_TEST_DIRNAME/relayd-net.bash" "$B" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "all is well" ]
}

# refused TEXT OPTION...
refused() {
	local text=$1
	shift
	run -100 --separate-stderr "$D" "$@"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "nat-relayd: fatal: $text"* ]]
}

@test "options that make no relay are refused, each with what to do" {
	head -c 24 /dev/urandom | base64 > secret
	chmod 600 secret
	echo short > short
	refused '-b is missing: ' -k secret
	refused '-k is missing: ' -b 127.0.0.1
	refused '-b wants an address of this host: 0.0.0.0' -b 0.0.0.0
	refused '-b wants an IPv4 or IPv6 address: here' -b here
	refused '-b 127.0.0.2: one address of a family' -b 127.0.0.1 -b 127.0.0.2
	refused '-b 127.0.0.1/::1: ' -b 127.0.0.1/::1
	refused '-C and -K go together' -b 127.0.0.1 -k secret -C short
	refused '-R wants two ports' -b 127.0.0.1 -k secret -R 50000
	refused '-R 80: give a number from 1024' -b 127.0.0.1 -k secret -R 80-90
	refused '-R 50000-50015: 16 ports are for pairs' -b 127.0.0.1 -k secret \
		-R 50000-50015
	refused '-T 3478: that port is there by -p' -b 127.0.0.1 -k secret -T 3478
	refused '-p 49200 is one of' -b 127.0.0.1 -k secret -p 49200
	refused '-a wants a network' -a 10.0.0.0/33
	refused '-l pairs: no such limit' -l pairs=3
	refused 'key 0: give a number' -l key=0
	refused '-l wants limit=number: key' -l key
	refused '-M wants a loopback address' -b 127.0.0.1 -k secret -p 0 \
		-R 20000-20100 -M 0.0.0.0:9478
	refused 'short: a secret is one line of 16' -b 127.0.0.1 -k short
	refused 'none: No such file or directory; make a secret with: openssl rand' -b 127.0.0.1 -k none
	refused '-C short -K short: ' -b 127.0.0.1 -k secret -C short -K short
	refused 'no operands are taken' -b 127.0.0.1 -k secret operand
	refused "can't listen on 192.0.2.1:0: no address of this host" -b 192.0.2.1 -k secret -p 0
	refused '-u no-such-user: ' -b 127.0.0.1 -k secret -p 0 \
		-R 20000-20100 -u no-such-user
	run -0 "$D" -h
	[[ $output == *"(49152-65535)"*"key-packets"* ]]
}

@test "no credential, no byte; refused peers; strangers are not heard" {
	net closed
}

@test "plain pairs: forwarded as they are, only between the two, only by token" {
	net pairs
}

@test "ChannelData of every wrong length goes nowhere" {
	net channel
}

@test "slow readers lose their own datagrams: memory is flat, others unharmed" {
	net slow
}

@test "100000 bind attempts of one address cost nobody else anything" {
	net storm
}

@test "connections are bounded; an external address is told and reached" {
	net connections
}

@test "control: hello, stats, pairs, allocations, accounts, watch, drop, drain" {
	net control
}

@test "metrics over HTTP on loopback and on a Unix socket" {
	net metrics
}

@test "no privileges while it runs; SIGTERM leaves nothing" {
	net end
}

@test "what coturn's clients do with coturn they do with nat-relayd" {
	net coturn
}
