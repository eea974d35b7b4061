# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Run by $NET_UNSHARE: nat-stun behaviour -s on the port of a running
# wireguard-go whose tunnel to a public host is in use all the while, twice in
# a row, behind a masquerade without an INPUT drop (the NAT that is confused
# most easily) and then behind one with a port forward.
# usage: behaviour-daemon.bash OUT; OUT/1, 2 and forward get the records.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${NATKIT_BUILD:-$here/../../build}
out=$1
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"
net_begin
net_public
ip -n pub addr add 192.0.2.2/24 dev eth
net_nat na 198.51.100
net_host ha na
net_wg ha wga 10.9.0.1
net_wg pub wgp 10.9.0.2
net_wg_peer ha wga wgp 10.9.0.2 endpoint 192.0.2.1:51820
net_wg_peer pub wgp wga 10.9.0.1
on ha ping -qc 1 -W 5 10.9.0.2 >/dev/null
mkfifo "$NET_DIR/ready" "$NET_DIR/lent"
nsenter --net=/run/netns/pub "$bin/nat-stund" -b 192.0.2.1 -b 192.0.2.2 \
    -N 5 5>"$NET_DIR/ready" &
read -r _ <"$NET_DIR/ready"
nsenter --net=/run/netns/ha "$bin/nat-port" -N 5 51820 "$NET_DIR/port" \
    5>"$NET_DIR/lent" &
read -r _ <"$NET_DIR/lent"

measure() {
	code=0
	on ha "$bin/nat-stun" behaviour -w 40 -s "$NET_DIR/port" 192.0.2.1 \
	    >"$out/$1" 2>"$out/$1.err" || code=$?
	cat "$out/$1.err" >&2
	echo $code >"$out/$1.code"
}

# Every 100 ms a packet each way.
nsenter --net=/run/netns/ha ping -i 0.1 10.9.0.2 >"$out/ping" &
ping=$!
measure 1
measure 2
on na nft add rule ip nat post counter # the table is there
on na nft -f - <<-N
table ip forward {
	chain pre { type nat hook prerouting priority -100
		iifname wan udp dport 51820 dnat to 192.168.1.2; }
}
N
# conntrack's entries of before are not asked again
on na conntrack -F 2>/dev/null
measure forward
kill -INT $ping
wait $ping || :
