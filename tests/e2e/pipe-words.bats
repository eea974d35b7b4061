#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What nat-pipe tells the person who runs it, on one host: of connections that
# came to nothing, of peers that are away, of files that are wrong.

bats_require_minimum_version 1.5.0

scenarios=pipe-words.bash
. "$BATS_TEST_DIRNAME/pipe-scenario.bash"

@test "a forward says once why a connection came to nothing" {
	scenario words_forwards
}

@test "a server's place that is corrected counts at once" {
	scenario words_server
}

@test "a program that can't be run is told of at both ends" {
	scenario words_program
}

@test "that a peer is away is news to who waits for it, and to nobody else" {
	scenario words_away
}
