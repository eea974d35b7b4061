#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# Attacks on nat-pipe that take their time; see tests/e2e/pipe-attacks.bats.

bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../e2e/pipe-attacks.bash"

setup() {
	begin
}

teardown() {
	finish
}

@test "a listener that never answers: an end within two minutes" {
	for kind in silent stop; do
		answerer $kind
		run -111 --separate-stderr timeout 120 "$P" -k e -p "$PORTE" \
		    -i paths -W 127.0.0.1:1 "$KA" < /dev/null
		[ -z "$output" ]
		[ -n "$stderr" ]
		answerer_end
	done
}

# Neither end of the connection may wait for ever.
@test "a relay that spoils everything in mid-transfer: both sides say so" {
	mitm 0 flip
	listener cat
	timeout 150 "$P" -k a -p "$PORTA" -i patha "$KE" < /dev/zero > got \
	    2> erra &
	client=$!
	until_true test -s got
	kill -USR1 "$MITM"
	code=0
	wait $client || code=$?
	[ $code -eq 111 ]
	[ -s erra ]
	# the listener's program is gone, too
	for _ in $(seq 600); do
		pgrep -P "$PID" > /dev/null || break
		sleep 0.1
	done
	none pgrep -P "$PID"
	quiet_log
}

@test "10 % spoilt in every way: byte for byte" {
	mitm 10 flip cut twice late old lose
	listener cat
	head -c 200000000 /dev/urandom > sent
	timeout 500 "$P" -k a -p "$PORTA" -i patha "$KE" < sent > got
	cmp sent got
	quiet_log
}

@test "little memory (-m 4): 250 deaf readers and targets stay within it" {
	OPTIONS="-m 4"
	listener cat
	for verb in "deaf 250 $SOURCE" "upload 250 $DEAF"; do
		# shellcheck disable=SC2086
		set -- $verb
		until_true few_fds
		attack "$1" "$2" "open to=tcp host=127.0.0.1 port=$3"
		[ "${V[stuck]}" = 1 ]
		# 128 KiB of each stream are for nothing
		[ "${V[rss_max]}" -lt $((V[rss_before] + 2 * 4096 + 256 * 128)) ]
		keeps_up other
	done
	quiet_log
}

@test "a minute of programs asked for and left, a thousand a second" {
	listener cat
	attack flood 60000 "open to=program"
	[ "${V[busy]}" -gt 5000 ]
	[ "${V[fds_max]}" -lt 600 ]
	keeps_up other
	for _ in $(seq 300); do
		[ "$(pgrep -c -P "$PID")" = 0 ] && break
		sleep 0.1
	done
	K=a
	attack enter
	quiet_log
}
