#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-pipe for longer, and more of it: see tests/lab/pipe.bats.

bats_require_minimum_version 1.5.0

setup_file() {
	load ../lab/lab
	export LAB_TIMEOUT=600
	LAB_JOBS=2 lab_start pipe_idle pipe_direct_long pipe_relayed_long \
	    pipe_lossy_long pipe_lossy_relayed pipe_killed_often \
	    pipe_disturbed_often
}

setup() {
	load ../lab/lab
}

@test "everything at once with scp of 1 GiB, directly" {
	lab_result pipe_direct_long
}

@test "everything at once with scp of 1 GiB, by the relay alone" {
	lab_result pipe_relayed_long
}

@test "everything at once with 5 % loss and 50 ms each way, directly" {
	lab_result pipe_lossy_long
}

@test "everything at once with 5 % loss and 50 ms each way, by the relay alone" {
	lab_result pipe_lossy_relayed
}

@test "killed ten times, five of each: errors on both sides, and routes come back" {
	lab_result pipe_killed_often
}

@test "NATs forget their tables and hosts change their addresses, 10 times" {
	lab_result pipe_disturbed_often
}

@test "three minutes without a byte: the session is still there" {
	lab_result pipe_idle
}
