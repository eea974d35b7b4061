#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# nat-rendezvousd over real UDP on loopback: its command line, its control
# socket, and the attacks that it has to bear. What a client does is in
# tests/tools/rv-attack.c.

bats_require_minimum_version 1.5.0

setup() {
	B=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	D=$B/nat-rendezvousd
	cd "$BATS_TEST_TMPDIR" || return 1
	chmod 755 .
	(umask 077; wg genkey > key)
	PUB=$(wg pubkey < key)
	PID=
}

teardown() {
	if [ -n "$PID" ]; then
		kill -KILL "$PID" 2> /dev/null || :
		wait "$PID" 2> /dev/null || :
	fi
}

# start OPTION...: runs the server, waits until it is ready, and sets PID and
# PORT. -r 1000 so that only tests of the rates meet them.
start() {
	rm -f ready
	mkfifo ready
	"$D" -k key -p 0 -1 -N 5 -c ctl -r 1000 "$@" > out 2> err 5> ready &
	PID=$!
	read -r _ < ready
	PORT=$(sed -n '1s/.*:\([0-9]*\)$/\1/p' out)
}

# ask COMMAND: the control socket's answer.
ask() {
	printf '%s\n' "$1" | socat -t5 - UNIX-CONNECT:ctl
}

stat() {
	ask stats | sed -n "s/^stats name=$1 value=//p"
}

attack() {
	"$B/tools/rv-attack" "$PUB@127.0.0.1:$PORT" "$@"
}

rss() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$PID/status"
}

# until_true COMMAND...: polls, some seconds at most.
until_true() {
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

@test "no key file is a usage error that says what to do" {
	run --separate-stderr "$D"
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ $stderr == *"nat-rendezvousd: fatal: -k keyfile is missing"* ]]
	[[ $stderr == *"usage: nat-rendezvousd"* ]]
}

@test "bad options are named" {
	for bad in "-p 65536" "-p x" "-n 0" "-n -1" "-b nowhere" "-r 0" \
	    "-t 4000" "-N 2" "-N 99" "-Z" "-l 1x"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$D" -k key $bad
		[ "$status" -eq 100 ]
		[ -z "$output" ]
	done
	run --separate-stderr "$D" -k key operand
	[ "$status" -eq 100 ]
}

@test "a bad key file is refused: none, garbage, the zero key" {
	run --separate-stderr "$D" -k nothing -p 0
	[ "$status" -eq 100 ]
	[[ $stderr == *"nothing: No such file or directory; make a key with: wg genkey > FILE, after umask 077" ]]
	echo nonsense > bad
	run --separate-stderr "$D" -k bad -p 0
	[ "$status" -eq 100 ]
	[[ $stderr != *nonsense* ]]
	run --separate-stderr "$D" -k key -p 0 -a nothing
	[ "$status" -eq 100 ]
	[[ $stderr == *"nothing: No such file"* ]]
}

@test "-h prints the usage and the limits" {
	run --separate-stderr "$D" -h
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	[[ $output == *"(10000); 4 wants"* ]]
	[[ $output == *"(3478)"* ]]
}

@test "an address in use, or of nobody, ends it, and what to do is said" {
	start -b 127.0.0.1
	run --separate-stderr "$D" -k key -b 127.0.0.1 -p "$PORT"
	[ "$status" -eq 100 ]
	[[ $stderr == *"fatal: "*":$PORT: "*"is another nat-rendezvousd, or nat-relayd, running? ss -lntup; or choose -p" ]]
	run --separate-stderr "$D" -k key -b 127.0.0.1 -p 0 -u no-such-user
	[ "$status" -eq 100 ]
	[[ $stderr == *"fatal: -u no-such-user: no such user" ]]
	run --separate-stderr "$D" -k key -b 192.0.2.1 -p 0
	[ "$status" -eq 100 ]
	[[ $stderr == *"192.0.2.1"* ]]
}

@test "listen records: one per socket, both families, also as JSON" {
	start
	grep -qx "listen endpoint=0.0.0.0:$PORT" out
	grep -qx "listen endpoint=\[::\]:$PORT" out
	[ "$(wc -l < out)" -eq 2 ]
	kill "$PID"
	wait "$PID"
	start -b 127.0.0.1 -b ::1 -j
	grep -q '"endpoint":"127.0.0.1:' out
	grep -q '"endpoint":"\[::1\]:' out
}

@test "SIGTERM ends it with 0, and nothing was said" {
	start
	attack pair 127.0.0.2 127.0.0.3
	kill -TERM "$PID"
	status=0
	wait "$PID" || status=$?
	cat err
	[ "$status" -eq 0 ]
	PID=
	[ ! -s err ]
}

@test "it runs without capabilities and under no_new_privs" {
	start
	grep -q '^NoNewPrivs:.*1$' "/proc/$PID/status"
	for set in CapInh CapPrm CapEff CapAmb; do
		grep -q "^$set:.*0000000000000000\$" "/proc/$PID/status"
	done
	if [ "$(id -u)" -eq 0 ]; then
		[ "$(awk '/^Uid:/ { print $2 }' "/proc/$PID/status")" -ne 0 ]
	fi
}

@test "an introduction from WANT to GO, over IPv4, IPv6 and both" {
	start
	attack pair 127.0.0.2 127.0.0.3
	"$B/tools/rv-attack" "$PUB@[::1]:$PORT" pair ::1 ::1
	[ "$(stat introduced)" -eq 2 ]
	[ "$(stat went)" -eq 2 ]
	[ "$(stat acknowledged)" -ge 4 ]
}

@test "the answer leaves from the address that was asked" {
	start -b 0.0.0.0
	# its socket is connected to 127.0.0.77: no other answer gets in
	"$B/tools/rv-attack" "$PUB@127.0.0.77:$PORT" pair 127.0.0.2 127.0.0.3
}

@test "control: hello, peers, stats, errors" {
	start -b 127.0.0.1
	run ask hello
	[ "${lines[0]}" = "hello version=1 key=$PUB" ]
	[ "${lines[1]}" = "listen endpoint=127.0.0.1:$PORT" ]
	[ "${lines[2]}" = "end status=ok" ]
	run ask peers
	[ "$output" = "end status=ok" ]
	attack register 127.0.0.2
	run ask peers
	[[ ${lines[0]} =~ ^"client key="[^\ ]{44}" endpoint=127.0.0.2:"[0-9]+" age_s="[0-9]+" idle_s="[0-9]+" wants=0 introduced=0"$ ]]
	[ "${lines[1]}" = "end status=ok" ]
	[ "$(stat registered)" -eq 1 ]
	[ "$(stat clients)" -eq 1 ]
	[ "$(stat clients_max)" -eq 10000 ]
	run ask nonsense
	[ "$output" = "end status=error reason=unknown-command" ]
	run ask "peers now"
	[ "$output" = "end status=error reason=no-arguments-taken" ]
	run ask "$(printf '%02000d' 0)"
	[[ $output == "end status=error reason=line-too-long" ]]
	[ "$(command stat -c %a ctl)" = 600 ]
	# several in one connection
	run socat -t5 - UNIX-CONNECT:ctl <<< $'hello\npeers\nhello'
	[ "$(grep -c '^end status=ok' <<< "$output")" -eq 3 ]
}

@test "control: watch sees a client come, meet, and go" {
	start -b 127.0.0.1
	mkfifo hold
	socat -t60 - UNIX-CONNECT:ctl < hold > seen 2> /dev/null &
	watcher=$!
	exec 6> hold
	echo hello >&6
	until_true grep -q 'end status=ok' seen
	echo watch >&6
	# a second command of another connection is answered after the first
	ask hello > /dev/null
	attack pair 127.0.0.2 127.0.0.3
	until_true grep -q 'what=go ' seen
	grep -Eq '^event what=registered key=[^ ]{44} endpoint=127.0.0.2:' seen
	grep -Eq '^event what=introduced key=[^ ]{44} peer=[^ ]{44}$' seen
	grep -Eq '^event what=go key=[^ ]{44} peer=[^ ]{44}$' seen
	exec 6>&-
	kill "$watcher"
	wait "$watcher" || :
}

@test "control: a second server refuses the socket, a stale one is replaced" {
	start -b 127.0.0.1
	run --separate-stderr "$D" -k key -p 0 -c ctl
	[ "$status" -eq 100 ]
	[[ $stderr == *"ctl: Address already in use"* ]]
	kill -KILL "$PID"
	wait "$PID" || :
	[ -S ctl ]
	start -b 127.0.0.1
	ask hello
	echo precious > file
	run --separate-stderr "$D" -k key -p 0 -c file
	[ "$status" -eq 100 ]
	[ "$(cat file)" = precious ]
}

@test "attack: a key without its private half" {
	start
	attack steal 127.0.0.2 127.0.0.3
	[ "$(stat hello_bad)" -eq 1 ]
	[ "$(stat clients)" -eq 1 ]
}

@test "attack: a captured registration from another address" {
	start
	attack replay 127.0.0.2 127.0.0.3
	[ "$(stat hello_replayed)" -eq 3 ]
	[ "$(stat session_replayed)" -eq 3 ]
	[ "$(stat moved)" -eq 0 ]
	[[ $(ask peers) == *"endpoint=127.0.0.2:"* ]]
}

@test "attack: asking for a key that has not consented" {
	start
	attack lookup 127.0.0.2 127.0.0.3
	[ "$(stat introduced)" -eq 0 ]
	[ "$(stat pushes)" -eq 0 ]
	[ "$(stat relay_denied)" -eq 2 ]
}

@test "attack: the session id of another client" {
	start
	attack hijack 127.0.0.2 127.0.0.3
	[ "$(stat session_bad)" -eq 2 ]
	[ "$(stat moved)" -eq 0 ]
	[ "$(stat clients)" -eq 2 ]
}

@test "attack: zero-length datagrams and garbage" {
	start
	attack empty 127.0.0.2
	[ "$(stat malformed)" -ge 990 ]
	[ ! -s err ]
}

@test "attack: the zero key and the seven other low-order points" {
	start
	attack low-order 127.0.0.2
	[ "$(stat hello_bad)" -eq 16 ]
	[ "$(stat actions_bad)" -eq 8 ]
	[ "$(stat wants)" -eq 0 ]
	[ "$(stat clients)" -eq 1 ]
}

@test "attack: the server's own packets, reflected" {
	start
	attack reflect 127.0.0.2 127.0.0.3
	[ "$(stat clients)" -eq 2 ]
	[ "$(stat moved)" -eq 0 ]
}

@test "attack: a forged GO, PEER, GONE and FROM from a client" {
	start
	attack forge 127.0.0.2 127.0.0.3
	[ "$(stat went)" -eq 1 ]
	[ "$(stat gone)" -eq 0 ]
}

@test "attack: 100,000 registrations from one address against -n 1000" {
	# nobody is away for too long, however slow the machine is
	start -n 1000 -r 1000000 -t 250
	before=$(rss)
	run attack flood 127.0.0.4 127.0.0.2 127.0.0.3 127.0.0.5 100000
	echo "$output"
	[ "$status" -eq 0 ]
	# an eighth of the table is all that an address gets
	[ "$output" = "registered=125 full=99875 other=0" ]
	[ "$(stat clients)" -eq 128 ]
	[ "$(stat hello_full)" -eq 99875 ]
	after=$(rss)
	# all tables were there before; the rest is the C library's
	[ $((after - before)) -lt 1024 ]
	[ "$(wc -l < err)" -le 2 ]
	grep -q '^nat-rendezvousd: warning: full: ' err
}

@test "attack: above the usual rate an address has to prove itself, then waits" {
	start -r 20
	run attack burst 127.0.0.4
	[ "$status" -eq 0 ]
	[[ $output =~ ^ok=([0-9]+)\ challenged=([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -ge 40 ]
	[ "${BASH_REMATCH[2]}" -ge 100 ]
	all_came() { [ "$(stat received)" -eq 600 ]; }
	until_true all_came
	[ "$(stat hello_limited)" -ge 100 ]
	# others are not held up
	attack pair 127.0.0.2 127.0.0.3
}

@test "kill -9 and a restart: the hint is enough to register again" {
	start -b 127.0.0.1
	port=$PORT
	mkfifo go
	attack survive 127.0.0.2 < go > said &
	client=$!
	exec 6> go
	until_true grep -qx registered said
	kill -KILL "$PID"
	wait "$PID" || :
	start -b 127.0.0.1 -p "$port"
	[ "$PORT" = "$port" ]
	[ "$(stat clients)" -eq 0 ]
	echo >&6
	wait "$client"
	exec 6>&-
	grep -qx 'registered again' said
	[ "$(stat clients)" -eq 1 ]
}

@test "-a: only allowed keys; SIGHUP re-reads, a bad file changes nothing" {
	wg genkey > a
	wg genkey > b
	{
		echo "# friends"
		echo "$(wg pubkey < a) # a"
	} > allow
	start -a allow -v
	[ "$(attack register-key 127.0.0.2 < a)" = 0 ]
	[ "$(attack register-key 127.0.0.3 < b)" = 403 ]
	[ "$(stat hello_forbidden)" -eq 1 ]

	{
		wg pubkey < b
		echo AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
	} > allow
	kill -HUP "$PID"
	until_true grep -q 'the old list of 1 keys stays' err
	grep -qx 'nat-rendezvousd: warning: allow:2: a key that nobody can own; the old list of 1 keys stays' err
	[ "$(attack register-key 127.0.0.3 < b)" = 403 ]
	[ "$(stat clients)" -eq 1 ]

	wg pubkey < b > allow
	kill -HUP "$PID"
	until_true grep -q 'allow: 1 keys' err
	# a is not on the list any more
	[ "$(stat clients)" -eq 0 ]
	[ "$(attack register-key 127.0.0.3 < b)" = 0 ]
	[ "$(attack register-key 127.0.0.2 < a)" = 403 ]
}
