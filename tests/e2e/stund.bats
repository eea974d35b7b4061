#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# nat-stund over loopback, asked by tests/tools/stun-ask, by coturn's and
# Debian's clients, and attacked by tests/tools/stun-flood. The multihomed host
# under policy routing is in stund-net.bash.

bats_require_minimum_version 1.5.0

setup() {
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	D=$B/nat-stund
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

# start OPTION...: runs the server, waits until it is ready, and sets PID, PORT
# (P1) and PORT2.
start() {
	rm -f ready
	mkfifo ready
	"$D" -p 0 -P 0 -1 -N 5 -c ctl "$@" > out 2> err 5> ready &
	PID=$!
	read -r _ < ready
	PORT=$(sed -n '1s/.*:\([0-9]*\)$/\1/p' out)
	PORT2=$(sed -n '2s/.*:\([0-9]*\)$/\1/p' out)
}

stop() {
	kill -TERM "$PID"
	wait "$PID"
	PID=
}

two() {
	start -b 127.0.0.1 -b 127.0.0.2 -b ::1 "$@"
}

# ask [OPTION...]: stun-ask at 127.0.0.1:P1, or at the operand that has a colon.
ask() {
	case ${*: -1} in
	*:*) "$B/tools/stun-ask" "$@" ;;
	*) "$B/tools/stun-ask" "$@" "127.0.0.1:$PORT" ;;
	esac
}

control() {
	printf '%s\n' "$1" | socat -t5 - UNIX-CONNECT:ctl
}

stat() {
	control stats | sed -n "s/^stats name=$1 value=//p"
}

until_true() {
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

@test "bad options are named" {
	for bad in "-p 65536" "-p x" "-P -1" "-n 0" "-n 65" "-b nowhere" \
	    "-b 0.0.0.0" "-b ::" "-b fe80::1" "-b 224.0.0.1" "-r 0" "-N 2" "-N 99" "-Z" \
	    "-p 5 -P 5" "-b 127.0.0.1 -b 127.0.0.1" \
	    "-b 127.0.0.1 -b 127.0.0.2 -b 127.0.0.3" operand; do
		# shellcheck disable=SC2086
		run --separate-stderr "$D" $bad
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ $stderr == *"nat-stund: fatal: "*"usage: nat-stund"* ]]
	done
	run --separate-stderr "$D" -p 0 -b 127.0.0.1 -u no-such-user
	[ "$status" -eq 100 ]
	[[ $stderr == *"fatal: -u no-such-user: no such user" ]]
	run --separate-stderr "$D" -p 0 -b 192.0.2.1
	[ "$status" -eq 100 ]
	[[ $stderr == *"can't listen on 192.0.2.1:0: no address of this host; ip addr lists them" ]]
	run --separate-stderr "$D" -h
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	[[ $output == *"(3478)"*"(3479)"* ]]
}

@test "a port in use ends it, also where the sockets are shared by processes" {
	start -b 127.0.0.1 -n 2
	for n in 1 2; do
		run --separate-stderr "$D" -b 127.0.0.1 -p "$PORT" -n $n
		[ "$status" -eq 100 ]
		[[ $stderr == *"127.0.0.1:$PORT: "*"is another STUN server running? ss -lntup"* ]]
	done
}

@test "listen records: every UDP socket; a wildcard has one port; JSON" {
	two
	printf 'listen endpoint=%s\n' "127.0.0.1:$PORT" "127.0.0.1:$PORT2" \
	    "127.0.0.2:$PORT" "127.0.0.2:$PORT2" "[::1]:$PORT" | diff - out
	stop
	start
	printf 'listen endpoint=%s\n' "0.0.0.0:$PORT" "[::]:$PORT" | diff - out
	stop
	start -b 127.0.0.1 -j
	grep -qx '{"record":"listen","endpoint":"127.0.0.1:[0-9]*"}' out
	stop
	[ ! -s err ]
}

@test "no answer to what is none of its business, and it stays as it is" {
	two -r 1000000
	run -0 "$B/tools/stun-flood" -n 150000 -p "$PID" "127.0.0.1:$PORT" \
	    "$CORPUS"/*/*
	[[ $output == *"sent=150"*" due="*" answers="* ]]
	run -0 "$B/tools/stun-flood" -n 20000 -s 7 "[::1]:$PORT" "$CORPUS"/*/*
	run -0 "$B/tools/stun-flood" -n 20000 -s 9 "127.0.0.2:$PORT2" \
	    "$CORPUS"/*/*
	[ "$(stat malformed)" -gt 10000 ]
	ask
	stop
	[ ! -s err ]
}

@test "the flood tool sees a wrong answer" {
	# an echo is the most wrong that a server can be
	"$B/tools/pipe-target" > targets &
	PID=$!
	until_true grep -q udp= targets
	port=$(sed -n 's/.*udp=\([0-9]*\).*/\1/p' targets)
	head -c 40 /dev/zero > zero
	run -1 "$B/tools/stun-flood" "127.0.0.1:$port" zero
	[[ $output == *"an answer where none is due"* ]]
}

@test "one address: 420 to CHANGE-REQUEST, no OTHER-ADDRESS, one port" {
	start -b 127.0.0.1 -b ::1
	[ "$(wc -l < out)" -eq 2 ]
	for flags in 0 2 4 6; do
		run -0 ask -c $flags
		[[ $output == "class=3 from=127.0.0.1:$PORT error=420 unknown=0003 sent=28 got=36" ]]
	done
	run -0 ask
	[[ $output != *other=* ]]
	[[ $output == *"origin=127.0.0.1:$PORT "* ]]
	run -0 ask -a 7fff -F
	[[ $output == *"error=420 unknown=7fff fingerprint=yes"* ]]
}

@test "two addresses: RFC 5780's table 1, over IPv4" {
	two
	a1=127.0.0.1:$PORT a2=127.0.0.1:$PORT2
	b1=127.0.0.2:$PORT b2=127.0.0.2:$PORT2
	while read -r to flags from other; do
		run -0 ask -c "$flags" "$to"
		[[ $output == "class=2 from=$from "*" origin=$from other=$other sent=28 got=68" ]]
	done <<- END
		$a1 0 $a1 $b2
		$a1 2 $a2 $b2
		$a1 4 $b1 $b2
		$a1 6 $b2 $b2
		$a2 6 $b1 $b1
		$b1 4 $a1 $a2
		$b2 2 $b1 $a1
	END
	# IPv6 has one address here
	run -0 ask -c 2 "[::1]:$PORT"
	[[ $output == *error=420* ]]
	run -0 ask "[::1]:$PORT"
	[[ $output == *"xor=[::1]:"*" sent=20 got=92" ]]
	[ "$(stat changed)" -eq 6 ]
}

@test "RESPONSE-PORT in 2 and 4 bytes; PADDING comes back; both are refused" {
	two
	for form in 2 4; do
		run -0 ask -r $form
		[[ $output == "class=2 from=127.0.0.1:$PORT to=other "* ]]
	done
	run -0 ask -r 2 -c 4
	[[ $output == "class=2 from=127.0.0.2:$PORT to=other "* ]]
	run -0 ask -r 3
	[[ $output == *error=400* ]]
	run -0 ask -p 1500
	[[ $output == *" padding=1500 sent=1524 got=1572" ]]
	run -0 ask -p 1600
	[[ $output == *" padding=1500 "* ]]
	run -0 ask -p 100 "[::1]:$PORT"
	[[ $output == *" padding=100 "* ]]
	run -0 ask -p 4 -r 2
	[[ $output == "class=3 from=127.0.0.1:$PORT error=400 "* ]]
	[ "$(stat redirected)" -eq 3 ]
}

@test "a wildcard answers from the address that was asked" {
	start
	for a in 127.0.0.5 127.99.1.2; do
		run -0 ask -i 127.0.0.77 "$a:$PORT"
		[[ $output == "class=2 from=$a:$PORT xor=127.0.0.77:"*" origin=$a:$PORT "* ]]
		run -0 ask -t "$a:$PORT"
		[[ $output == *" origin=$a:$PORT "* ]]
	done
	run -0 ask "[::1]:$PORT"
	[[ $output == "class=2 from=[::1]:$PORT "* ]]
}

@test "TCP: many requests of a connection, both families, nothing to change" {
	two
	run -0 ask -t -n 50
	[ "${#lines[@]}" -eq 50 ]
	[[ ${lines[49]} == *"xor=127.0.0.1:"*" other=127.0.0.2:$PORT2 "* ]]
	run -0 ask -t "[::1]:$PORT"
	run -0 ask -t "127.0.0.2:$PORT2"
	run -0 ask -t -c 2
	[[ $output == *"error=420 unknown=0003"* ]]
	run -0 ask -t -p 8
	[[ $output == *"error=420 unknown=0026"* ]]
	[ "$(stat connections)" -eq 5 ]
	# RFC 3489 has no Binding over TCP: the connection ends without a word
	run -1 ask -t -C
	[ -z "$output" ]
	[ "$(stat connections_broken)" -eq 1 ]
}

@test "TCP: 32 connections of one source, and no more memory than that" {
	start -b 127.0.0.1
	for _ in $(seq 40); do
		# shellcheck disable=SC2034 # kept open until the test ends
		exec {fd}<> "/dev/tcp/127.0.0.1/$PORT"
	done
	seen() {
		[ "$(stat connections_refused)" -eq 8 ] &&
			[ "$(stat connections)" -eq 32 ]
	}
	until_true seen
	# another source is not concerned
	run -0 ask -t -i 127.0.0.9
}

@test "TCP: with few descriptors the idlest makes room, and all else goes on" {
	(
		ulimit -n 30
		start -b 127.0.0.1
		echo "$PID $PORT" > started
	)
	read -r PID PORT < started
	for _ in $(seq 31); do
		# shellcheck disable=SC2034 # kept open until the test ends
		exec {fd}<> "/dev/tcp/127.0.0.1/$PORT"
	done
	run -0 ask
	run -0 ask -t -i 127.0.0.9
	[ "$(stat connections)" -eq 32 ]
	[ "$(stat connections_evicted)" -eq 17 ]
	# and it does not spin
	before=$(sed 's/.*) //' "/proc/$PID/stat" | cut -d ' ' -f 12)
	sleep 1
	after=$(sed 's/.*) //' "/proc/$PID/stat" | cut -d ' ' -f 12)
	[ $((after - before)) -lt 30 ]
}

# One source asks 16 times at once. Of a rate of 1 that is 2 at once, and one for
# each second that it takes on a busy machine.
few_of_many() {
	local pids=() i answers=0
	for i in $(seq 16); do
		ask -w 3000 > "many.$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		! wait "$i" || answers=$((answers + 1))
	done
	echo "$answers answers"
	[ "$answers" -ge 2 ] && [ "$answers" -le 6 ] &&
		[ "$(stat answered)" -eq "$answers" ] &&
		[ "$(stat limited)" -eq $((16 - answers)) ]
}

@test "the rate is by source" {
	start -b 127.0.0.1 -r 1
	few_of_many
	run -0 ask -i 127.0.0.3
}

@test "-A: no answer is longer than its request" {
	two -A
	run -1 ask -w 100
	run -1 ask -w 100 -F
	run -0 ask -s 8
	[[ $output == *"xor=127.0.0.1:"*" sent=32 got=32" ]]
	[[ $output != *mapped=* ]]
	run -0 ask -s 72 -c 6
	[[ $output == *"from=127.0.0.2:$PORT2 "*" other=127.0.0.2:$PORT2 sent=104 got=68" ]]
	run -0 ask -p 1000
	[[ $output == *"error=420 unknown=0026 sent=1024 got=36" ]]
	run -0 ask -r 4 -s 60
	[[ $output == *"error=420 unknown=0027"* ]]
	run -1 ask -r 4 -w 100
	[ "$(stat too_short)" -eq 3 ]
	# who has a connection is who he says
	run -0 ask -t
	[[ $output == *" sent=20 got=68" ]]
	run -0 "$B/nat-stun" "127.0.0.1:$PORT"
	run -0 "$B/nat-stun" "[::1]:$PORT"
}

@test "control: hello, stats, errors, and a watcher sees what changes" {
	two
	run -0 control hello
	[ "${lines[0]}" = "hello version=1" ]
	[ "${lines[1]}" = "listen endpoint=127.0.0.1:$PORT" ]
	[ "${lines[6]}" = "end status=ok" ]
	run -0 control nonsense
	[ "$output" = "end status=error reason=unknown-command" ]
	run -0 control "stats now"
	[ "$output" = "end status=error reason=no-arguments-taken" ]
	printf 'hello\nwatch\n' | socat -t 60 - UNIX-CONNECT:ctl > watched &
	watcher=$!
	until_true grep -q 'end status=ok' watched
	ask
	ask -a 7fff
	until_true grep -qx "stats name=unknown value=1" watched
	grep -qx "stats name=answered value=1" watched
	run ! grep -q limited watched
	kill "$watcher"
}

# How often a process has slept and was woken.
woken() {
	sed -n 's/^voluntary_ctxt_switches:.//p' "/proc/$1/status"
}

@test "-n: the processes share the work, and the counters are sums" {
	start -b 127.0.0.1 -n 2
	[ "$(stat processes)" -eq 2 ]
	child=$(pgrep -P "$PID")
	before="$(woken "$PID") $(woken "$child")"
	for i in $(seq 16); do
		ask -i "127.0.1.$i"
	done
	[ "$(woken "$PID")" -gt "${before% *}" ]
	[ "$(woken "$child")" -gt "${before#* }" ]
	ask -t -n 5
	[ "$(stat answered)" -eq 21 ]
	for pid in "$PID" "$child"; do
		grep -q '^NoNewPrivs:.*1$' "/proc/$pid/status"
		grep -q '^CapPrm:.*0000000000000000$' "/proc/$pid/status"
		if [ "$(id -u)" -eq 0 ]; then
			[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" -ne 0 ]
		fi
	done
	stop
	[ ! -d "/proc/$child" ]
	[ ! -s err ]
}

@test "-n: the rate of one source is one rate" {
	start -b 127.0.0.1 -n 8 -r 1
	few_of_many
}

@test "-n: one source has its connections, and its rate, over TCP as well" {
	start -b 127.0.0.1 -n 8 -r 1
	for _ in $(seq 40); do
		exec {fd}<> "/dev/tcp/127.0.0.1/$PORT"
		printf '\0\1\0\0\x21\x12\xa4\x42twelve bytes' >&"$fd" || :
	done
	seen() {
		[ "$(stat connections)" -eq 32 ] &&
			[ "$(stat connections_refused)" -eq 8 ] &&
			[ $(($(stat answered) + $(stat limited))) -eq 32 ]
	}
	until_true seen
	[ "$(stat answered)" -le 6 ]
}

@test "-n: the networks of one site, an IPv6 /48, share one rate" {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	run -0 setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
	    --mount-proc bash "$BATS_TEST_DIRNAME/stund-site.bash" "$B"
	[ "${lines[-1]}" = "all is well" ]
}

@test "-n: who waits for the end of what -N writes does not wait for ever" {
	mkfifo ready
	"$D" -b 127.0.0.1 -p 0 -n 2 -N 5 5> ready &
	PID=$!
	timeout 20 cat ready > told
	[ "$(wc -l < told)" -eq 1 ]
}

@test "-n: when one process dies, all end, and that is told" {
	start -b 127.0.0.1 -n 2
	kill -KILL "$(pgrep -P "$PID")"
	status=0
	wait "$PID" || status=$?
	PID=
	[ "$status" -eq 111 ]
	grep -q "one of the processes has died" err
	# and no child outlives its parent
	start -b 127.0.0.1 -n 2
	child=$(pgrep -P "$PID")
	kill -KILL "$PID"
	wait "$PID" || :
	PID=
	gone() {
		[ ! -d "/proc/$child" ]
	}
	until_true gone
}

@test "second opinions: coturn's and Debian's clients" {
	two
	run -0 turnutils_stunclient -p "$PORT" 127.0.0.1
	[[ $output == *"Other addr: : 127.0.0.2:$PORT2"* ]]
	run -0 turnutils_natdiscovery -m -p "$PORT" 127.0.0.1
	[[ $output == *"No ALG: Mapped == XOR-Mapped"* ]]
	[[ $output == *"Endpoint Independent Mapping!"* ]]
	run -0 turnutils_natdiscovery -f -p "$PORT" 127.0.0.1
	[[ $output == *"Endpoint Independent Filtering!"* ]]
	# its exit code is its verdict: 1 is "open"
	run -1 stun "127.0.0.1:$PORT"
	[[ $output == *"Primary: Open"* ]]
}

@test "a multihomed host under policy routing answers the way it was asked" {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	run -0 setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
	    --mount-proc bash "$BATS_TEST_DIRNAME/stund-net.bash" "$B"
	[ "${lines[-1]}" = "all is well" ]
}
