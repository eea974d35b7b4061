#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# Attacks on nat-pipe: by strangers, by a peer that has a key and means harm, by
# the relay between two. What the attackers do is in tests/tools/pipe-attack.c,
# pipe-stranger.c and pipe-mitm.c. Paths come from a file (-i), so nobody else is needed.

bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/pipe-attacks.bash"

setup() {
	begin
}

teardown() {
	finish
}

@test "strangers, other keys and garbage get not one byte, and nobody is hurt" {
	listener cat
	attack strangers 2400
	[ "${V[silent]}" = 2400 ]
	# nobody is listed but the two that are known
	status > known
	[ "$(grep -c '^tunnel ' known)" = 2 ]
	[ "$(grep -c -e "key=$KA " -e "key=$KB " known)" = 2 ]
	roughly_flat
	quiet_log
}

@test "garbage and forgeries from the proven endpoint spoil no transfer" {
	listener cat
	attack garbage 40000000
	[ "${V[injected]}" -gt 1000 ]
	# what comes back is less than what went in
	[ "${V[in]}" -lt "${V[out]}" ]
	quiet_log
}

@test "first lines that are none are refused, each by itself" {
	listener cat
	attack lines
	for bad in nul nul-alone empty cr blank twice bare verb zeros wraps \
	    minus no-host host-nul host-newline relative id-wraps id-minus; do
		grep -qx "$bad: no reason=failed" attacked
	done
	grep -qx "endless: reset" attacked
	grep -qx "511: ok" attacked
	grep -qx "512: reset" attacked
	roughly_flat
	quiet_log
}

@test "what is not permitted is refused, however it is spelt; the target sees nothing" {
	hooks
	permit_line "permit $KA localhost:$WATCHED"
	permit_line "permit $KA 192.0.2.1:$WATCHED"
	permit_line "permit $KB 127.0.0.1:$WATCHED"
	permit_line "permit $KA no.example:$WATCHED hook=$PWD/no"
	permit_line "permit $KA kills.example:$WATCHED hook=$PWD/kills"
	permit_line "permit $KA huge.example:$WATCHED hook=$PWD/huge"
	permit_line "permit $KA gone.example:$WATCHED hook=$PWD/gone"
	permit_line "permit $KA /run/permitted"
	listener cat
	for host in 127.0.0.1 ::1 ::ffff:127.0.0.1 0:0:0:0:0:ffff:7f00:1 \
	    127.0.0.2 0.0.0.0 :: no.example kills.example gone.example \
	    huge.example LOCALHOST.localdomain localhost.; do
		printf '%s\n' "open to=tcp host=$host port=$WATCHED" \
		    "open to=udp host=$host port=$WATCHED"
	done > openings
	printf '%s\n' "open to=unix path=/run/other" \
	    "open to=unix path=/run//permitted" \
	    "open to=unix path=/run/permitted2" \
	    "open to=listen proto=tcp bind=0 id=1" \
	    "open to=listen proto=tcp bind=%2a:$WATCHED id=1" \
	    "open to=listen proto=unix bind=$PWD/x id=1" >> openings
	asks openings
	none grep -v ': no reason=not-permitted$' attacked
	# nonsense is not even compared
	for host in 0x7f.1 127.1 2130706433 017700000001 127.0.0.1%00 \
	    localhost%00 '[::1]' 127.0.0.1. 1 fe80::1%25lo%00; do
		printf '%s\n' "open to=tcp host=$host port=$WATCHED"
	done > openings
	printf '%s\n' "open to=unix path=/run/../run/permitted" \
	    "open to=unix path=/run/permitted/.." \
	    "open to=unix path=run/permitted" \
	    "open to=unix path=/run/permitted%00x" >> openings
	asks openings
	none grep -v ': no reason=failed$' attacked
	# back: only who was asked to listen
	attack ask "open to=back id=1"
	grep -qx '.*: no reason=not-permitted' attacked
	none grep -q came targets
	# and the same target is reached by who may
	"$P" -k b -p "$PORTB" -i pathb -W "127.0.0.1:$WATCHED" "$KE" \
	    < /dev/null &
	PIDS="$PIDS $!"
	until_true grep -q came=tcp targets
	# the hook that is not there is the only thing to complain of
	none grep -v -e ': debug: ' -e ': info: ' -e "can't run the hook .*/gone:" err
}

# Beside it: a hook that hangs decides no, after a while.
@test "a stream every millisecond for 10 s: bounded, refused, nobody starves" {
	hooks
	permit_line "permit $KC hangs.example:$WATCHED hook=$PWD/hangs"
	listener cat
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
	    "$B/tools/pipe-stranger" -k c -P "$KE" -p "$PORTC" -o "127.0.0.1:$PORTE" \
	    ask "open to=tcp host=hangs.example port=$WATCHED" > hung &
	hung=$!
	until_true test -s hanging
	attack flood 10000 "open to=tcp host=127.0.0.1 port=$DEAF"
	[ "${V[asked]}" -gt 2000 ]
	[ "${V[busy]}" -gt 500 ]
	# 256 streams at once, and what an engine has besides
	[ "${V[fds_max]}" -lt 320 ]
	within_budget
	keeps_up own
	keeps_up other
	wait $hung
	grep -q 'no reason=not-permitted' hung
	none grep -q came targets
	none kill -0 "$(cat hanging)"
	quiet_log
}

@test "250 readers that never read, and 100 targets that never do: others go on" {
	listener cat
	attack deaf 250 "open to=tcp host=127.0.0.1 port=$SOURCE"
	[ "${V[opened]}" = 250 ]
	[ "${V[stuck]}" = 1 ]
	within_budget
	keeps_up own
	keeps_up other
	until_true few_fds
	attack upload 100 "open to=tcp host=127.0.0.1 port=$DEAF"
	[ "${V[opened]}" = 100 ]
	[ "${V[stuck]}" = 1 ]
	within_budget
	keeps_up own
	keeps_up other
	quiet_log
}

@test "10,000 handshakes that stall: flat memory; a real client gets in" {
	listener cat
	attack stall 10000
	[ "${V[honest_entries]}" -gt 3 ]
	[ "${V[honest_lost]}" = 0 ]
	# the key's own owner, too, amid what a spoofer sends
	[ "${V[in]}" = 5 ]
	# three hellos for each of them went out
	[ "${V[amplified]}" = 0 ]
	roughly_flat
	quiet_log
}

@test "datagrams of streams that are not there" {
	listener cat
	attack datagrams 2000 "open to=udp host=127.0.0.1 port=$UDP"
	[ "${V[answer]}" = ok ]
	[ "${V[echo]}" = 1 ]
	roughly_flat
	quiet_log
}

@test "2,500 ports to listen at: no more than streams, and all are gone after" {
	listener cat
	attack listen 2500 "open to=listen proto=tcp bind=127.0.0.1:0"
	[ "${V[yes]}" -gt 200 ]
	[ "${V[busy]}" -gt 500 ]
	[ "${V[fds_max]}" -lt 320 ]
	[ "${V[fds_after]}" -lt 40 ]
	roughly_flat
	quiet_log
}

@test "a listener that answers nonsense: an error, and nothing at the terminal" {
	for kind in endless nul empty unknown port escape escaped binary reset; do
		answerer $kind
		run -111 --separate-stderr timeout 20 "$P" -k e -p "$PORTE" \
		    -i paths -W 127.0.0.1:1 "$KA" < /dev/null
		[ -z "$output" ]
		[ -n "$stderr" ]
		none grep -q '[[:cntrl:]]' <<< "$stderr"
		answerer_end
	done
}

@test "the relay flips, cuts, repeats, delays and replays: byte for byte, or an end" {
	mitm 1 flip cut twice late old lose
	listener cat
	head -c 20000000 /dev/urandom > sent
	timeout 60 "$P" -k a -p "$PORTA" -i patha "$KE" < sent > got
	cmp sent got
	kill -TERM "$MITM"
	wait "$MITM"
	spoilt=$(sed -n 's/.*spoilt=//p' mitm)
	[ "$spoilt" -gt 50 ]
	quiet_log
}

@test "local clients that mean harm: no descriptor stays, nobody else notices" {
	listener cat
	until_true test -S e.sock
	before=$(fds)
	timeout 60 "$B/tools/pipe-local" mux e.sock "$KB"
	timeout 60 "$B/tools/pipe-local" control ctl
	kill -0 "$PID"
	until_true fds_are "$before"
	[ "$(stat -c %a e.sock)" = 600 ]
	[ "$(stat -c %a ctl)" = 600 ]
	status > now
	grep -q "^tunnel key=$KA " now
	# what the crowd wants of b is not b's to have: it dials, and gets in
	K=a
	attack enter
	[ "${V[in]}" = 1 ]
}

@test "SOCKS and a port here: nonsense and clients that never read" {
	mkfifo far
	listener cat
	"$P" -k a -p "$PORTA" -i patha -N 6 -D 127.0.0.1:"$PORTM" \
	    -L "127.0.0.1:$PORTN:127.0.0.1:$SOURCE" "$KE" 6> far > /dev/null \
	    2> erra &
	near=$!
	PIDS="$PIDS $near"
	read -r _ < far
	before=$(PID=$near fds)
	for bytes in '\4\1\0\26\177\0\0\1\0' '\5\0' '\5\1\2' '\5\377' \
	    '\5\1\0\5\1\0\3\0\0\26' '\5\1\0\5\1\0\3\377' \
	    '\5\1\0\5\2\0\1\177\0\0\1\0\26' '\5\1\0\5\1\0\3\3a\0b\0\26' \
	    '\5\1\0\5\1\0\3\6127.01\0\26' 'GET / HTTP/1.0\r\n\r\n'; do
		printf '%b' "${bytes//\\/\\0}" |
		    timeout 5 socat -t 1 - "TCP:127.0.0.1:$PORTM" > said || :
		# granted is \5\0\0
		none grep -qaP '^\x05\x00\x05\x00' said
	done
	# known key, port that is not permitted, by SOCKS: 2
	run curl -s -m 10 --socks5-hostname "127.0.0.1:$PORTM" \
	    "http://127.0.0.1:$WATCHED/"
	[ "$status" -eq 97 ]
	none grep -q came targets
	# 40 clients that read nothing, and one that does
	for _ in $(seq 40); do
		sleep 60 < "/dev/tcp/127.0.0.1/$PORTN" &
		PIDS="$PIDS $!"
	done
	head -c 50000000 < "/dev/tcp/127.0.0.1/$PORTN" | wc -c > much
	[ "$(cat much)" = 50000000 ]
	is_asan || [ "$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' \
	    "/proc/$near/status")" -lt 120000 ]
	kill -0 "$near"
}

@test "an allow file that others may write is refused" {
	chmod 620 allow
	run -100 --separate-stderr timeout 5 "$P" -k e -i paths -p "$PORTE" \
	    -s lend -l -a allow cat
	[[ $stderr == *allow* ]]
}

@test "no key in arguments, environments or logs" {
	printf '#!/bin/sh\nenv > %s/env\ntr "\\0" "\\n" < /proc/$PPID/cmdline > %s/parent\nexec cat\n' \
	    "$PWD" "$PWD" > prog
	chmod 755 prog
	listener ./prog
	attack enter
	# the client's own engine, too
	echo hello | "$P" -v -v -k b -p "$PORTB" -i pathb "$KE" > got 2> errb
	[ "$(cat got)" = hello ]
	for k in a b; do
		"$B/tools/pipe-stranger" -k $k -P "$KE" -p 1 -o 127.0.0.1:1 psk
	done > secrets
	cat a b e >> secrets
	[ "$(wc -l < secrets)" -eq 9 ]
	for pid in "$PID" $(pgrep -u "$(id -u)" -x nat-pipe); do
		tr '\0' '\n' < "/proc/$pid/cmdline" || :
		tr '\0' '\n' < "/proc/$pid/environ" || :
	done > seen 2> /dev/null
	cat env parent err errb >> seen
	grep -q QUICREMOTEPORT seen
	none grep -Ff secrets seen
}
