#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-port from the outside. The first half binds its own port (-o) and needs
# no privilege; the second lends a daemon's port in namespaces of its own.
#
# NAME_pid is set by client NAME; lab's body is meant to expand in its child.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154,SC2163,SC2086

STUN=000100002112a442000102030405060708090a0b
STUN2=000100002112a4420c0d0e0f1011121314151617

setup() {
	B=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	B=$(cd "$B" && pwd)
	# not BATS_TEST_TMPDIR: other users must be able to reach the sockets
	T=$(mktemp -d /tmp/natkit-port.XXXXXX)
	chmod 755 "$T"
	export B T STUN STUN2
	pids=
}

teardown() {
	for p in $pids; do
		kill -KILL "$p" 2>/dev/null || true
	done
	rm -rf "$T"
}

# nat-port in the background; returns once it is ready. Sets pid.
start() {
	rm -f "$T/ready"
	mkfifo "$T/ready"
	"$B/nat-port" -1v -N 5 "$@" >"$T/record" 2>"$T/err" 3>&- \
	    5>"$T/ready" &
	pid=$!
	pids="$pids $pid"
	read -t 10 -r _ <"$T/ready" || { cat "$T/err"; return 1; }
	port=$(sed -n 's/^port port=\([0-9]*\) .*/\1/p' "$T/record")
}

# wait_for file pattern: until a line of the file matches.
wait_for() {
	for _ in $(seq 200); do
		grep -qE "$2" "$1" 2>/dev/null && return 0
		sleep 0.05
	done
	echo "no '$2' in $1:"
	cat "$1"
	return 1
}

# client name args...: a client in the background; returns once connected.
client() {
	name=$1
	shift
	rm -f "$T/$name"
	"$B/tools/port-client" -w 30 "$@" <"/dev/null" >"$T/$name" 3>&- 5>&- &
	eval "${name}_pid=$!"
	pids="$pids $!"
	wait_for "$T/$name" '^hello '
}

# say endpoint hex: one datagram from a port of its own.
say() {
	"$B/tools/port-client" -n 0 udp:0 "$@" </dev/null
}

stop() {
	kill -TERM "$pid"
	wait "$pid"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# lab function: runs it where it may do as it likes, and all ends with it.
lab() {
	need_root
	unshare -mn true 2>/dev/null || skip "no namespaces here"
	export -f "$@" start wait_for client say stop in_peer two_hosts daemon \
	    daemon_got
	unshare -mnp --fork --kill-child --mount-proc bash -c '
		set -e
		pids=
		mount -t tmpfs tmpfs /run
		ip link set lo up
		$0' "$1"
}

in_peer() {
	ip netns exec peer "$@"
}

# This host (10.9.0.1, fd09::1) and a peer (10.9.0.2, fd09::2).
two_hosts() {
	ip netns add peer
	ip link add a0 type veth peer name b0 netns peer
	ip addr add 10.9.0.1/24 dev a0
	ip addr add fd09::1/64 dev a0 nodad
	ip link set a0 up
	in_peer ip addr add 10.9.0.2/24 dev b0
	in_peer ip addr add fd09::2/64 dev b0 nodad
	in_peer ip link set b0 up
	in_peer ip link set lo up
}

# A daemon on UDP port 5555 of both families that writes what it gets.
daemon() {
	socat -u UDP6-RECV:5555,ipv6only=0 "OPEN:$T/daemon,creat,append" 3>&- &
	for _ in $(seq 200); do
		ss -Huln 'sport = :5555' | grep -q . && return 0
		sleep 0.05
	done
	return 1
}

# daemon_got hex: this and nothing else, once it has written it.
daemon_got() {
	for _ in $(seq 200); do
		[ "$(xxd -p "$T/daemon" | tr -d '\n')" = "$1" ] && return 0
		sleep 0.05
	done
	xxd "$T/daemon"
	return 1
}

# --- the daemon ---------------------------------------------------------

no_daemon() {
	start 5555 "$T/p"
	stop
	grep -qx "nat-port: warning: no program here has UDP port 5555 yet: is the daemon running?" "$T/err"
	daemon
	start 5555 "$T/p"
	stop
	! grep warning "$T/err" || exit 1
}

@test "that no daemon has the port is told" {
	lab no_daemon
}

# --- command line -------------------------------------------------------

@test "usage errors: 100, one clear line, nothing on stdout" {
	check() {
		code=0
		"$B/nat-port" "$@" >"$T/out" 2>"$T/err" || code=$?
		[ "$code" = 100 ]
		[ ! -s "$T/out" ]
		grep -q '^usage: nat-port ' "$T/err"
		[ "$(wc -l <"$T/err")" = 2 ]
	}
	check
	check 51820
	check 51820 "$T/s" more
	check 0 "$T/s"
	check 65536 "$T/s"
	check -1 x
	check ' 1' "$T/s"
	check 12x "$T/s"
	check -o 99999999999999999999 "$T/s"
	check -m 4294967296 51820 "$T/s"
	check -m -1 51820 "$T/s"
	check -m 0xg 51820 "$T/s"
	check -N 2 51820 "$T/s"
	check -N 99 51820 "$T/s"
	check -N x 51820 "$T/s"
	check -Z 51820 "$T/s"
	[ ! -e "$T/s" ]
}

@test "-h: usage on stdout" {
	"$B/nat-port" -h >"$T/out" 2>"$T/err"
	grep -q '^usage: nat-port ' "$T/out"
	[ ! -s "$T/err" ]
}

@test "a path that can't be: 100" {
	run "$B/nat-port" -o 0 "$T/none/s"
	[ "$status" = 100 ]
	run "$B/nat-port" -o 0 "$T/$(printf '%0200d' 0)"
	[ "$status" = 100 ]
	run "$B/nat-port" -o 0 ""
	[ "$status" = 100 ]
}

@test "-u: an unknown user is refused" {
	run "$B/nat-port" -o -u no-such-user 0 "$T/s"
	[ "$status" = 100 ]
	[[ $output == *"no such user"* ]]
	[ ! -e "$T/s" ]
}

# --- own port -----------------------------------------------------------

@test "-o of a port that a program has: 100, and says what to do" {
	start -o 0 "$T/s"
	run "$B/nat-port" -o "$port" "$T/s2"
	[ "$status" = 100 ]
	[[ $output == *"without -o"* ]]
	[ ! -e "$T/s2" ]
}

@test "-1 and -j: the record" {
	start -o 0 "$T/s"
	[ "$(cat "$T/record")" = "port port=$port path=$T/s" ]
	stop
	start -oj 0 "$T/s2"
	grep -qx "{\"record\":\"port\",\"port\":[0-9]*,\"path\":\"$T/s2\"}" \
	    "$T/record"
}

@test "two clients get the same datagram" {
	start -o 0 "$T/s"
	client one "$T/s"
	client two "$T/s"
	say "127.0.0.1:$port" "$STUN"
	wait "$one_pid"
	wait "$two_pid"
	grep -qE "^datagram from=127.0.0.1:[0-9]+ to=127.0.0.1:$port ttl=64 payload=$STUN\$" \
	    "$T/one"
	cmp "$T/one" "$T/two"
}

@test "a datagram from the lent port: source and TTL" {
	start -o 0 "$T/s"
	client peer udp:0
	to=$(sed -n 's/^hello port=\([0-9]*\) .*/\1/p' "$T/peer")
	"$B/tools/port-client" -n 0 -t 9 "$T/s" "127.0.0.1:$to" "$STUN" \
	    </dev/null
	wait "$peer_pid"
	grep -qx "datagram from=127.0.0.1:$port to=127.0.0.1:$to ttl=9 payload=$STUN" \
	    "$T/peer"
}

@test "a client that is stopped does not stop another" {
	start -o 0 "$T/s"
	client stuck -n 100000 "$T/s"
	client quick -n 600 "$T/s"
	kill -STOP "$stuck_pid"
	# each line of 8 bytes makes one more datagram
	for _ in $(seq 8); do
		yes 'send it' | head -n 200 |
		    "$B/tools/port-client" -w 1 udp:0 "127.0.0.1:$port" \
		    "$STUN" >/dev/null || true
	done
	wait "$quick_pid"
	kill -KILL "$stuck_pid"
	# and it was indeed too slow
	wait_for "$T/err" \
	    "\(process $stuck_pid\) left, [1-9][0-9]* datagrams dropped"
	client again "$T/s"
}

@test "what is no STUN is neither sent nor lent" {
	start -o 0 "$T/s"
	client peer udp:0
	to=127.0.0.1:$(sed -n 's/^hello port=\([0-9]*\) .*/\1/p' "$T/peer")
	# no STUN, a wrong length, a wrong cookie, a WireGuard initiation
	for hex in 00 "${STUN}00" "0001000021120000${STUN:16}" \
	    "01000000$(printf '%0288d' 0)"; do
		run "$B/tools/port-client" -r "$T/s" "$to" "$hex" </dev/null
		[ "${lines[1]}" = "error to=$to error=invalid" ]
	done
	# nowhere to send to
	for to2 in 127.0.0.1:0 0.0.0.0:9 224.0.0.1:9 '[::]:9'; do
		run "$B/tools/port-client" -r "$T/s" "$to2" "$STUN" </dev/null
		[ "${lines[1]}" = "error to=$to2 error=invalid" ]
	done
	# the first thing that the peer ever sees is the good one
	"$B/tools/port-client" -n 0 "$T/s" "$to" "$STUN2" </dev/null
	wait "$peer_pid"
	grep -q "payload=$STUN2\$" "$T/peer"
	client one "$T/s"
	printf 'hello' | socat -u - "UDP4:127.0.0.1:$port"
	say "127.0.0.1:$port" "$STUN"
	wait "$one_pid"
	[ "$(grep -c ^datagram "$T/one")" = 1 ]
	stop
	grep -q ' 1 received, 1 sent, 8 refused' "$T/err"
}

@test "the socket's mode is 0600 whatever the umask" {
	umask 0
	start -o 0 "$T/s"
	[ "$(stat -c %a "$T/s")" = 600 ]
}

@test "a client of another user is refused, by mode and by SO_PEERCRED" {
	need_root
	start -o 0 "$T/s"
	other="setpriv --reuid 12345 --regid 12345 --clear-groups"
	run $other "$B/tools/port-client" "$T/s" </dev/null
	[ "$output" = "refused Permission denied" ]
	chmod 666 "$T/s"
	run $other "$B/tools/port-client" "$T/s" </dev/null
	[ "$output" = "refused Permission denied" ]
	wait_for "$T/err" 'refused a client of another user'
	run setpriv --reuid nobody --clear-groups \
	    "$B/tools/port-client" "$T/s" </dev/null
	[ "$output" = "refused Permission denied" ]
	client one "$T/s"
}

@test "-u: that user runs it, and may connect" {
	need_root
	start -o -u daemon 0 "$T/s"
	[ "$(stat -c '%U %a' "$T/s")" = "daemon 600" ]
	grep -qE '^Uid:[[:space:]]1[[:space:]]1[[:space:]]1[[:space:]]1$' \
	    "/proc/$pid/status"
	run setpriv --reuid daemon --clear-groups \
	    "$B/tools/port-client" -n 0 "$T/s" </dev/null
	[[ $output == "hello port=$port"* ]]
}

@test "an ordinary user can lend a port of its own, and not as another" {
	need_root
	mkdir "$T/dir"
	chown 12345 "$T/dir"
	other="setpriv --reuid 12345 --regid 12345 --clear-groups"
	run $other "$B/nat-port" -o -u daemon 0 "$T/dir/s"
	[ "$status" = 100 ]
	[ ! -e "$T/dir/s" ]
	mkfifo "$T/fifo"
	chmod 666 "$T/fifo"
	$other "$B/nat-port" -1 -o 0 "$T/dir/s" >"$T/fifo" 3>&- &
	pid=$!
	pids="$pids $pid"
	read -t 10 -r line <"$T/fifo"
	[[ $line == "port port="* ]]
	run $other "$B/tools/port-client" -n 0 "$T/dir/s" </dev/null
	[[ $output == "hello port="* ]]
	stop
	[ ! -e "$T/dir/s" ]
}

@test "the seventeenth client is told to wait" {
	start -o 0 "$T/s"
	for i in $(seq 16); do
		client "c$i" "$T/s"
	done
	run "$B/tools/port-client" "$T/s" </dev/null
	[ "$output" = "refused Device or resource busy" ]
	kill "$c1_pid"
	wait_for "$T/err" "\(process $c1_pid\) left"
	client late "$T/s"
}

@test "SIGTERM and SIGINT: 0, the socket is gone, clients learn it" {
	chmod 777 "$T"
	for sig in TERM INT; do
		# bash would leave SIGINT ignored in the background
		set -m
		start -o 0 "$T/s"
		set +m
		client one "$T/s"
		kill -"$sig" "$pid"
		wait "$pid"
		[ ! -e "$T/s" ]
		wait_for "$T/one" '^gone$'
	done
}

@test "a stale socket is replaced, a live one and a file are not" {
	start -o 0 "$T/s"
	run "$B/nat-port" -o 0 "$T/s"
	[ "$status" = 100 ]
	[[ $output == *"another nat-port is there"* ]]
	client one "$T/s"
	kill -KILL "$pid"
	wait "$pid" || true
	[ -S "$T/s" ]
	start -o 0 "$T/s"
	client two "$T/s"
	echo precious >"$T/file"
	run "$B/nat-port" -o 0 "$T/file"
	[ "$status" = 100 ]
	[ "$(cat "$T/file")" = precious ]
}

# --- a daemon's port ----------------------------------------------------

both_get_it() {
	two_hosts
	daemon
	start 5555 "$T/s"
	client one -n 3 "$T/s"
	grep -q 'families=46' "$T/one"
	printf daemons-own | in_peer socat -u - UDP4:10.9.0.1:5555
	in_peer "$B/tools/port-client" -n 0 -t 9 udp:7777 10.9.0.1:5555 \
	    "$STUN" </dev/null
	in_peer "$B/tools/port-client" -n 0 udp:7777 '[fd09::1]:5555' \
	    "$STUN2" </dev/null
	# over the host's own loopback, too
	"$B/tools/port-client" -n 0 udp:7778 127.0.0.1:5555 "$STUN2" </dev/null
	wait "$one_pid"
	cat "$T/one"
	sed -n 2p "$T/one" | grep -qx \
	    "datagram from=10.9.0.2:7777 to=10.9.0.1:5555 ttl=9 payload=$STUN"
	# the two families are two sockets: in any order
	grep -qx "datagram from=\[fd09::2\]:7777 to=\[fd09::1\]:5555 ttl=64 payload=$STUN2" \
	    "$T/one"
	grep -qx "datagram from=127.0.0.1:7778 to=127.0.0.1:5555 ttl=64 payload=$STUN2" \
	    "$T/one"
	daemon_got "$(printf daemons-own | xxd -p)$STUN$STUN2$STUN2"
}

@test "raw: the daemon and the clients both get their packets" {
	lab both_get_it
}

sums_and_ttl() {
	two_hosts
	start 5555 "$T/s"
	in_peer tcpdump -lnvv -i b0 -c 43 udp dst port 7777 >"$T/dump" \
	    2>"$T/dump.err" 3>&- &
	dump=$!
	wait_for "$T/dump.err" 'listening on'
	in_peer "$B/tools/port-client" -w 60 -n 43 udp:7777 </dev/null \
	    >"$T/got" 3>&- &
	got=$!
	wait_for "$T/got" '^hello '
	for i in $(seq 10 30); do
		id="000100002112a44200010203040506070809${i}00"
		"$B/tools/port-client" -n 0 -t 7 "$T/s" 10.9.0.2:7777 "$id" \
		    </dev/null
		"$B/tools/port-client" -n 0 -t 7 "$T/s" '[fd09::2]:7777' \
		    "$id" </dev/null
	done
	# made to sum up to 0, which has to be sent as ffff: 0 means no checksum
	"$B/tools/port-client" -n 0 "$T/s" 10.9.0.2:7777 \
	    "000100002112a44200000000000000000000f237" </dev/null
	wait "$got"
	wait "$dump"
	cat "$T/dump"
	# what the wire shows, and a UDP socket takes
	[ "$(grep -c 'udp sum ok' "$T/dump")" = 43 ]
	[ "$(grep -c 'ttl 7,' "$T/dump")" = 21 ]
	[ "$(grep -c 'hlim 7,' "$T/dump")" = 21 ]
	[ "$(grep -c 'from=10.9.0.1:5555 .* ttl=7 ' "$T/got")" = 21 ]
	[ "$(grep -c 'from=\[fd09::1\]:5555 .* ttl=7 ' "$T/got")" = 21 ]
}

@test "raw: checksums and TTL as the other host sees them" {
	lab sums_and_ttl
}

# udp_raw checksum payload: a UDP datagram as it is, from the peer.
udp_raw() {
	printf '1e6115b3001c%s%s' "$1" "$2" | xxd -r -p |
	    in_peer socat -u - IP4-SENDTO:10.9.0.1:17
}

bad_sums() {
	two_hosts
	daemon
	start 5555 "$T/s"
	client one "$T/s"
	udp_raw 1234 "$STUN"
	udp_raw 0000 "$STUN2" # none, as IPv4 allows
	wait "$one_pid"
	grep -q "^datagram from=10.9.0.2:7777 .*$STUN2" "$T/one"
	stop
	grep -q ' 1 received, ' "$T/err"
	daemon_got "$STUN2"
}

@test "raw: a wrong checksum is dropped, as the daemon's is" {
	export -f udp_raw
	lab bad_sums
}

# Two ways to 10.7.0.1: the routing's, and the one of the daemon's fwmark.
two_ways() {
	two_hosts
	ip link add a1 type veth peer name b1 netns peer
	ip addr add 10.8.0.1/24 dev a1
	ip addr add fd08::1/64 dev a1 nodad
	ip link set a1 up
	in_peer ip addr add 10.8.0.2/24 dev b1
	in_peer ip addr add fd08::2/64 dev b1 nodad
	in_peer ip link set b1 up
	in_peer ip addr add 10.7.0.1/32 dev lo
	in_peer ip addr add fd07::1/128 dev lo nodad
	ip route add 10.7.0.1/32 via 10.9.0.2
	ip route add fd07::1/128 via fd09::2
	ip route add 10.7.0.1/32 via 10.8.0.2 table 100
	ip route add fd07::1/128 via fd08::2 table 100
	ip rule add fwmark 0x1234 table 100
	ip -6 rule add fwmark 0x1234 table 100
	in_peer sysctl -qw net.ipv4.conf.all.rp_filter=0
	in_peer sysctl -qw net.ipv4.conf.b1.rp_filter=0
	in_peer "$B/tools/port-client" -w 20 -n "$1" udp:7777 </dev/null \
	    >"$T/got" 3>&- &
	got=$!
	wait_for "$T/got" '^hello '
}

fwmark() {
	two_ways 4
	start 5555 "$T/s"
	for to in 10.7.0.1:7777 '[fd07::1]:7777'; do
		"$B/tools/port-client" -n 0 "$T/s" "$to" "$STUN" </dev/null
	done
	wait_for "$T/got" 'from=10.9.0.1:5555 .*'"$STUN"
	wait_for "$T/got" 'from=\[fd09::1\]:5555 .*'"$STUN"
	start -m 0x1234 5555 "$T/s2"
	for to in 10.7.0.1:7777 '[fd07::1]:7777'; do
		"$B/tools/port-client" -n 0 "$T/s2" "$to" "$STUN2" </dev/null
	done
	wait "$got"
	grep -q 'from=10.8.0.1:5555 .*'"$STUN2" "$T/got"
	grep -q 'from=\[fd08::1\]:5555 .*'"$STUN2" "$T/got"
}

@test "raw: the fwmark's route picks the source" {
	export -f two_ways
	lab fwmark
}

chosen_source() {
	two_ways 2
	start 5555 "$T/s"
	# routing would take 10.9.0.1
	"$B/tools/port-client" -n 0 -l 10.8.0.1 "$T/s" 10.7.0.1:7777 "$STUN" \
	    </dev/null
	"$B/tools/port-client" -n 0 -l fd08::1 "$T/s" '[fd07::1]:7777' "$STUN" \
	    </dev/null
	wait "$got"
	grep -q 'from=10.8.0.1:5555 ' "$T/got"
	grep -q 'from=\[fd08::1\]:5555 ' "$T/got"
	# not this host's (kernels differ in what they call it), and another
	# family's
	client bad -l 10.7.0.9 "$T/s" 10.7.0.1:7777 "$STUN"
	wait "$bad_pid"
	grep -qxE 'error to=10.7.0.1:7777 error=(invalid|unreachable)' "$T/bad"
	client bad -l fd08::1 "$T/s" 10.7.0.1:7777 "$STUN"
	wait "$bad_pid"
	grep -qx 'error to=10.7.0.1:7777 error=invalid' "$T/bad"
}

@test "raw: a source that the client names is used, if it is ours" {
	export -f two_ways
	lab chosen_source
}

firewall() {
	two_hosts
	daemon
	nft add table inet f
	nft add chain inet f in '{ type filter hook input priority 0; }'
	nft add rule inet f in udp dport 5555 drop
	start 5555 "$T/s"
	client one "$T/s"
	in_peer "$B/tools/port-client" -n 0 udp:0 10.9.0.1:5555 "$STUN" \
	    </dev/null
	in_peer "$B/tools/port-client" -n 0 udp:0 '[fd09::1]:5555' "$STUN" \
	    </dev/null
	nft flush chain inet f in
	in_peer "$B/tools/port-client" -n 0 udp:0 10.9.0.1:5555 "$STUN2" \
	    </dev/null
	wait "$one_pid"
	# the first that got through is the one after the rule went
	grep -q "payload=$STUN2" "$T/one"
	daemon_got "$STUN2"
	nft add chain inet f out '{ type filter hook output priority 0; }'
	nft add rule inet f out udp sport 5555 drop
	client two "$T/s" 10.9.0.2:7777 "$STUN"
	wait "$two_pid"
	grep -qx 'error to=10.9.0.2:7777 error=denied' "$T/two"
	nft flush ruleset
	client three "$T/s" 10.99.0.2:7777 "$STUN"
	wait "$three_pid"
	grep -qx 'error to=10.99.0.2:7777 error=unreachable' "$T/three"
}

@test "raw: what the host's firewall drops, the clients don't see either" {
	lab firewall
}

unusable() {
	code=0
	setpriv --bounding-set -net_raw --inh-caps -net_raw "$B/nat-port" \
	    5555 "$T/s" 2>"$T/err" || code=$?
	cat "$T/err"
	[ "$code" = 100 ]
	grep -q 'CAP_NET_RAW' "$T/err"
	grep -q 'use -o' "$T/err"
	[ ! -e "$T/s" ]
	nft add table inet f
	nft add chain inet f in '{ type filter hook input priority 0; policy drop; }'
	code=0
	"$B/nat-port" 5555 "$T/s" 2>"$T/err" || code=$?
	cat "$T/err"
	[ "$code" = 100 ]
	grep -q 'firewall' "$T/err"
	nft flush ruleset
	ip link set lo down
	code=0
	"$B/nat-port" 5555 "$T/s" 2>"$T/err" || code=$?
	cat "$T/err"
	[ "$code" = 100 ]
	grep -q 'ip link set lo up' "$T/err"
	[ ! -e "$T/s" ]
}

@test "raw: unusable sockets end it with what to do" {
	lab unusable
}

dropped() {
	start "$@" 5555 "$T/s"
	cat "/proc/$pid/status"
	grep -qE '^Uid:([[:space:]]65534){4}$' "/proc/$pid/status"
	grep -qE '^Gid:([[:space:]]65534){4}$' "/proc/$pid/status"
	[ "$(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):[[:space:]]0{16}$' \
	    "/proc/$pid/status")" = 5 ]
	grep -qE '^NoNewPrivs:[[:space:]]1$' "/proc/$pid/status"
	grep -qE '^Seccomp:[[:space:]]2$' "/proc/$pid/status"
	# and goes on working, up to its end
	client one "$T/s" 127.0.0.1:5555 "$STUN"
	wait "$one_pid"
	grep -q "^datagram from=127.0.0.1:5555 .*$STUN" "$T/one"
	stop
}

@test "raw: no user, capability or system call is left that isn't needed" {
	lab dropped
}

little() {
	mkfifo "$T/ready"
	setpriv --bounding-set -all,+net_raw,+net_admin --inh-caps -all \
	    "$B/nat-port" -m 7 -N 5 5555 "$T/s" 5>"$T/ready" 3>&- &
	pid=$!
	read -t 10 -r _ <"$T/ready"
	grep -qE '^Uid:([[:space:]]0){4}$' "/proc/$pid/status"
	[ "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):[[:space:]]0{16}$' \
	    "/proc/$pid/status")" = 4 ]
	client one "$T/s" '[::1]:5555' "$STUN"
	wait "$one_pid"
	grep -q "^datagram from=\[::1\]:5555 .*$STUN" "$T/one"
}

@test "raw: CAP_NET_RAW and CAP_NET_ADMIN are enough" {
	lab little
}

one_family() {
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	start 5555 "$T/s"
	client one "$T/s" '[fd09::2]:7777' "$STUN"
	grep -qx 'hello port=5555 families=4' "$T/one"
	client two -r "$T/s" '[fd09::2]:7777' "$STUN"
	wait "$two_pid"
	grep -qx 'error to=\[fd09::2\]:7777 error=unreachable' "$T/two"
	stop
	sysctl -qw net.ipv6.conf.all.disable_ipv6=0
	ip addr del 127.0.0.1/8 dev lo
	start 5555 "$T/s"
	client three "$T/s" '[::1]:5555' "$STUN"
	wait "$three_pid"
	grep -qx 'hello port=5555 families=6' "$T/three"
	grep -q "^datagram from=\[::1\]:5555 .*$STUN" "$T/three"
}

@test "raw: a host with one family only" {
	lab one_family
}

wireguard() {
	two_hosts
	mkdir -p /run/wireguard
	wg genkey >"$T/a.key"
	wg genkey >"$T/b.key"
	wireguard-go -f wga >/dev/null 2>&1 3>&- &
	in_peer wireguard-go -f wgb >/dev/null 2>&1 3>&- &
	for _ in $(seq 200); do
		[ -S /run/wireguard/wga.sock ] &&
		    [ -S /run/wireguard/wgb.sock ] && break
		sleep 0.05
	done
	wg set wga private-key "$T/a.key" listen-port 5555 \
	    peer "$(wg pubkey <"$T/b.key")" allowed-ips 10.5.0.2/32
	in_peer wg set wgb private-key "$T/b.key" listen-port 6666 \
	    peer "$(wg pubkey <"$T/a.key")" allowed-ips 10.5.0.1/32 \
	    endpoint 10.9.0.1:5555
	ip addr add 10.5.0.1/24 dev wga
	ip link set wga up
	in_peer ip addr add 10.5.0.2/24 dev wgb
	in_peer ip link set wgb up
	start 5555 "$T/s"
	client one -n 2 "$T/s"
	in_peer "$B/tools/port-client" -n 0 udp:7777 10.9.0.1:5555 "$STUN" \
	    </dev/null
	in_peer ping -c 3 -i 0.2 -W 5 10.5.0.1
	in_peer "$B/tools/port-client" -n 0 udp:7777 '[fd09::1]:5555' \
	    "$STUN2" </dev/null
	wait "$one_pid"
	grep -q "^datagram from=10.9.0.2:7777 .*$STUN" "$T/one"
	grep -q "^datagram from=\[fd09::2\]:7777 .*$STUN2" "$T/one"
	# nothing of WireGuard's own was lent
	stop
	grep -q ' 2 received, ' "$T/err"
}

@test "raw: beside wireguard-go, which does not notice" {
	command -v wireguard-go >/dev/null || skip "needs wireguard-go"
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	lab wireguard
}

# --- the manual ---------------------------------------------------------

# example name: the block of the page that is marked so.
example() {
	awk -v mark=".\\\\\" test: $1" '
		$0 == mark { found = 1; next }
		found && /^\.Bd / { inside = 1; next }
		inside && /^\.Ed/ { exit }
		inside' "$page" | sed 's/stun\.example\.org/127.0.0.1/'
}

examples() {
	PATH=$B:$PATH
	turnserver -n --listening-ip=127.0.0.1 -p 3478 --no-auth --no-tls \
	    --no-dtls --no-cli --log-file=/dev/null --pidfile "$T/turn.pid" \
	    --userdb "$T/turn.db" >/dev/null 2>&1 3>&- &
	for _ in $(seq 100); do
		"$B/nat-stun" -q -w 1 127.0.0.1:3478 >/dev/null && break
	done
	example daemon | sh >"$T/daemon.out" 3>&-
	cat "$T/daemon.out"
	grep -qE '^mapped endpoint=127.0.0.1:51820 local=127.0.0.1:51820 ' \
	    "$T/daemon.out"
	example own | sh >"$T/own.out" 3>&-
	cat "$T/own.out"
	grep -qE '^port port=51820 path=/tmp/.*/port$' "$T/own.out"
	grep -qE '^0000000 01 00 00 00 00 00 00 00 ca 6c 00 00 ' "$T/own.out"
}

@test "the examples of nat-port(8)" {
	command -v turnserver >/dev/null || skip "needs coturn"
	export page="$BATS_TEST_DIRNAME/../../man/nat-port.8"
	export -f example
	lab examples
}
