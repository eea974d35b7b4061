#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-relay turn against coturn's server and ours, nat-relay tcp against
# nat-relayd: daemons that know nothing of either exchange datagrams.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	r=$NATKIT_BUILD/nat-relay
	cd "$BATS_TEST_TMPDIR" || return 1
	printf 'alice\nsecret\n' >user
	chmod 600 user
}

# scenario NAME: runs it in a network of its own.
scenario() {
	local unshare=(setpriv --pdeathsig KILL unshare -mnp --fork
		--kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip socat turnserver openssl; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run timeout 60 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/relay-turn.bash" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "$1: fine" ]
}

# usage TEXT PROG ARGS: ends with 100, and its first line has the text.
usage() {
	local text=$1
	shift
	run --separate-stderr "$@" </dev/null
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "${stderr_lines[0]}" == *"$text"* ]]
}

@test "turn: usage errors end with 100 and say what to do" {
	usage "name a TURN server" "$r" turn -u user
	usage "give either -u" "$r" turn 192.0.2.1
	usage "give either -u" "$r" turn -u user -k user 192.0.2.1
	usage "the server comes last" "$r" turn -u user turn.example.org 192.0.2.1
	usage "say with -d" "$r" turn -u user 192.0.2.1 192.0.2.2
	usage "name a peer with its port" "$r" turn -u user -p 4 192.0.2.2
	usage "give udp, tcp or tls" "$r" turn -u user -T sctp 192.0.2.2
	usage "another transport" "$r" turn -u user -T tls turn:192.0.2.2
	usage "relays nothing" "$r" turn -u user stun:192.0.2.2
	usage "of another family" "$r" turn -u user -r 6 192.0.2.1:1 192.0.2.2
	usage "certificates are for" "$r" turn -u user -C user 192.0.2.2
	usage "No such file" "$r" turn -u nonesuch 192.0.2.2
	echo alice >one
	usage "password into the second" "$r" turn -u one 192.0.2.2
	run -0 "$r" turn -h
	[[ "${lines[0]}" == "usage: nat-relay turn "* ]]
}

@test "tcp: usage errors end with 100 and say what to do" {
	usage "give -s" "$r" tcp
	usage "give -s" "$r" tcp -s x -p 1
	usage "certificates are for" "$r" tcp -p 1 -C x
	usage "standard input" "$r" tcp -p 1 operand
	run -0 "$r" tcp -h
	[[ "${lines[0]}" == "usage: nat-relay tcp "* ]]
}

@test "turn: who is not permitted does not get through, nor who was once" {
	scenario denied
}

@test "turn: a wrong password, a wrong secret, a foreign certificate" {
	scenario refused
}

@test "turn: two daemons, each behind an allocation: UDP, TCP, TLS, IPv6" {
	scenario exchange
}

@test "turn: the same at nat-relayd" {
	scenario ours
}

@test "turn: the server goes and comes back, and so does the daemon" {
	scenario lost
}

@test "tcp: two daemons over TCP only; the relay goes and comes back" {
	scenario tcp
}

@test "tcp: who else listens at 443 is not taken for the relay" {
	scenario web
}

@test "tcp: TLS, and a certificate that nobody trusts" {
	scenario tls
}

@test "tcp: UDP is better, as soon as it is there" {
	scenario better
}

@test "tcp: in the pipeline, where UDP to the relay is dropped, and then not" {
	command -v nft >/dev/null || skip "nft is not installed"
	scenario pipeline
}

@test "tcp: a slow relay costs the oldest datagrams, and no memory" {
	scenario slow
}
