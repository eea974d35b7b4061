#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# The rendezvous over TCP, on loopback: socat makes 127.0.0.2 a server that
# can be reached in no other way.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
}

setup() {
	r=$NATKIT_BUILD/nat-rendezvous
	d=$NATKIT_BUILD/nat-rendezvousd
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=
	for who in s a b; do
		(umask 077 && head -c 32 /dev/urandom | base64 >$who.key)
		"$r" key -k $who.key | cut -d= -f2- >$who.pub
	done
}

teardown() {
	local p
	for p in $pids; do
		kill "$p" 2>/dev/null || :
	done
	for p in $pids; do
		wait "$p" || :
	done
	if [ -z "$BATS_TEST_COMPLETED" ]; then
		tail -n 30 ./*.out ./*.err || :
	fi
}

# until_true command...
until_true() {
	local tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 250 ] || return 1
		sleep 0.04
	done
}

await() { # FILE PATTERN [COUNT]
	until_true has "$@"
}

has() {
	[ "$(grep -c -e "$2" "$1")" -ge "${3:-1}" ]
}

serve() { # [option...]
	"$d" -1 -k s.key -b 127.0.0.1 -p 0 -c s.sock "$@" >s.out 2>>s.err \
	    3>&- &
	server=$!
	pids="$pids $server"
	await s.out ^listen
	port=$(sed -n '1s/.*:\([0-9]*\)$/\1/p' s.out)
	key=$(cat s.pub)
}

# The server at 127.0.0.2, over TCP alone.
bridge() {
	socat "TCP-LISTEN:$port,bind=127.0.0.2,reuseaddr,fork" \
	    "TCP:127.0.0.1:$port" 3>&- &
	bridge=$!
	pids="$pids $bridge"
	until_true socat -u /dev/null "TCP:127.0.0.2:$port"
}

agent() { # NAME PEER SERVER [option...]
	[ -p "$1.in" ] || mkfifo "$1.in"
	"$r" agent -k "$1.key" -S "$key@$3:$port" "${@:4}" "$(cat "$2.pub")" \
	    <"$1.in" >"$1.out" 2>"$1.err" 3>&- &
	pid=$!
	pids="$pids $pid"
	case $1 in
	a) exec 5>a.in ;;
	b) exec 6>b.in ;;
	esac
}

offer() { # PORT GENERATION
	echo "candidate type=host endpoint=127.0.0.1:$1 base=127.0.0.1:$1" \
	    "priority=2130706431"
	echo "candidates generation=$2 count=1"
}

stat() {
	socat -t 5 - UNIX-CONNECT:s.sock <<<stats |
		sed -n "s/^stats name=$1 value=//p"
}

connected() { # N
	[ "$(stat connections)" -eq "$1" ]
}

@test "usage: -T takes a port, and four of them" {
	local args
	for args in '-T 0' '-T x' '-T 65536' '-T' \
	    '-T 1 -T 2 -T 3 -T 4 -T 5'; do
		# shellcheck disable=SC2086
		run --separate-stderr timeout 5 "$d" -k s.key $args
		[ "$status" -eq 100 ]
		[ -z "$output" ]
	done
}

@test "-T: a port of its own is listed, and answers" {
	other=$((20000 + RANDOM % 10000))
	serve -T $other
	[ "$(sed -n 2p s.out)" = \
		"listen endpoint=127.0.0.1:$other transport=tcp" ]
	socat "TCP-LISTEN:$other,bind=127.0.0.2,reuseaddr,fork" \
	    "TCP:127.0.0.1:$other" 3>&- &
	pids="$pids $!"
	until_true socat -u /dev/null "TCP:127.0.0.2:$other"
	run --separate-stderr "$r" ping -S "$key@127.0.0.2:$other"
	[ "$status" -eq 0 ]
}

@test "ping: over TCP, without a mapped address; another key is told" {
	serve
	bridge
	run --separate-stderr "$r" ping -S "$key@127.0.0.2:$port"
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^server\ key=[^\ ]*\ endpoint=127.0.0.2:$port\ rtt_us=[0-9]+\ transport=tcp$ ]]
	run --separate-stderr "$r" ping -w 5 -S "$(cat a.pub)@127.0.0.2:$port"
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"a STUN server answers there, but not with the key"* ]]
	kill "$bridge"
	run --separate-stderr "$r" ping -w 1 -S "$key@127.0.0.2:$port"
	[ "$status" -eq 111 ]
	[ -z "$output" ]
}

@test "an agent over TCP meets one over UDP, and goes on when it is cut" {
	serve
	bridge
	agent b a 127.0.0.1
	agent a b 127.0.0.2 -v
	offer 1111 1 >&5
	offer 2222 1 >&6
	await a.out 'state=introduced generation=1'
	await b.out 'state=introduced generation=1'
	await a.out '^go '
	has a.out "^session server=.* endpoint=127.0.0.2:$port state=up rtt_us=[0-9]* transport=tcp$"
	[ "$(socat -t 5 - UNIX-CONNECT:s.sock <<<peers |
		grep -c "key=$(cat a.pub) .*transport=tcp$")" -eq 1 ]
	# what carries it is cut: a connection more, and news still come
	pkill -P "$bridge" socat
	offer 3333 2 >&6
	await a.out 'state=introduced generation=2'
	await a.out '^remote .*endpoint=127.0.0.1:3333'
	[ "$(stat connections_accepted)" -ge 2 ]
	! has a.out '^gone\|state=down'
	! has b.out '^gone'
	# and the end is said, over TCP, too
	kill "$pid"
	await b.out '^gone'
}

@test "over TCP alone: an agent finds a server that comes later" {
	port=$((20000 + RANDOM % 10000))
	key=$(cat s.pub)
	agent a b 127.0.0.2
	offer 1111 1 >&5
	"$d" -1 -k s.key -b 127.0.0.1 -p "$port" -c s.sock >s.out 2>s.err 3>&- &
	pids="$pids $!"
	bridge
	await a.out 'state=up .*transport=tcp'
}

@test "garbage, and what is no whole message, costs its connection alone" {
	serve
	for junk in 'GET / HTTP/1.1' "$(printf '\377\377\377\377')" \
	    "$(printf '@\001..hello, this is no channel of ours')"; do
		run timeout 5 socat -t 5 - "TCP:127.0.0.1:$port" <<<"$junk"
		[ "$status" -ne 124 ]
		[ -z "$output" ]
	done
	[ "$(stat connections_broken)" -eq 3 ]
	connected 0
	run "$r" ping -S "$key@127.0.0.1:$port"
	[ "$status" -eq 0 ]
}

@test "strangers: 32 connections of one source, and registered clients beside" {
	serve
	bridge
	agent a b 127.0.0.2
	offer 1111 1 >&5
	await a.out 'state=up .*transport=tcp'
	for _ in $(seq 40); do
		# shellcheck disable=SC2034 # kept open until the test ends
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
	done
	until_true connected 33
	[ "$(stat connections_refused)" -eq 8 ]
	# the client came from there, too, and is as well as before
	agent b a 127.0.0.1
	offer 2222 1 >&6
	await a.out 'state=introduced'
	has a.out state=up 1
	! has a.out state=down
}

@test "with few descriptors strangers make room, the registered one stays" {
	(
		ulimit -n 30
		exec "$d" -1 -k s.key -b 127.0.0.1 -p 0 -c s.sock \
			>s.out 2>s.err 3>&-
	) &
	pids="$pids $!"
	await s.out ^listen
	port=$(sed -n '1s/.*:\([0-9]*\)$/\1/p' s.out)
	key=$(cat s.pub)
	bridge
	agent a b 127.0.0.2
	offer 1111 1 >&5
	await a.out 'state=up .*transport=tcp'
	for _ in $(seq 31); do
		# shellcheck disable=SC2034 # kept open until the test ends
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
	done
	evicted() {
		[ "$(stat connections_evicted)" -ge 17 ]
	}
	until_true evicted
	agent b a 127.0.0.1
	offer 2222 1 >&6
	await a.out 'state=introduced'
	! has a.out state=down
	[ "$(stat clients)" -eq 2 ]
}
