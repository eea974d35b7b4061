#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-pipe from end to end, on one host: streams, forwards, the engine that its
# clients share, the control socket.

bats_require_minimum_version 1.5.0

scenarios=pipe-net.bash
. "$BATS_TEST_DIRNAME/pipe-scenario.bash"

@test "usage errors end with 100 and say what to do" {
	scenario usage
}

@test "an unknown key hears nothing" {
	scenario stranger
}

@test "what goes wrong ends with 1 or 111, and a sentence" {
	scenario codes
}

@test "own faults are told first, and at once" {
	scenario faults
}

@test "by a rendezvous server: to a pipe, to a program" {
	scenario rendezvous
}

@test "the pipeline that finds the paths ends, changes, goes" {
	scenario pipeline
}

@test "not a byte is lost, whichever side ends first" {
	scenario bytes
}

@test "clients share an engine, which goes by itself" {
	scenario shared
}

@test "options count for the engine that runs, too" {
	scenario options
}

@test "forwards run in whatever engine the key has" {
	scenario forwards
}

@test "routes: TCP, UDP, Unix, SOCKS, -R, and SIGHUP" {
	scenario routes
}

@test "the control socket, and nat-pipe status" {
	scenario control
}
