#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-pipe between two sites behind NATs, by one pair of keys: what people would
# run over it, all at once, and what happens to it below.

bats_require_minimum_version 1.5.0

setup_file() {
	load lab
	local p
	for p in sshd rsync git iperf3 curl socat; do
		PATH=$PATH:/usr/sbin command -v "$p" >/dev/null || skip "no $p"
	done
	LAB_JOBS=3 lab_start pipe_relay_gone pipe_killed pipe_direct \
	    pipe_moves pipe_disturbed pipe_relayed pipe_lossy \
	    pipe_relay_killed
}

setup() {
	load lab
}

@test "ssh, scp, rsync, git, HTTP, 200 streams, iperf3, a game: at once, directly" {
	lab_result pipe_direct
}

@test "the same by the relay alone" {
	lab_result pipe_relayed
}

@test "the same with 5 % loss and 50 ms, each way" {
	lab_result pipe_lossy
}

@test "from the relay to a direct path and back, in the middle of streams" {
	lab_result pipe_moves
}

@test "NATs flushed, another address, in the middle of streams" {
	lab_result pipe_disturbed
}

@test "the relay is killed: on the second within 4 s" {
	lab_result pipe_relay_killed
}

@test "the only relay is killed: streams wait for it, and end with an error after 30 s" {
	lab_result pipe_relay_gone
}

@test "a process is killed -9: streams end with errors on both sides, routes come back" {
	lab_result pipe_killed
}
