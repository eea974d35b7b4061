#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What nat-pipe tells the person who runs it, on one host: of connections that
# came to nothing, of peers that are away, of files that are wrong.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

# scenario NAME: runs it in a network of its own.
scenario() {
	local unshare=(setpriv --pdeathsig KILL unshare -mnp --fork
		--kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip ss socat curl; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run timeout 60 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/pipe-words.bash" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "words_$1: fine" ]
}

@test "a forward says once why a connection came to nothing" {
	scenario forwards
}

@test "a server's place that is corrected counts at once" {
	scenario server
}

@test "a program that can't be run is told of at both ends" {
	scenario program
}

@test "that a peer is away is news to who waits for it, and to nobody else" {
	scenario away
}
