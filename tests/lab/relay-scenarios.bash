# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios with a relay; read by scenarios.bash.

# relays N: that many relays on the public host, at 192.0.2.2, .3 ..., and the
# rendezvous that gives their tokens. Control sockets are relay.N.sock.
relays() {
	local n
	(umask 077 && wg genkey >"$NET_DIR/relay.secret")
	server_options=()
	for n in $(seq 2 $(($1 + 1))); do
		ip -n pub addr add "192.0.2.$n/24" dev eth
		start_relay "$n"
		server_options+=(-R "$NET_DIR/relay.secret@192.0.2.$n:3478")
	done
	server "${server_options[@]}"
}

start_relay() { # N
	[ -p "$NET_DIR/relay.ready" ] || mkfifo "$NET_DIR/relay.ready"
	nsenter --net=/run/netns/pub "$NATKIT_BUILD/nat-relayd" \
	    -b "192.0.2.$1" -k "$NET_DIR/relay.secret" \
	    -c "$NET_DIR/relay.$1.sock" -N 5 5>"$NET_DIR/relay.ready" \
	    2>"$NET_DIR/relay.$1.log" &
	declare -g "relay_$1=$!"
	read -r _ <"$NET_DIR/relay.ready"
}

relay_asked() { # N COMMAND
	printf '%s\n' "$2" | timeout 5 socat -t 2 - \
	    "UNIX-CONNECT:$NET_DIR/relay.$1.sock"
}

# No way but the relay's: the two NATs' addresses don't reach each other.
no_direct() {
	on isp nft -f - <<-N
	table ip wall {
		chain through { type filter hook forward priority 0
			ip saddr { 198.51.100.2, 203.0.113.2 } \
			ip daddr { 198.51.100.2, 203.0.113.2 } drop; }
	}
	N
}

yes_direct() {
	on isp nft delete table ip wall
}

# What the last word of a nat-wg on its peer is.
last_word() { # IF
	sed -n 's/^path .* state=connected .*method=relay.*/relayed/p
		s/^path .* state=connected .*/direct/p' "$NET_DIR/$1.out" |
		tail -n 1
}

both_are() { # WORD
	[ "$(last_word wga),$(last_word wgb)" = "$1,$1" ]
}

# A stream each way through the tunnel: RATE a second, for SECONDS.
streams() { # RATE SECONDS
	local h o
	for h in a1 b2; do
		nsenter "--net=/run/netns/h${h%?}" "$NATKIT_BUILD/tools/udp-count" \
		    receive "10.9.0.${h#?}:7000" "$(($2 + 2))" \
		    >"$NET_DIR/got.${h%?}" &
	done
	within 5 listening_7000 || fail "udp-count does not listen"
	for h in a2 b1; do
		o=${h%?}
		nsenter "--net=/run/netns/h$o" "$NATKIT_BUILD/tools/udp-count" \
		    send "10.9.0.${h#?}:7000" "$1" "$2" &
		declare -g "stream_$o=$!"
	done
}

listening_7000() {
	[ -n "$(on ha ss -Huln 'sport = 7000')" ] &&
		[ -n "$(on hb ss -Huln 'sport = 7000')" ]
}

# lost FILE FROM_MS TO_MS: prints how many numbers are missing of those that
# came in that time, and by how many places the latest came at worst.
lost() {
	awk -v from="$2" -v to="$3" '
	$1 >= from && $1 <= to {
		if (n == 0 || $2 < low) low = $2
		if (n == 0 || $2 > high) high = $2
		if (!(($2) in seen)) n++
		seen[$2] = 1
		if (high - $2 > late) late = high - $2
	}
	END { print n == 0 ? 999999 : high - low + 1 - n, late + 0 }' \
	    "$NET_DIR/$1"
}

# The longest time without an arrival, in ms, from FROM_MS to TO_MS.
gap() { # FILE FROM_MS TO_MS
	awk -v last="$2" -v to="$3" '
	$1 > to { exit }
	$1 > last { if ($1 - last > gap) gap = $1 - last; last = $1 }
	END { if (to - last > gap) gap = to - last; print gap + 0 }' \
	    "$NET_DIR/$1"
}

# upgrade NAME: the path becomes direct now or has just done so; measures the
# second before to the two seconds after.
upgrade() {
	local at f l late
	within 70 both_are direct || fail "$1: it does not become direct"
	net_ms
	at=$net_ms
	sleep 2
	for f in a b; do
		read -r l late <<<"$(lost "got.$f" $((at - 1000)) $((at + 1900)))"
		echo "FIGURE $1, towards h$f: $l of 580 lost, reordered by $late at most"
		[ "$l" -le 5 ] || fail "$1: $l packets were lost"
		[ "$late" -le 3 ] || fail "$1: reordered by $late"
	done
}

# relay, direct, relay, direct under 200 packets a second each way. The NAT
# forgets its table, and to be sure that the way is gone, nothing direct passes
# for a while.
scenario_relay_moves() {
	local at
	net_begin
	net_two_sites
	pair
	relays 1
	no_direct
	start_wg ha wga
	start_wg hb wgb
	within 10 both_are relayed || fail "not relayed"
	streams 200 100
	sleep 1
	yes_direct
	upgrade "relay to direct"
	no_direct
	net_flush na
	net_ms
	at=$net_ms
	within 10 both_are relayed || fail "not relayed again"
	sleep 5
	for f in a b; do
		l=$(gap "got.$f" "$at" $((at + 4900)))
		echo "FIGURE direct to relay, towards h$f: $l ms without a packet"
		[ "$l" -le 4000 ] || fail "direct to relay took $l ms"
	done
	yes_direct
	upgrade "relay to direct again"
	kill "$stream_a" "$stream_b"
}

net_flush() {
	on "$1" conntrack -F 2>/dev/null
}

# net_random NAT: each mapping gets another port.
net_random() {
	on "$1" nft -f - <<-N
	flush chain ip nat post
	add rule ip nat post oifname wan masquerade fully-random
	N
}

# rebinds TIMES: a side of a relayed pair has another port from one datagram to the
# next, TIMES times; the stream of 200 a second from there says so to the relay.
rebinds() {
	local at f l _ all=''
	for _ in $(seq "$1"); do
		net_ms
		at=$net_ms
		net_flush na
		sleep 1.3
		for f in a b; do
			read -r l _ <<<"$(lost "got.$f" $((at - 200)) \
			    $((at + 1200)))"
			echo "FIGURE another mapping, towards h$f: $l of 280 lost"
			all="$all $l"
		done
	done
	l=$(tr ' ' '\n' <<<"${all# }" | sort -n | sed -n "${1}p")
	[ "$l" -le 20 ] || fail "rebinding: $l packets were lost in the median"
}

# Both NATs are random, and one forgets its table; the relay that carries the pair is
# killed.
scenario_relay_killed() {
	local n at f l
	net_begin
	net_two_sites
	net_random na
	net_random nb
	pair
	relays 2
	no_direct
	start_wg ha wga
	start_wg hb wgb
	within 10 both_are relayed || fail "not relayed"
	streams 200 40
	sleep 2
	rebinds 5
	n=$(sed -n 's/^path .* endpoint=192\.0\.2\.\([23]\):.*/\1/p' \
	    "$NET_DIR/wga.out" | tail -n 1)
	[ "$(relay_asked "$n" stats | grep -c '^end status=ok')" = 1 ] ||
		fail "relay $n does not answer"
	net_ms
	at=$net_ms
	f=relay_$n
	kill -9 "${!f}"
	sleep 6
	for f in a b; do
		l=$(gap "got.$f" "$at" $((at + 5500)))
		echo "FIGURE relay killed, towards h$f: $l ms without a packet"
		[ "$l" -le 5000 ] || fail "it took $l ms"
	done
	has wga "endpoint=192\.0\.2\.$((5 - n)):" || fail "not on the second"
	kill "$stream_a" "$stream_b"
}

# The rendezvous is gone: a relayed path and its binding stay.
scenario_relay_rendezvous_killed() {
	local f l at
	net_begin
	net_two_sites
	pair
	relays 1
	no_direct
	start_wg ha wga
	start_wg hb wgb
	within 10 both_are relayed || fail "not relayed"
	kill -9 "$net_server_pid"
	streams 20 40
	sleep 1
	net_ms
	at=$net_ms
	sleep 36
	for f in a b; do
		read -r l _ <<<"$(lost "got.$f" "$at" $((at + 35000)))"
		[ "$l" = 0 ] || fail "$l packets were lost"
	done
	both_are relayed || fail "it says something else"
	kill "$stream_a" "$stream_b"
}

status_has() { # HOST IF PATTERN
	on "$1" "$bin/nat-wg" status "$2" >"$NET_DIR/status.out"
	has status "$3"
}

at_relay() { # HOST IF
	on "$1" wg show "$2" endpoints | grep_all '	192\.0\.2\.2:'
}

# -r takes a young session from its direct path; and what an earlier run left
# on a path that has died meanwhile is on the relay at once.
scenario_relay_only() {
	local n
	net_begin
	net_two_sites
	pair
	relays 1
	both_connect
	within 10 both_are direct || fail "not direct"
	kill "$pid_wga"
	wait "$pid_wga" || :
	on ha nft -f - <<-N
	table ip stun { chain out { type filter hook output priority 0
		ip daddr 203.0.113.2 udp sport 51820 @th,96,32 0x2112a442 counter; }
	}
	N
	start_wg ha wga -r
	within 15 both_are relayed || fail "not relayed"
	within 15 at_relay ha wga || fail "a is not at the relay"
	within 15 at_relay hb wgb || fail "b is not at the relay"
	pings ha 10.9.0.2 5 || fail "no ping"
	within 15 has wgb 'state=relayed .*reason=peer-relay-only' ||
		fail "b is not told why"
	sleep 4
	both_are relayed || fail "not relayed any more"
	! has wga 'state=direct' || fail "it became direct"
	! has wga 'fresh-handshake' || fail "it keeps to the direct path"
	on ha nft list table ip stun | grep_all 'counter packets 0 ' ||
		fail "b is sent to directly"
	kill "$pid_wga" "$pid_wgb"
	wait "$pid_wga" "$pid_wgb" || :
	no_direct
	# With keepalives the relay, which still has the pair, would take the one
	# that is set first back.
	on ha wg set wga peer "$(cat "$NET_DIR/wgb.pub")" persistent-keepalive off
	on hb wg set wgb peer "$(cat "$NET_DIR/wga.pub")" \
	    persistent-keepalive off endpoint 198.51.100.2:51820
	on ha wg set wga peer "$(cat "$NET_DIR/wgb.pub")" \
	    endpoint 203.0.113.2:51820
	start_wg ha wga
	start_wg hb wgb
	within 15 both_are relayed || fail "not relayed again"
	! has wga 'fresh-handshake' || fail "a path that is dead is kept"
	pings ha 10.9.0.2 5 || fail "no ping by the relay"
	# its file is written after its record
	within 5 status_has ha wga \
	    'state=relayed endpoint=192\.0\.2\.2:.* wireguard=connected' ||
		fail "nat-wg status says something else"
	n=$(grep -c ' state=connected ' "$NET_DIR/wga.out")
	kill -9 "$(pids_of ha nat-punch)"
	within 15 twice_connected wga $((n + 1)) ||
		fail "WireGuard's word is lost with a stage"
	kill "$pid_wga" "$pid_wgb"
	wait "$pid_wga" "$pid_wgb" || :
	net_wg_forget ha wga wgb 10.9.0.2
	net_wg_forget hb wgb wga 10.9.0.1
	start_wg ha wga -d
	start_wg hb wgb -d
	sleep 4
	! pings ha 10.9.0.2 || fail "it is direct only, and passes the wall"
	yes_direct
	within 60 both_are direct || fail "not direct"
	! has wga 'method=relay' || fail "-d used the relay"
	n=$(relay_asked 2 pairs | grep -c '^binding' || :)
	[ "$n" = 0 ] || fail "-d has bound at the relay"
}

# A site's network goes through the tunnel, so once that is there (by the relay),
# a check to the peer's private address is answered through the tunnel itself:
# no way to put the tunnel on.
scenario_relay_no_tunnel_in_tunnel() {
	net_begin
	net_public
	net_nat na 198.51.100
	net_nat nb 203.0.113
	ip -n nb addr flush dev lan
	ip -n nb addr add 192.168.2.1/24 dev lan
	net_host ha na
	net_host hb nb 2 lan 192.168.2
	pair
	relays 1
	no_direct
	on ha wg set wga peer "$(cat "$NET_DIR/wgb.pub")" \
	    allowed-ips 10.9.0.2/32,192.168.2.0/24
	ip -n ha route add 192.168.2.0/24 dev wga
	start_wg ha wga
	start_wg hb wgb
	within 10 both_are relayed || fail "not relayed"
	pings ha 192.168.2.2 5 || fail "no ping to the site"
	within 20 has wga 'state=relayed .*reason=no-answer' ||
		fail "the direct ways were not tried"
	! has wga 'endpoint=(10|192\.168)\.' || fail "wga: inside itself"
	! has wgb 'endpoint=(10|192\.168)\.' || fail "wgb: inside itself"
	pings ha 192.168.2.2 5 || fail "no ping to the site any more"
}

# The direct way passes checks and drops what is WireGuard's: the tunnel is moved
# there, comes back to the relay, and nobody says that it is direct.
scenario_relay_direct_is_blocked() {
	local i back='state=connected endpoint=192\.0\.2\.2:.* method=relay reason=no-traffic'
	net_begin
	net_two_sites
	pair
	relays 1
	on isp nft -f - <<-N
	table ip wall {
		chain through { type filter hook forward priority 0
			ip saddr { 198.51.100.2, 203.0.113.2 } \
			ip daddr { 198.51.100.2, 203.0.113.2 } \
			meta l4proto udp @th,64,8 { 1, 2, 3, 4 } \
			    @th,72,24 0 drop
		}
	}
	N
	start_wg ha wga
	start_wg hb wgb
	within 30 has wga "$back" || fail "a does not go back to the relay"
	within 15 has wgb "$back" || fail "b does not go back to the relay"
	pings ha 10.9.0.2 5 || fail "it is not back"
	sleep 3
	pings hb 10.9.0.1 5 || fail "it does not stay there"
	both_are relayed || fail "it says that it is direct"
	for i in a b; do
		within 5 status_has "h$i" "wg$i" 'state=relayed endpoint=192\.0\.2\.2:.* reason=no-traffic .*wireguard=connected' ||
			fail "nat-wg status of $i says something else"
	done
}

# A NAT that has kept one mapping for the rendezvous server and given all others
# another port, as Linux's does when it lost its table and the peer's packet came
# first: the peer learns of that port through the relay.
scenario_relay_other_mapping() {
	net_begin
	net_two_sites
	net_input_drop na
	net_input_drop nb
	on nb nft -f - <<-N
	flush chain ip nat post
	add rule ip nat post oifname wan ip daddr 192.0.2.1 masquerade
	add rule ip nat post oifname wan udp sport 51820 \
	    snat to 203.0.113.2:40001
	N
	pair
	relays 1
	start_wg ha wga
	start_wg hb wgb
	within 20 both_are direct || fail "not direct"
	within 5 pings ha 10.9.0.2 || fail "no ping"
	has wga 'state=direct endpoint=203\.0\.113\.2:40001 ' ||
		fail "not by the other mapping"
}

# NATs that forget their tables, in turns, under a stream: no input drop, so
# half of the time the peer's packet is the first, and the pair of ports is of
# no use before 30 s of silence; when the next try fails, too, the one after
# that is a minute later.
scenario_relay_flushed() {
	local i n at f l worst=0 back=0
	net_begin
	net_two_sites
	pair
	relays 1
	start_wg ha wga
	start_wg hb wgb
	within 10 both_are direct || fail "not direct"
	for i in $(seq "${1:-8}"); do
		streams 100 10
		sleep 3
		n=na
		[ $((i % 2)) = 0 ] || n=nb
		net_ms
		at=$net_ms
		net_flush "$n"
		sleep 4
		for f in a b; do
			l=$(gap "got.$f" "$at" $((at + 3900)))
			[ "$l" -le "$worst" ] || worst=$l
			[ "$l" -le 2000 ] || fail "round $i: $l ms without a packet"
		done
		within 300 both_are direct || fail "round $i: not direct again"
		net_ms
		[ $((net_ms - at)) -le "$back" ] || back=$((net_ms - at))
		wait "$stream_a" "$stream_b" || :
		sleep 3 # the receivers end by themselves
	done
	echo "FIGURE $i tables lost: $worst ms without a packet at worst, direct again after $back ms at worst"
}
