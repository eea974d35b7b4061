#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Plain pairs from end to end: nat-rendezvousd's tokens, nat-rendezvous agent's
# relay records, nat-relay pair, a real nat-relayd, two daemons.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	r=$NATKIT_BUILD/nat-relay
}

# scenario NAME: runs it in a network of its own.
scenario() {
	local unshare=(setpriv --pdeathsig KILL unshare -mnp --fork
		--kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip ss socat; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run timeout 60 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/relay-pair.bash" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "$1: fine" ]
}

usage() {
	run --separate-stderr "$@"
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "${stderr_lines[1]}" == "usage: "* ]]
}

@test "usage errors end with 100 and say what to do" {
	usage "$r" pair -p 65536
	usage "$r" pair -t 0
	usage "$r" pair -s x -p 1
	usage "$r" pair operand
	[[ "${stderr_lines[0]}" == *"records come on standard input"* ]]
	usage "$r" pair -z
	run -0 "$r" pair -h
	[[ "${lines[0]}" == "usage: nat-relay pair "* ]]
}

@test "a reader of standard output that stalls does not hold a signal up" {
	mkfifo "$BATS_TEST_TMPDIR/out"
	exec 8<>"$BATS_TEST_TMPDIR/out"
	dd if=/dev/zero of=/dev/fd/8 bs=4096 oflag=nonblock 2>&- || :
	for verb in pair tcp; do
		yes 'x y=z' | "$r" "$verb" -p 23998 >&8 3>&- &
		pid=$!
		for _ in {1..100}; do # until it waits, for the pipe
			wait=$(cat "/proc/$pid/wchan") || :
			[[ $wait == *poll_sched* || $wait == *do_poll* ||
			    $wait == *pipe* ]] && break
			sleep 0.05
		done
		kill "$pid"
		for _ in {1..100}; do
			[ -d "/proc/$pid" ] || break
			sleep 0.05
		done
		[ ! -d "/proc/$pid" ] || { kill -9 "$pid" && false; }
	done
	exec 8>&-
}

@test "nat-rendezvousd -R that can't be: 100, and what to give" {
	d=$NATKIT_BUILD/nat-rendezvousd
	for bad in 20 file @192.0.2.1:1 file@192.0.2.1 file@host:1 \
	    file@192.0.2.1:1,192.0.2.2:1; do
		usage "$d" -k /dev/null -R "$bad"
		[[ "${stderr_lines[0]}" == *"-R $bad: give secretfile@"* ]]
	done
	usage "$d" -k /dev/null -R f@192.0.2.1:1 -R f@192.0.2.1:1
	[[ "${stderr_lines[0]}" == *"another -R has this endpoint"* ]]
	(umask 077 && head -c 32 /dev/urandom | base64 \
	    >"$BATS_TEST_TMPDIR/key")
	echo short >"$BATS_TEST_TMPDIR/secret"
	run ! "$d" -k "$BATS_TEST_TMPDIR/key" -b 127.0.0.1 -p 0 \
	    -R "$BATS_TEST_TMPDIR/secret@192.0.2.1:1"
	[ "$status" -eq 100 ]
	[[ "$output" == *"first line has to have 16 to 256 bytes"* ]]
	run ! "$d" -k "$BATS_TEST_TMPDIR/key" -b 127.0.0.1 -p 0 \
	    -R "$BATS_TEST_TMPDIR/none@192.0.2.1:1"
	[ "$status" -eq 100 ]
	[[ "$output" == *"/none: No such file"* ]]
}

@test "tokens: none without both consents, none for a third key, one order" {
	scenario tokens
}

@test "a forged credential binds nothing, and is told" {
	scenario forged
}

@test "every line goes through as it is, and bad ones bind nothing" {
	scenario passes
}

@test "two daemons talk through the relay, and unbind at the end" {
	scenario carries
}

@test "a relay that does not know us any more: bound again at once" {
	scenario hint
}

@test "another port behind a NAT: bound again by the first datagram from there" {
	command -v nft >/dev/null || skip "nft is not installed"
	scenario rebinding
}

@test "kill -9 of the relay: gone, and bound again when it is back" {
	scenario relay_dies
}

@test "the input ends: what is bound stays" {
	scenario input_ends
}
