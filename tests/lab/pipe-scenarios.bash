# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios of nat-pipe; read by scenarios.bash. All of one scenario goes
# between one pair of keys.

# shellcheck source=tests/lab/pipe-parts.bash
. "$here/pipe-parts.bash"
# shellcheck source=tests/lab/pipe-long.bash
. "$here/pipe-long.bash"

# Everything at once. all_of_it SCP_MIB SECONDS [most of the game that is lost]
all_of_it() {
	local lost
	: >going
	start_work session
	start_work game "$2"
	start_work http
	start_work scp "$1"
	start_work rsync 200
	start_work git
	start_work stdio 8
	start_work reverse 1000000
	start_work many 200 200000
	finish_work http many reverse stdio git rsync
	start_work iperf3 2 20
	finish_work iperf3 scp game
	rm going
	finish_work session
	lost=$(game_lost)
	[ "$lost" -le "${3:-0}" ] || fail "$lost of the game were lost"
	[ "$(grep -c end=complete known.hb)" = 200 ] || fail "not all 200 came"
	! grep -v end=complete known.hb known.ha || fail "not all came"
}

# Bytes that the relay has carried for ha.
carried() {
	relay_asked 2 pairs | awk -v k="key=$(cat ha.pub)" '
	$1 == "binding" && $2 == k {
		for (i = 3; i <= NF; i++)
			if (sub(/^bytes=/, "", $i)) n += $i }
	END { print n + 0 }'
}

scenario_pipe_direct() {
	local before
	pipe_sites 1
	pipe_up
	within 20 both_paths direct || fail "not direct"
	before=$(carried)
	all_of_it "${1:-64}" "${2:-10}"
	within 20 both_paths direct || fail "not direct any more: $(paths)"
	[ $(($(carried) - before)) -lt 100000 ] || fail "it went by the relay"
}

scenario_pipe_relayed() {
	pipe_sites 1
	pipe_up -r
	all_of_it "${1:-64}" "${2:-10}"
	both_paths relayed || fail "not relayed any more: $(paths)"
	[ "$(carried)" -gt $((${1:-64} * 1000000)) ] ||
		fail "it did not go by the relay"
}

# The same over a wire that loses every 20th packet either way, and has 50 ms
# either way.
scenario_pipe_lossy() { # [SCP_MIB [option]]
	export NET_WIRED=na
	pipe_sites 1
	wire na delay_ms=50 loss=5
	pipe_up "${@:2}"
	: >going
	start_work session
	start_work game 10
	start_work http
	start_work rsync 20
	start_work many 200 1000
	start_work reverse 20000
	finish_work http many reverse rsync
	start_work git
	start_work scp "${1:-2}"
	start_work stdio 1
	finish_work game git stdio
	start_work iperf3 2 1
	finish_work iperf3 scp
	rm going
	finish_work session
	# 1 - 0.95 * 0.95 is one tenth
	[ "$(game_lost)" -le $((10 * 20 / 4)) ] ||
		fail "$(game_lost) of the game were lost"
}

# Streams with a tick 100 times a second, both ways, and known bytes, 10 MB/s both
# ways: for SECONDS.
start_flow() {
	run_on ha "$NATKIT_BUILD/tools/tcp-known" ticks 127.0.0.1:7001 100 \
	    $((6400 * $1)) >ticks.a &
	ticks_a=$!
	run_on hb "$NATKIT_BUILD/tools/tcp-known" ticks 127.0.0.1:7004 100 \
	    $((6400 * $1)) >ticks.b &
	ticks_b=$!
	run_on ha "$NATKIT_BUILD/tools/tcp-known" ask 127.0.0.1:7001 1 \
	    $((10000000 * $1)) 156250 >bulk &
	bulk=$!
	start_work game "$1"
}

# still NAME FROM_MS TO_MS MOST_MS: the longest time without a tick.
still() {
	local f l
	for f in a b; do
		l=$(gap "ticks.$f" "$2" "$3")
		echo "FIGURE $scenario: $1, towards h$f: $l ms without a byte"
		[ "$l" -le "$4" ] || fail "$1: a stream stood still for $l ms"
	done
}

finish_flow() {
	wait "$bulk" || fail "bytes: $(cat bulk)"
	wait "$ticks_a" || fail "ticks of ha: $(tail -n 1 ticks.a)"
	wait "$ticks_b" || fail "ticks of hb: $(tail -n 1 ticks.b)"
	! grep -v end=complete known.hb known.ha || fail "not all came"
}

# relay, direct, relay, under streams.
scenario_pipe_moves() {
	local at
	pipe_sites 1
	no_direct
	pipe_up
	within 10 both_paths relayed || fail "not relayed"
	within 20 listens hb 7004 || fail "hb does not listen"
	start_flow 24
	sleep 2
	net_ms
	at=$net_ms
	yes_direct
	within 70 both_paths direct || fail "it does not become direct"
	echo "FIGURE $scenario: direct after $(spent "$at") ms"
	net_ms
	sleep 2
	still "relay to direct" "$at" $((net_ms + 1900)) 2500
	no_direct
	net_flush na
	net_ms
	at=$net_ms
	within 10 both_paths relayed || fail "not relayed again"
	sleep 5
	still "direct to relay" "$at" $((at + 4900)) 4000
	yes_direct
	finish_flow
	finish_work game
	! both_paths direct || echo "FIGURE $scenario: and direct again"
}

# A disturbance under streams: disturbed NAME MOST_MS prog args. The streams stand
# still for so long at most, and then go on.
disturbed() {
	local at
	net_ms
	at=$net_ms
	"${@:3}"
	sleep $((($2 + 1999) / 1000))
	still "$1" "$at" $((at + $2 + 900)) "$2"
}

begin_disturbed() { # RELAYS PATH SECONDS
	pipe_sites "$1"
	[ "$2" = direct ] || no_direct
	pipe_up
	within 20 both_paths "$2" || fail "not $2"
	within 20 listens hb 7004 || fail "hb does not listen"
	start_flow "$3"
	sleep 2
}

scenario_pipe_disturbed() {
	begin_disturbed 1 direct 20
	disturbed "the NAT of ha flushed" 4000 net_flush na
	disturbed "the NAT of hb flushed" 4000 net_flush nb
	disturbed "another address of ha" 5000 net_readdress ha 192.168.1.2 \
	    192.168.1.77 192.168.1.1
	finish_flow
	finish_work game
}

relay_of_path() { # the N of the relay that is in use
	control_of ha status |
		sed -n 's/^tunnel .* endpoint=192\.0\.2\.\([23]\):.*/\1/p'
}

kill_relay() { # N
	local p=relay_$1
	kill -9 "${!p}"
}

scenario_pipe_relay_killed() {
	local n
	begin_disturbed 2 relayed 14
	n=$(relay_of_path)
	disturbed "relay killed, another there" 4000 kill_relay "$n"
	finish_flow
	finish_work game
	[ "$(relay_of_path)" = $((5 - n)) ] || fail "not on the second"
}

# The only relay is killed, is back after 10 s, and is killed for good.
scenario_pipe_relay_gone() {
	local at
	begin_disturbed 1 relayed 90
	net_ms
	at=$net_ms
	kill_relay 2
	sleep 10
	start_relay 2
	within 20 moving "$at" || fail "the streams do not go on"
	still "relay killed, and back after 10 s" "$at" "$net_ms" 25000
	kill_relay 2
	net_ms
	at=$net_ms
	within 60 all_flow_ended || fail "a stream hangs"
	echo "FIGURE $scenario: no relay any more: all streams ended after $(spent "$at") ms"
	cut_off
}

moving() { # SINCE: has a tick come on both sides that is newer by a second?
	sleep 0.2
	net_ms
	[ "$(tail -n 1 ticks.a | cut -d ' ' -f 1)" -gt $((net_ms - 300)) ] &&
		[ "$(tail -n 1 ticks.b | cut -d ' ' -f 1)" -gt $((net_ms - 300)) ] &&
		[ "$net_ms" -gt $(($1 + 10000)) ]
}

all_flow_ended() {
	! kill -0 "$bulk" 2>/dev/null && ! kill -0 "$ticks_a" 2>/dev/null &&
		! kill -0 "$ticks_b" 2>/dev/null
}

# All streams of the flow were cut off: each of the ends has seen an error, and no
# end that looks as if it were complete.
cut_off() {
	local f
	for f in bulk ticks.a ticks.b known.ha known.hb; do
		! grep -E 'end=(short|wrong|complete)' "$f" ||
			fail "$f: no error"
	done
	[ "$(cat bulk ticks.a ticks.b | grep -c end=reset)" = 3 ] ||
		fail "a client has seen no error"
	within 20 served_all 3 || fail "a server has seen no error"
}

served_all() { # COUNT
	[ "$(cat known.ha known.hb | grep -c end=reset)" = "$1" ]
}

# What a process that is killed leaves: streams that ended with errors on both
# sides, and routes that come back.
scenario_pipe_killed() {
	local i h
	for i in $(seq "${1:-1}"); do
		for h in hb ha; do
			[ -n "${engine_ha:-}" ] || begin_killed
			killed "$h" "$i"
		done
	done
}

begin_killed() {
	pipe_sites 1
	services
	head -c 1000000 /dev/urandom >piece
	cat >program <<-'P'
	#!/bin/sh
	sha256sum >>sums
	P
	chmod +x program
	start_engine hb -l "$NET_DIR/program"
	start_a
	within 20 both_paths direct || fail "not direct"
	within 20 listens hb 7004 || fail "hb does not listen"
}

# The same piece again and again, 10 a second.
pieces() {
	while cat piece; do
		sleep 0.1
	done
}

# A stream by standard input and output: its exit code in code.NAME.
cut_stream() { # NAME prog args
	local code=0
	as_of ha "${@:2}" >"cut.$1" 2>"cut.$1.err" || code=$?
	echo "$code" >"code.$1"
}

start_cut() {
	rm -f code.* came* sums
	: >known.ha
	: >known.hb
	run_on hb socat -d -u TCP-LISTEN:7009,bind=127.0.0.1,reuseaddr CREATE:came \
	    2>came.err &
	came=$!
	run_on hb socat -u SYSTEM:'while cat piece; do sleep 0.1; done' \
	    TCP-LISTEN:7010,bind=127.0.0.1,reuseaddr 2>went.err &
	within 5 listens hb 7009 7010 || fail "socat does not listen"
	pieces 2>/dev/null | cut_stream up nat-pipe -W 127.0.0.1:7009 hb &
	cut_stream down nat-pipe -W 127.0.0.1:7010 hb </dev/null &
	pieces 2>/dev/null | cut_stream program nat-pipe hb &
	pieces 2>/dev/null | cut_stream ssh ssh -F ssh_config hb 'cat >/dev/null' &
	start_flow 60
	within 10 flows || fail "not everything flows"
	sleep 1
}

flows() {
	[ -s came ] && [ -s cut.down ] && [ -s ticks.a ] && [ -s ticks.b ] &&
		[ "$(grep -c '^stream' < <(control_of ha streams))" -ge 8 ]
}

all_cut() {
	[ -e code.up ] && [ -e code.down ] && [ -e code.program ] &&
		[ -e code.ssh ] && all_flow_ended && ! kill -0 "$came" 2>/dev/null
}

# prefix FILE: is it the pieces, up to some byte?
prefix() {
	local n
	n=$(stat -c %s "$1")
	while cat piece; do :; done 2>/dev/null | head -c "$n" | cmp - "$1"
}

killed() { # HOST ROUND
	local at p=engine_$1 n
	start_cut
	net_ms
	at=$net_ms
	kill -9 "${!p}"
	wait "${!p}" || :
	if [ "$1" = hb ]; then
		start_engine hb -l "$NET_DIR/program"
	else
		start_a
	fi
	within 40 all_cut || fail "$1 killed: a stream hangs: $(grep . code.*)"
	echo "FIGURE $scenario: $1 killed, round $2: all streams ended after $(spent "$at") ms"
	for n in up=111 down=111 program=111 ssh=255; do
		[ "$(cat "code.${n%=*}")" = "${n#*=}" ] ||
			fail "$1 killed: ${n%=*} ended with $(cat "code.${n%=*}"): $(cat "cut.${n%=*}.err")"
		# ssh may kill its ProxyCommand before that has said anything
		[ "$n" = ssh=255 ] || [ -s "cut.${n%=*}.err" ] ||
			fail "$1 killed: $n says nothing"
	done
	prefix came || fail "$1 killed: other bytes came"
	prefix cut.down || fail "$1 killed: other bytes came down"
	[ "$1" = hb ] || [ ! -s sums ] || fail "$1 killed: the program took it for an end"
	grep -q 'Connection reset' came.err ||
		fail "$1 killed: hb took it for an end"
	cut_off
	within 20 works || fail "$1 killed: the routes do not come back"
	echo "FIGURE $scenario: $1 killed, round $2: routes back after $(spent "$at") ms"
}

# Routes, both ways, and a program.
works() {
	on ha timeout 10 "$NATKIT_BUILD/tools/tcp-known" ask 127.0.0.1:7001 \
	    2 100000 >again.a &&
		on hb timeout 10 "$NATKIT_BUILD/tools/tcp-known" ask \
		    127.0.0.1:7004 2 100000 >again.b &&
		[ "$(an_ssh hb echo there)" = there ]
}
