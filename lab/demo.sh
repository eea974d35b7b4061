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
	net_usable || exit 100
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

indent() {
	sed -u "s/^/     $1/"
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

net_begin
step "The network: two hosts with the same private address, each behind a NAT"
cat <<'P'

     wga 10.9.0.1                                                wgb 10.9.0.2
     ha 192.168.1.2 -- na 198.51.100.2 -- pub -- nb 203.0.113.2 -- hb 192.168.1.2
                       nftables masquerade       nftables masquerade

P
net_two_sites
net_wg ha wga 10.9.0.1
net_wg hb wgb 10.9.0.2
net_wg_peer ha wga wgb 10.9.0.2
net_wg_peer hb wgb wga 10.9.0.1
on ha wg show wga | grep -E 'interface|port|peer|allowed' | indent 'ha  '

step "Naive: each WireGuard is told the other NAT's address, both start at once"
on ha wg set wga peer "$(cat "$NET_DIR/wgb.pub")" \
    endpoint 203.0.113.2:51820 persistent-keepalive 25 &
on hb wg set wgb peer "$(cat "$NET_DIR/wga.pub")" \
    endpoint 198.51.100.2:51820 persistent-keepalive 25 &
wait
! wait_handshakes 15 || ended "the naive try connected"
echo "     no handshake in 1.5 s. What the NATs remember (conntrack -L):"
for nat in na nb; do
	on "$nat" conntrack -L -p udp 2>/dev/null | grep -o 'src=.*' |
		sed 's/ mark=.*//' | indent "$nat  "
done
cat <<'P'
     (where the other side's packet came before its own host's first one, a NAT
     took it as meant for itself, and gave its host another port than 51820)
P
net_wg_forget ha wga wgb 10.9.0.2
net_wg_forget hb wgb wga 10.9.0.1
on na conntrack -F 2>/dev/null
on nb conntrack -F 2>/dev/null

step "A rendezvous server on the public host"
net_server "$NATKIT_BUILD/nat-rendezvousd"
echo "     nat-rendezvousd -k server.key -b $NET_SERVER"

step "nat-wg on each side; its records (an endpoint is configured nowhere)"
printf '     nat-wg -S %s wga\n     nat-wg -S %s wgb\n\n' \
    "$NET_SERVERS" "$NET_SERVERS"
for side in a b; do
	mkfifo "$NET_DIR/records.$side"
	indent "h$side  " <"$NET_DIR/records.$side" &
done
net_ms
began=$net_ms started=$net_server_pid
for side in a b; do
	nsenter "--net=/run/netns/h$side" sh "$here/../bin/nat-wg" -d \
	    -S "$NET_SERVERS" "wg$side" >"$NET_DIR/records.$side" 2>&1 &
	started="$started $!"
done
wait_handshakes 150 || ended "no handshake within 15 s"
net_ms
took=$((net_ms - began))

step "The tunnel"
on ha ping -c 3 -i 0.2 -W 2 10.9.0.2 >"$NET_DIR/ping" ||
	ended "no answer through the tunnel"
indent 'ha  ' <"$NET_DIR/ping"
on ha wg show wga | grep -E 'endpoint|handshake|transfer' | indent 'ha  '

step "Which way the tunnel's packets went (counted on the public host)"
counted() {
	on pub nft list counter inet count "$1" |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
own=$(counted own) routed=$(counted routed)
echo "     WireGuard packets from or to the public host itself: $own"
echo "     WireGuard packets between na and nb, which it only routes: $routed"
[ "$own$((routed >= 6))" = 01 ] || ended "that is not direct"

# shellcheck disable=SC2086
kill $started
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
