# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of stun.bats: `bash stun-net.bash NAME`, run by $NET_UNSHARE,
# so that loopback, ports and namespaces are its own. What one prints on stdout
# and its exit code are for the test; follow-scenarios judge by themselves.

set -eu
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${NATKIT_BUILD:-$here/../../build}
stun=$build/nat-stun
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"

fail() {
	echo "stun-net: $*"
	tail -n 50 "$NET_DIR"/*.out "$NET_DIR"/*.err 2>/dev/null || :
	exit 99
}

# within PROG ARGS: tries until it succeeds, at most 200 times.
within() {
	local _
	for _ in {1..200}; do
		"$@" && return 0
		sleep 0.05
	done
	fail "never came true: $*"
}

# lines FILE N PATTERN: has the file (at least) N such lines?
lines() {
	[ "$(grep -c -e "$3" "$1")" -ge "$2" ]
}

count() {
	grep -c -e "$2" "$1" || :
}

# turn NS ADDRESS...: coturn in a namespace ("" is this one), until it answers.
turn() {
	local ns=$1 listen=() a
	shift
	for a in "$@"; do
		listen+=("--listening-ip=$a")
	done
	${ns:+nsenter "--net=/run/netns/$ns"} turnserver -n "${listen[@]}" \
	    -p 3478 --no-auth --no-tls --no-dtls --no-cli --no-rfc5780 \
	    --log-file=/dev/null --pidfile "$NET_DIR/turn.$#.$ns.pid" \
	    --userdb "$NET_DIR/turn.db" >/dev/null 2>&1 &
	for a in "$@"; do
		within ${ns:+nsenter "--net=/run/netns/$ns"} \
		    "$stun" -q -w 1 "$(bracket "$a")" >/dev/null
	done
}

bracket() {
	case $1 in
	*:*) printf '[%s]:3478\n' "$1" ;;
	*) printf '%s:3478\n' "$1" ;;
	esac
}

hostile() {
	"$build/tools/hostile-stun" "$@" >"$NET_DIR/hostile" &
	within test -s "$NET_DIR/hostile"
	hostile_port=$(cat "$NET_DIR/hostile")
}

# The name server is at 127.0.0.1, which is also what a missing file means.
resolv_conf() {
	[ -e /etc/resolv.conf ] || return 0
	printf 'nameserver 127.0.0.1\n' >"$NET_DIR/resolv"
	mount --bind "$NET_DIR/resolv" /etc/resolv.conf
}

dns() {
	resolv_conf
	"$build/tools/small-dns" "$1" >"$NET_DIR/dns" &
	within test -s "$NET_DIR/dns"
}

# A host with addresses, and a server that it can reach: 10.0.0.1 on eth, the
# server at 10.0.0.9 in namespace srv.
small_net() {
	net_ns srv
	ip link add eth type veth peer name eth netns srv
	sysctl -qw net.ipv6.conf.default.accept_dad=0 \
	    net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth.accept_dad=0
	ip link set eth up
	ip -n srv link set eth up
	ip addr add 10.0.0.1/24 dev eth
	ip -n srv addr add 10.0.0.9/24 dev eth
	turn srv 10.0.0.9
}

# add_link NAME: an interface with a carrier and no address.
add_link() {
	ip link add "$1" type veth peer name "$1-end"
	ip link set "$1" up
	ip link set "$1-end" up
}

# follow ARGS: gather -f in the background, until its first generation.
follow() {
	"$stun" gather -f -vv -p 5000 "$@" >"$NET_DIR/f.out" \
	    2>"$NET_DIR/f.err" &
	follow_pid=$!
	within lines "$NET_DIR/f.out" 1 '^candidates generation=1 '
}

# generation N: prints the records of that generation.
generation() {
	awk -v n="$1" '{ all = all $0 "\n" }
	    $1 == "candidates" {
		if ($2 == "generation=" n) printf "%s", all
		all = "" }' "$NET_DIR/f.out"
}

# rounds N: gather has acted on at least N changes of the network, and has got
# an answer after the last.
rounds() {
	within lines "$NET_DIR/f.err" "$1" 'the network has changed'
}

# ---- one-shot

timeout_silent() {
	"$stun" -w 1 127.0.0.1:9
}

unreachable() {
	"$stun" -w 5 192.0.2.1
}

no_dns() {
	resolv_conf
	"$stun" -w 1 stun.example.org
}

no_such_name() {
	dns stun.example.org
	"$stun" nosuch.example.org
}

dns_both() {
	dns stun.example.org
	turn '' 127.0.0.1 ::1
	"$stun" -p 4444 stun.example.org
	"$stun" -4 -p 4444 stun.example.org:3478
	"$stun" gather -p 4444 -S stun.example.org
}

# The name server comes up late: the name is tried again with the keepalives.
dns_late() {
	resolv_conf
	turn '' 127.0.0.1 ::1
	follow -t 1 -S stun.example.org
	within lines "$NET_DIR/f.err" 1 'server stun.example.org skipped'
	dns stun.example.org
	within lines "$NET_DIR/f.out" 1 \
	    'type=srflx endpoint=.*server=127.0.0.1:3478'
	within lines "$NET_DIR/f.out" 1 \
	    'type=srflx endpoint=.*server=\[::1\]:3478'
}

mapped_v4() {
	turn '' 127.0.0.1
	"$stun" -p 4444 127.0.0.1
}

mapped_v6() {
	turn '' ::1
	"$stun" -p 4444 '[::1]'
}

mapped_name() {
	turn '' 127.0.0.1
	"$stun" -4 -p 4444 localhost
}

mapped_json() {
	turn '' 127.0.0.1
	"$stun" -j -p 4444 127.0.0.1
}

wrong_family() {
	"$stun" -6 127.0.0.1
}

# The same NAT through our eyes and those of coturn's own client.
cross_check() {
	net_public
	net_nat na 198.51.100
	net_host ha na
	turn pub 192.0.2.1
	on ha "$stun" 192.0.2.1
	on ha turnutils_stunclient 192.0.2.1 | sed -n 's/.*reflexive addr: /client /p'
}

forged() {
	hostile
	"$stun" -p 4444 "127.0.0.1:$hostile_port"
}

forged_only() {
	hostile -w
	"$stun" -w 2 "127.0.0.1:$hostile_port"
}

refused() {
	hostile -r
	"$stun" "127.0.0.1:$hostile_port"
}

lent_port() {
	turn '' 127.0.0.1
	"$build/nat-port" -o -1 4444 "$NET_DIR/port" >"$NET_DIR/port.out" &
	within test -s "$NET_DIR/port.out"
	"$stun" -s "$NET_DIR/port" 127.0.0.1
	"$stun" gather -s "$NET_DIR/port" -S 127.0.0.1
}

# ---- gather, once

some_dead() {
	turn '' 127.0.0.1
	"$stun" gather -w 1 -p 4444 -S 127.0.0.1:9 -S 127.0.0.1
}

all_dead() {
	"$stun" gather -w 1 -S 127.0.0.1:9 -S '[2001:db8::1]:1'
}

asked_once() {
	turn '' 127.0.0.1
	"$stun" gather -4 -p 4444 -S 127.0.0.1 -S localhost -S 127.0.0.1:3478
}

gather_forged() {
	turn '' 127.0.0.1
	hostile -w
	"$stun" gather -w 2 -p 4444 -S "127.0.0.1:$hostile_port" -S 127.0.0.1
}

hosts() {
	small_net
	add_link tun
	ip link add dead type veth peer name dead-end
	ip addr add 172.16.0.1/24 dev tun
	ip addr add 172.17.0.1/24 dev dead
	ip addr add 2001:db8::5/64 dev eth nodad
	ip addr add 2001:db8::6/64 dev eth nodad preferred_lft 0
	ip addr add 10.0.0.2/24 dev eth
	"$stun" gather -p 5000 "$@" -S 10.0.0.9
}

hosts_excluded() {
	hosts -x tun -x nosuch
}

hosts_excluded_base() {
	hosts -x eth
}

hosts_v6() {
	hosts -6
}

nat() {
	net_public
	ip -n pub addr add 192.0.2.2/32 dev lo
	net_nat na 198.51.100
	net_host ha na
	turn pub 192.0.2.1 192.0.2.2
	if [ $# -gt 0 ]; then
		on na nft flush ruleset
		on na nft -f - <<-N
		table ip nat {
			chain post { type nat hook postrouting priority 100
				oifname wan masquerade $1; }
		}
		N
	fi
	on ha "$stun" gather -p 5000 -S 192.0.2.1 -S 192.0.2.2
}

nat_random() {
	nat random,fully-random
}

# ---- gather -f

follow_address() {
	small_net
	follow -S 10.0.0.9
	ip addr add 10.0.0.7/24 dev eth
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=2$'
	generation 2 | grep -q '^candidate type=host endpoint=10.0.0.7:5000 ' ||
	    fail 'no 10.0.0.7 in generation 2'
	ip addr del 10.0.0.7/24 dev eth
	within lines "$NET_DIR/f.out" 1 '^candidates generation=3 count=1$'
	[ "$(count "$NET_DIR/f.out" '^candidates')" = 3 ] ||
	    fail 'more than one generation for a change'
	kill "$follow_pid"
	wait "$follow_pid" || fail "ended with $?"
}

# Changes of the network that change no candidate; then one that does, which
# shows that the earlier ones had been acted upon and given nothing.
follow_nothing() {
	small_net
	follow -S 10.0.0.9
	ip route add 203.0.113.0/24 dev eth
	rounds 1
	add_link quiet
	rounds 2
	ip route del 203.0.113.0/24 dev eth
	rounds 3
	ip addr add 10.0.0.7/24 dev eth
	within lines "$NET_DIR/f.out" 1 'endpoint=10.0.0.7:5000'
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=2$'
	[ "$(count "$NET_DIR/f.out" '^candidates')" = 2 ] ||
	    fail 'a generation in which nothing changed'
}

follow_excluded() {
	small_net
	add_link tun
	follow -x tun -S 10.0.0.9
	ip addr add 172.16.0.1/24 dev tun
	rounds 1
	ip addr add 10.0.0.7/24 dev eth
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=2$'
	! grep -q 172.16 "$NET_DIR/f.out" || fail 'tun was not excluded'
}

# The NAT gets another address: nothing changes here, only a keepalive can see
# it, and one generation tells it although two servers do.
follow_mapping() {
	net_public
	ip -n pub addr add 192.0.2.2/32 dev lo
	net_nat na 198.51.100
	net_host ha na
	turn pub 192.0.2.1 192.0.2.2
	nsenter --net=/run/netns/ha "$stun" gather -f -t 1 -vv -p 5000 \
	    -S 192.0.2.1 -S 192.0.2.2 >"$NET_DIR/f.out" 2>"$NET_DIR/f.err" &
	follow_pid=$!
	within lines "$NET_DIR/f.out" 1 '^candidates generation=1 count=2$'
	ip -n na addr del 198.51.100.2/24 dev wan
	ip -n na addr add 198.51.100.77/24 dev wan
	ip -n na route replace default via 198.51.100.1
	on na conntrack -F 2>/dev/null
	within lines "$NET_DIR/f.out" 1 \
	    'type=srflx endpoint=198.51.100.77:5000'
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=2$'
	[ "$(count "$NET_DIR/f.out" '^candidates')" = 2 ] ||
	    fail 'more than one generation for a new mapping'
}

# deaf NS: whoever is there hears nothing any more; until hearing NS.
deaf() {
	on "$1" nft add table ip deaf
	on "$1" nft add chain ip deaf in \
	    '{ type filter hook input priority 0; policy drop; }'
}

hearing() {
	on "$1" nft delete table ip deaf
}

# A server dies: its candidate stays for three keepalives, then goes; and it
# is back when the server is.
follow_dead_server() {
	net_public
	net_nat na 198.51.100
	net_host ha na
	turn pub 192.0.2.1
	nsenter --net=/run/netns/ha "$stun" gather -f -t 1 -vv -p 5000 \
	    -S 192.0.2.1 >"$NET_DIR/f.out" 2>"$NET_DIR/f.err" &
	within lines "$NET_DIR/f.out" 1 '^candidates generation=1 count=2$'
	deaf pub
	within lines "$NET_DIR/f.err" 1 'server 192.0.2.1:3478 skipped: no answer'
	[ "$(count "$NET_DIR/f.out" '^candidates')" = 1 ] ||
	    fail 'one lost keepalive ended the mapping'
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=1$'
	hearing pub
	within lines "$NET_DIR/f.out" 1 '^candidates generation=3 count=2$'
	[ "$(count "$NET_DIR/f.err" 'no answer')" = 1 ] ||
	    fail 'warned more than once'
}

# Nobody answers at first: what there is, is told before that is settled, and
# the answer makes a generation of its own.
follow_blocked() {
	net_public
	net_nat na 198.51.100
	net_host ha na
	turn pub 192.0.2.1
	deaf pub
	: >"$NET_DIR/f.out"
	nsenter --net=/run/netns/ha "$stun" gather -f -t 1 -vv -p 5000 \
	    -S 192.0.2.1 >>"$NET_DIR/f.out" 2>&1 &
	within lines "$NET_DIR/f.out" 1 '^candidates generation=1 count=1$'
	within lines "$NET_DIR/f.out" 1 'server 192.0.2.1:3478 skipped: no answer'
	grep -e '^candidates' -e skipped "$NET_DIR/f.out" | head -n 1 |
	    grep -q '^candidates' || fail 'it waited for the silent server'
	hearing pub
	within lines "$NET_DIR/f.out" 1 'candidate type=srflx'
	within lines "$NET_DIR/f.out" 1 '^candidates generation=2 count=2$'
}

follow_empty() {
	small_net
	deaf srv
	follow -t 1 -x eth -S 10.0.0.9
	[ "$(cat "$NET_DIR/f.out")" = 'candidates generation=1 count=0' ] ||
	    fail 'something out of nothing'
}

reader_gone() {
	small_net
	mkfifo "$NET_DIR/pipe"
	"$stun" gather -f -S 10.0.0.9 >"$NET_DIR/pipe" 2>"$NET_DIR/g.err" &
	local pid=$!
	grep -q -m 1 '^candidates' "$NET_DIR/pipe"
	wait "$pid"
}

port_gone() {
	small_net
	"$build/nat-port" -o -1 4444 "$NET_DIR/port" >"$NET_DIR/port.out" &
	local port_pid=$!
	within test -s "$NET_DIR/port.out"
	"$stun" gather -f -s "$NET_DIR/port" -S 10.0.0.9 >"$NET_DIR/g.out" &
	local pid=$!
	within lines "$NET_DIR/g.out" 1 '^candidates'
	kill -9 "$port_pid"
	wait "$pid"
}

unprivileged() {
	small_net
	follow -S 10.0.0.9
	grep -e '^Cap[A-Z]' -e '^NoNewPrivs' "/proc/$follow_pid/status"
}

net_begin
"$@"
