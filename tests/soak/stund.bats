#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# nat-stund under millions of bad packets, and connections that never end.

bats_require_minimum_version 1.5.0

setup() {
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	CORPUS=$(cd "$BATS_TEST_DIRNAME/../fuzz/corpus" && pwd)
	cd "$BATS_TEST_TMPDIR" || return 1
	chmod 755 .
	PID=
}

teardown() {
	if [ -n "$PID" ]; then
		kill -KILL "$PID" 2> /dev/null || :
		wait "$PID" 2> /dev/null || :
	fi
}

start() {
	rm -f ready
	mkfifo ready
	"$B/nat-stund" -p 0 -P 0 -1 -N 5 -c ctl -r 1000000 "$@" > out 2> err \
	    5> ready &
	PID=$!
	read -r _ < ready
	PORT=$(sed -n '1s/.*:\([0-9]*\)$/\1/p' out)
}

stop() {
	kill -TERM "$PID"
	wait "$PID"
	PID=
	cat err
	[ ! -s err ]
}

stat() {
	printf 'stats\n' | socat -t5 - UNIX-CONNECT:ctl |
		sed -n "s/^stats name=$1 value=//p"
}

@test "10 million random and mutated packets: no reply where none is due" {
	start -b 127.0.0.1 -b 127.0.0.2
	run -0 "$B/tools/stun-flood" -n 10000000 -s "$RANDOM" -p "$PID" \
	    "127.0.0.1:$PORT" "$CORPUS"/*/*
	echo "$output"
	stop
}

@test "2 million each over IPv6, by two processes, under -A" {
	for options in "-b ::1" "-n 2 -b ::1"; do
		# shellcheck disable=SC2086
		start $options
		run -0 "$B/tools/stun-flood" -n 2000000 -s "$RANDOM" -p "$PID" \
		    "[::1]:$PORT" "$CORPUS"/*/*
		stop
	done
	start -A
	run -0 "$B/tools/stun-flood" -A -n 2000000 -s "$RANDOM" -p "$PID" \
	    "127.0.0.1:$PORT" "$CORPUS"/*/*
	stop
}

@test "a connection that is silent, or never gets a message whole, ends" {
	start -b 127.0.0.1
	exec {silent}<> "/dev/tcp/127.0.0.1/$PORT"
	exec {slow}<> "/dev/tcp/127.0.0.1/$PORT"
	# a header, then a byte a second of the 100 that it promises
	printf '\0\1\0\144\41\22\244\102abcdefghijkl' >&"$slow"
	for _ in $(seq 40); do
		[ "$(stat connections_idle)" -lt 2 ] || break
		printf x >&"$slow" || :
		sleep 1
	done
	[ "$(stat connections_idle)" -eq 2 ]
	run -0 timeout 5 cat <&"$silent"
	[ -z "$output" ]
	stop
}
