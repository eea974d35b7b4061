#!/bin/sh
# SPDX-License-Identifier: ISC
#
# make demo: two WireGuard hosts, each behind its own NAT, connect. The
# network is made of namespaces and is gone when this ends, however it ends;
# two demos at once don't meet.
set -efu
LC_ALL=C
export LC_ALL
here=$(cd "${0%/*}" && pwd)
# shellcheck source=lab/net.sh
. "$here/net.sh"
build=${NATKIT_BUILD:-$here/../build}

if [ "${1:-}" != inside ]; then
	why=''
	[ "$(id -u)" = 0 ] || why='not root: run sudo make demo'
	[ -n "$why" ] || why=$(net_usable) || :
	[ -z "$why" ] || {
		echo "demo: $why" >&2
		exit 100
	}
	NATKIT_BUILD=$(cd "$build" && pwd)
	export NATKIT_BUILD
	# shellcheck disable=SC2086
	$NET_UNSHARE sh "$here/demo.sh" inside &
	pid=$!
	trap 'kill -9 "$pid" 2>/dev/null || :' EXIT
	trap 'exit 130' INT TERM HUP
	code=0
	wait "$pid" || code=$?
	exit "$code"
fi

step() {
	steps=$((${steps:-0} + 1))
	printf '\n%s. %s\n' "$steps" "$1"
}

# indent WHAT [FILE]: shows lines, with keys cut short; FILE gets them, too, as
# soon as they are shown.
indent() {
	sed -u -n -e 's/\([A-Za-z0-9+/]\{8\}\)[A-Za-z0-9+/]\{35\}=/\1.../g' \
	    -e "s/^/     $1/p" ${2:+-e "w $2"}
}

ended() {
	printf '\nThe demo failed: %s\n' "$1" >&2
	exit 1
}

wait_handshakes() { # TENTHS OF A SECOND
	tries=$(($1 * 5))
	while [ "$tries" -gt 0 ]; do
		[ "$(net_handshake ha wga)" = 0 ] ||
			[ "$(net_handshake hb wgb)" = 0 ] || return 0
		tries=$((tries - 1))
		sleep 0.02
	done
	return 1
}

# The port that a NAT gave to its own host's WireGuard.
given() { # NAT
	on "$1" conntrack -L -p udp --orig-src 192.168.1.2 2>/dev/null |
		sed -n 's/.*sport=51820 dport=51820.* dport=\([0-9]*\).*/\1/p'
}

# wait_seen NAT ADDRESS: until the NAT has noted a packet from there.
wait_seen() {
	tries=100
	while [ "$tries" -gt 0 ]; do
		[ -z "$(on "$1" conntrack -L -p udp --orig-src "$2" 2>/dev/null)" ] ||
			return 0
		tries=$((tries - 1))
		sleep 0.02
	done
}

# hb starts when the first packet from ha has come to nb: that it is too late
# is then certain. At once, it would be so most of the time.
naive() {
	on ha wg set wga peer "$(cat "$NET_DIR/wgb.pub")" \
	    endpoint 203.0.113.2:51820 persistent-keepalive 25
	wait_seen nb 198.51.100.2
	on hb wg set wgb peer "$(cat "$NET_DIR/wga.pub")" \
	    endpoint 198.51.100.2:51820 persistent-keepalive 25
	! wait_handshakes 60
}

naive_forget() {
	net_wg_forget ha wga wgb 10.9.0.2
	net_wg_forget hb wgb wga 10.9.0.1
	on na conntrack -F 2>/dev/null
	on nb conntrack -F 2>/dev/null
}

net_begin
export TMPDIR="$NET_DIR/tmp"
step "The network: two hosts with the same private address, each behind a NAT"
cat <<'P'

                              pub 192.0.2.1
                                     |
  ha 192.168.1.2 -- na 198.51.100.2 -- isp -- nb 203.0.113.2 -- hb 192.168.1.2
  wga 10.9.0.1      masquerade       router   masquerade        wgb 10.9.0.2

P
net_two_sites
net_wg ha wga 10.9.0.1
net_wg hb wgb 10.9.0.2
net_wg_peer ha wga wgb 10.9.0.2
net_wg_peer hb wgb wga 10.9.0.1
on ha wg show wga | grep -E 'interface|port|peer|allowed' | indent 'ha  '

step "Naive: each WireGuard is told the other NAT's address; ha is first"
tries_left=3
until naive; do
	tries_left=$((tries_left - 1))
	[ "$tries_left" -gt 0 ] || break
	naive_forget
done
if [ "$tries_left" = 0 ]; then
	echo "     It connected, by chance: these NATs did not clash."
else
	echo "     No handshake in 6 s, in which each tried twice."
	echo "     What the NATs remember (conntrack -L):"
fi
for nat in na nb; do
	on "$nat" conntrack -L -p udp 2>/dev/null | grep -o 'src=.*' |
		sed 's/ mark=.*//' | indent "$nat  "
done
for nat in na nb; do
	port=$(given "$nat")
	case $port in '' | 51820 | *[!0-9]*) continue ;; esac
	cat <<-P
	     The other side's packet came to $nat before its own host's first one. It took
	     that as meant for itself, and gave its host port $port instead of 51820,
	     where the other side does not send to.
	P
done
naive_forget

step "A rendezvous server on the public host"
net_server "$NATKIT_BUILD/nat-rendezvousd"
echo "     nat-rendezvousd -k server.key -b $NET_SERVER"

step "nat-wg on each side; its records (an endpoint is configured nowhere)"
cat <<P
     nat-wg -S KEY@$NET_SERVER:3478 wga        (and wgb, with the server's key)

     candidate  where this side may be reached: its address, and its NAT's
     remote     the same of the peer, by way of the server; peer: all are known
     go         both begin now
     path       checking; direct: packets pass in both directions;
                connected: WireGuard itself has shaken hands on that path

P
for side in a b; do
	mkfifo "$NET_DIR/records.$side"
	indent "h$side  " "$NET_DIR/shown.$side" <"$NET_DIR/records.$side" &
done
net_ms
began=$net_ms started=''
for side in a b; do
	nsenter "--net=/run/netns/h$side" sh "$here/../bin/nat-wg" -e \
	    -S "$NET_SERVERS" "wg$side" >"$NET_DIR/records.$side" 2>&1 &
	started="$started $!"
done
wait_handshakes 150 || ended "no handshake within 15 s"
net_ms
took=$((net_ms - began))
for side in a b; do
	tries=500
	until grep -q 'state=connected' "$NET_DIR/shown.$side" 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || ended "h$side: no record says connected"
		sleep 0.02
	done
done

step "The tunnel"
on ha ping -c 3 -i 0.2 -W 2 10.9.0.2 >"$NET_DIR/ping" ||
	ended "no answer through the tunnel"
indent 'ha  ' <"$NET_DIR/ping"
on ha wg show wga | grep -E 'endpoint|handshake|transfer' | indent 'ha  '

step "Which way the tunnel's packets went (counted by nftables)"
counted() {
	on "$1" nft list counter inet count wireguard |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
public=$(counted pub) direct=$(counted isp)
echo "     WireGuard packets that came to the public host or left it: $public"
echo "     WireGuard packets from NAT to NAT, by the router: $direct"
[ "$public$((direct >= 6))" = 01 ] || ended "that is not direct"

# The server last: nobody then misses it.
# shellcheck disable=SC2086
kill $started
# shellcheck disable=SC2086
wait $started || :
kill "$net_server_pid"
wait
processes() {
	for pid in $(ip netns pids ha) $(ip netns pids hb); do
		read -r name 2>/dev/null <"/proc/$pid/comm" || continue
		[ "$name" = wireguard-go ] || printf '%s ' "$name"
	done
}
tries=50
while [ -n "$(processes)" ]; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || ended "still there: $(processes)"
	sleep 0.02
done
printf '\nConnected. From the start of nat-wg to the handshake: %s.%02d s.\n' \
    $((took / 1000)) $((took % 1000 / 10))
