# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of lifetime.bats, here and in tests/soak: a host behind a NAT
# whose time-outs are known. Run by $NET_UNSHARE, with a scenario's name.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lab/lab.bash
. "$here/lab.bash"
build=${NATKIT_BUILD:-$here/../../build}

fail() {
	echo "FAILED: $*"
	tail -n 30 "$NET_DIR"/*.out "$NET_DIR"/*.err || :
	exit 1
}

# ready FILE PATTERN: waits until a program has printed it.
ready() {
	local i
	for i in $(seq 200); do
		! grep -qs -e "$2" "$1" || return 0
		sleep 0.05
	done
	fail "no $2 in $1 ($i)"
}

# site SILENT ACTIVE: na masquerades with these UDP time-outs, in seconds.
site() {
	net_begin
	net_public
	ip -n pub addr add 192.0.2.2/24 dev eth
	net_nat na 198.51.100
	net_host ha na
	on na sysctl -qw net.netfilter.nf_conntrack_udp_timeout="$1" \
	    net.netfilter.nf_conntrack_udp_timeout_stream="$2"
	nsenter --net=/run/netns/pub "$build/nat-stund" -1 -b 192.0.2.1 \
	    -b 192.0.2.2 >"$NET_DIR/stund.out" 2>"$NET_DIR/stund.err" &
	ready "$NET_DIR/stund.out" ^listen
}

# measure HOST [options] server
measure() {
	local h=$1
	shift
	on "$h" "$build/nat-stun" lifetime -v "$@" >"$NET_DIR/lifetime.out" \
	    2>"$NET_DIR/lifetime.err"
}

# found KIND SECONDS
found() {
	grep -q "^lifetime kind=$1 lifetime_s=$2 keepalive_s=$(($2 * 4 / 5)) \
confidence=[0-9]* sent=[0-9]* answered=[0-9]* runs=[0-9]*\$" \
	    "$NET_DIR/lifetime.out" || fail "$1: not $2 s"
}

both() { # SILENT ACTIVE
	local began=$SECONDS
	site "$@"
	measure ha 192.0.2.1 || fail "exit code $?"
	[ "$(wc -l <"$NET_DIR/lifetime.out")" = 2 ] || fail "not two records"
	found silent "$1"
	found active "$2"
	echo "FIGURE silent $1 s, active $2 s: exact, in $((SECONDS - began)) s"
}

# IPv6 has no NAT here, but a firewall that forgets in the same way.
six() { # SILENT ACTIVE
	net_begin
	net_public
	net_v6_site na ha a
	on na sysctl -qw net.netfilter.nf_conntrack_udp_timeout="$1" \
	    net.netfilter.nf_conntrack_udp_timeout_stream="$2"
	nsenter --net=/run/netns/pub "$build/nat-stund" -1 -b "$NET_SERVER6" \
	    >"$NET_DIR/stund.out" 2>"$NET_DIR/stund.err" &
	ready "$NET_DIR/stund.out" ^listen
	measure ha -6 "$NET_SERVER6" || fail "exit code $?"
	found silent "$1"
	found active "$2"
}

# A pool of addresses, any of them for any flow: what port X has is not what
# port Z has, and Z's answers then go elsewhere. Never taken for death.
pool() { # SILENT ACTIVE
	site "$@"
	ip -n na addr add 198.51.100.3/24 dev wan
	ip -n na addr add 198.51.100.4/24 dev wan
	on na nft -f - <<-N
	flush chain ip nat post
	add rule ip nat post oifname wan snat to numgen random mod 3 \\
	    map { 0 : 198.51.100.2, 1 : 198.51.100.3, 2 : 198.51.100.4 }
	N
	measure ha 192.0.2.1 || fail "exit code $?"
	found silent "$1"
	found active "$2"
}

# One packet of ten is lost, each way: slower, not wrong.
lossy() { # SILENT ACTIVE
	site "$@"
	on isp nft -f - <<-N
	table ip lossy {
		chain through { type filter hook forward priority 0
			numgen random mod 10 0 drop; }
	}
	N
	measure ha -w 600 192.0.2.1 || fail "exit code $?"
	found silent "$1"
	found active "$2"
}

# Cut by -w: what is known is told, and no more.
bounded() {
	site 12 120
	local code=0
	measure ha -w 17 192.0.2.1 || code=$?
	[ "$code" = 1 ] || fail "exit code $code"
	[ "$(grep -Ec '^lifetime kind=[a-z]+ atleast_s=1[0-2] keepalive_s=[89] .* reason=time$' "$NET_DIR/lifetime.out")" = 2 ] ||
	    fail "not what 17 s can show"
}

# The server dies while mappings are silent: that is not their death.
server_dies() {
	site 300 300
	measure ha -w 16 192.0.2.1 &
	local pid=$! code=0 i
	for i in $(seq 300); do # until 36 ports wait, and two that ask
		[ "$(on na conntrack -C)" -lt 38 ] || break
		sleep 0.05
	done
	[ "$i" -lt 300 ] || fail "not all mappings are made"
	kill %1 # nat-stund
	wait "$pid" || code=$?
	[ "$code" = 1 ] || fail "exit code $code"
	! grep -q ' dead' "$NET_DIR/lifetime.err" || fail "it called that dead"
	grep -q '^lifetime kind=silent .* reason=[a-z]*$' \
	    "$NET_DIR/lifetime.out" || fail "no record"
}

# The port of a running WireGuard, whose tunnel goes on meanwhile.
tunnel() { # SILENT ACTIVE
	local began=$SECONDS port
	site "$@"
	net_wg ha wga 10.9.0.1
	net_wg pub wgp 10.9.0.2
	net_wg_peer pub wgp wga 10.9.0.1
	net_wg_peer ha wga wgp 10.9.0.2 endpoint 192.0.2.1:51820 \
	    persistent-keepalive 5
	on ha ping -c 1 -w 10 10.9.0.2 >/dev/null || fail "no tunnel"
	port=$(on ha wg show wga listen-port)
	nsenter --net=/run/netns/ha "$build/nat-port" -1 "$port" \
	    "$NET_DIR/port" >"$NET_DIR/port.out" 2>"$NET_DIR/port.err" &
	ready "$NET_DIR/port.out" ^port
	nsenter --net=/run/netns/ha ping -i 0.5 -w 3600 10.9.0.2 \
	    >"$NET_DIR/ping.out" &
	local ping=$!
	measure ha -w 3600 -s "$NET_DIR/port" 192.0.2.1 || fail "exit code $?"
	kill -INT "$ping"
	wait "$ping" || :
	found silent "$1"
	found active "$2"
	all_answered "$NET_DIR/ping.out" ||
	    fail "the tunnel lost packets"
	echo "FIGURE -s: silent $1 s, active $2 s: exact, in $((SECONDS - began)) s"
}

"$@"
