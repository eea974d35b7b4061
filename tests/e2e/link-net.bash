# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of link.bats: `bash link-net.bash NAME`, run by $NET_UNSHARE.
# Hosts a and b, 10.0.0.1 and .2, and between them w, in which nat-link joins wa
# and wb. They know each other's hardware addresses and have no IPv6: nothing
# crosses but what a scenario sends.

set -eu
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${NATKIT_BUILD:-$here/../../build}
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"

fail() {
	echo "link-net: $*"
	tail -n 20 "$NET_DIR"/*.err 2>/dev/null || :
	exit 99
}

# within PROG ARGS: tries until it succeeds, at most 200 times.
within() {
	local _
	for _ in {1..200}; do
		"$@" && return 0
		sleep 0.02
	done
	fail "never came true: $*"
}

# host NS OTHER N: its addresses, and where the other one is.
host() {
	local mac
	net_wire "$1" eth w "w$1"
	ip -n "$1" addr add "10.0.0.$3/24" dev eth
	ip -n "$1" link set eth address "02:00:00:00:00:0$3"
	mac=02:00:00:00:00:0$((3 - $3))
	ip -n "$1" neigh add "10.0.0.$((3 - $3))" lladdr "$mac" dev eth
}

hosts() {
	local ns
	net_ns a b w
	for ns in a b w; do
		on "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		    net.ipv6.conf.default.disable_ipv6=1
	done
	host a b 1
	host b a 2
}

# wire WORDS...: nat-link, until it is ready.
wire() {
	mkfifo "$NET_DIR/ready"
	nsenter --net=/run/netns/w "$build/nat-link" -1 -N 5 \
	    -c "$NET_DIR/control" wa wb "$@" 5>"$NET_DIR/ready" \
	    >"$NET_DIR/link.out" 2>"$NET_DIR/link.err" &
	link_pid=$!
	read -r _ <"$NET_DIR/ready" || fail 'nat-link did not start'
}

control() {
	echo "$*" | socat -t 5 - "UNIX-CONNECT:$NET_DIR/control"
}

set_link() {
	control set "$@" | grep -q '^end status=ok$' || fail "set $*"
}

# stat FROM KEY: of the direction that begins at FROM.
stat() {
	control stats | sed -n "s/^traffic from=$1 .* $2=\([0-9]*\).*/\1/p"
}

# pings N ARGS...: from a to b; prints "sequence milliseconds" as they come.
pings() {
	local n=$1
	shift
	on a ping -n -c "$n" -W 1 "$@" 10.0.0.2 |
		sed -n 's/.*icmp_seq=\([0-9]*\) .*time=\([0-9.]*\) ms.*/\1 \2/p'
}

# median: of the second column, in microseconds.
median() {
	cut -d ' ' -f 2 | sort -n |
		awk '{ v[NR] = $1 } END { print int(v[int((NR + 1) / 2)] * 1000) }'
}

# least: the same, of a machine that is busy at times.
least() {
	cut -d ' ' -f 2 | sort -n | awk 'NR == 1 { print int($1 * 1000) }'
}

# between LOW VALUE HIGH
between() {
	if [ "$2" -lt "$1" ] || [ "$2" -gt "$3" ]; then
		fail "$2 is not in $1..$3"
	fi
}

# The round trip is never shorter than what was asked for; and three times as
# long when the delay is.
delay() {
	local none short long
	hosts
	wire
	none=$(pings 30 -i 0.02 | least)
	set_link delay_ms=10
	short=$(pings 30 -i 0.02 | least)
	set_link delay_ms=30
	long=$(pings 30 -i 0.02 | least)
	echo "least $none $short $long us" >&2
	[ "$short" -ge 20000 ] || fail 'too early'
	[ "$long" -ge 60000 ] || fail 'too early'
	between 250 $((100 * (long - none) / (short - none))) 350
}

# One direction's delay leaves the other's alone, and so does its loss.
directions() {
	hosts
	wire delay_ms=5 direction=wb delay_ms=25
	cat "$NET_DIR/link.out"
	[ "$(pings 5 -i 0.02 | median)" -ge 30000 ] || fail 'too early'
	set_link direction=wa loss=100
	pings 5 -i 0.01 -W 0.2 | wc -l
	echo "$(stat wa lost) $(stat wb lost) $(stat wb frames)"
	control show
}

# Echo requests that have come to b.
echoes() {
	# shellcheck disable=SC2016
	on b awk '$1 == "Icmp:" && !n { for (i = 1; i <= NF; i++)
			if ($i == "InEchos") n = i
			next }
		$1 == "Icmp:" { print $n }' /proc/net/snmp
}

# Which of 200 get an answer. ping waits for its last ones no longer than two
# round trips: so there are more.
fates() {
	pings 260 -i 0.002 -W 0.2 | awk '$1 <= 200 { print $1 }'
}

all_accounted() { # ECHOES-BEFORE
	[ $(($(echoes) - $1 + $(stat wa lost))) = 260 ]
}

# With one seed the same packets get lost.
loss() {
	hosts
	wire loss=30 seed=7 direction=wb loss=0
	local first second other asked
	asked=$(echoes)
	first=$(fates)
	between 110 "$(echo "$first" | wc -l)" 170
	within all_accounted "$asked"
	set_link seed=8 direction=wa
	other=$(fates)
	set_link seed=7 direction=wa
	second=$(fates)
	[ "$first" = "$second" ] || fail 'one seed, two fates'
	[ "$first" != "$other" ] || fail 'two seeds, one fate'
	set_link loss=0
	[ "$(fates | wc -l)" = 200 ] ||
	    fail 'lost without loss'
}

twice() {
	[ "$(stat wb frames)" = 120 ]
}

duplicate() {
	hosts
	wire duplicate=100 direction=wb duplicate=0
	on a ping -n -c 60 -i 0.002 -W 0.2 10.0.0.2 | grep DUP |
		grep -cE 'icmp_seq=(.|10) '
	within twice
	stat wa duplicated
	stat wb frames
}

# sorted: exit 0 when the sequence numbers come in order.
sorted() {
	cut -d ' ' -f 1 | sort -n -c 2>/dev/null
}

reorder() {
	hosts
	wire delay_ms=30 jitter_ms=20
	pings 60 -i 0.005 | sorted || fail 'reordered without being asked'
	[ "$(stat wa reordered)" = 0 ] || fail 'counted without being asked'
	set_link reorder=20 direction=wa
	! pings 100 -i 0.005 | sorted || fail 'nothing was reordered'
	between 5 "$(stat wa reordered)" 40
	[ "$(stat wb reordered)" = 0 ] || fail 'the other direction, too'
}

# rate_kbit bounds what goes through, and a full queue loses its tail.
rate() {
	local begin took
	hosts
	wire
	set_link rate_kbit=2000 queue_ms=1000 direction=wa
	net_ms
	begin=$net_ms
	# 50 times 1042 bytes: 208 ms
	[ "$(pings 50 -l 50 -s 1000 | wc -l)" = 50 ] || fail 'lost'
	net_ms
	took=$((net_ms - begin))
	[ "$took" -ge 190 ] || fail "faster than the line: $took ms"
	set_link queue_ms=20 direction=wa
	[ "$(pings 50 -l 50 -s 1000 -W 0.2 | wc -l)" -lt 50 ] ||
	    fail 'the queue was too long'
	[ "$(stat wa tail)" -gt 0 ] || fail 'not counted'
}

# transfer BYTES: over TCP, from a to b.
transfer() {
	head -c "$1" /dev/urandom >"$NET_DIR/sent"
	nsenter --net=/run/netns/b socat -u TCP-LISTEN:5000 \
	    "OPEN:$NET_DIR/got,creat,trunc" &
	local pid=$!
	within eval 'on b ss -ltnH | grep -q :5000'
	on a socat -u "OPEN:$NET_DIR/sent" TCP:10.0.0.2:5000
	wait "$pid"
	cmp "$NET_DIR/sent" "$NET_DIR/got"
}

# Uncut frames come from the kernel; packets cross the wire.
tcp() {
	hosts
	wire
	transfer 20000000
	echo "bytes a frame: $(($(stat wa bytes) / $(stat wa frames)))" >&2
	[ $(($(stat wa bytes) / $(stat wa frames))) -le 1514 ] ||
	    fail 'frames were not cut'
	set_link loss=1 delay_ms=1
	transfer 2000000
	[ "$(stat wa lost)" -gt 0 ] || fail 'nothing was lost'
	[ "$(stat wa bad)$(stat wa refused)" = 00 ] ||
	    fail 'frames that it did not understand'
}

# got BYTES: has the file that many?
got() {
	[ "$(wc -c <"$NET_DIR/got")" = "$1" ]
}

# What a UDP socket hands over as one arrives as what it is.
burst() {
	hosts
	wire
	nsenter --net=/run/netns/b socat -u UDP-RECV:5001 \
	    "OPEN:$NET_DIR/got,creat" &
	within eval 'on b ss -lunH | grep -q :5001'
	on a "$build/tools/udp-burst" 10.0.0.2 5001 1000 40
	within got 40000
	grep -o '^[0-9]\{5\}$' "$NET_DIR/got" | sort -n -c || fail 'order'
	[ "$(stat wa frames)" = 40 ] || fail 'not 40 frames'
}

# Everything that is Ethernet passes: ARP, IPv6, VLAN tags, jumbo frames.
ethernet() {
	local ns n=1
	hosts
	for ns in a b; do
		ip -n "$ns" neigh flush dev eth nud permanent
		on "$ns" sysctl -qw net.ipv6.conf.eth.disable_ipv6=0
		ip -n "$ns" addr add "2001:db8::$n/64" dev eth nodad
		n=$((n + 1))
	done
	wire
	on a ping -q -n -c 1 -W 10 10.0.0.2 || fail 'ARP or IPv4'
	on a ping -q -n -c 1 -W 10 2001:db8::2 || fail 'IPv6'
	# an ARP request with tag 5
	nsenter --net=/run/netns/b tcpdump -nel -c 1 -i eth vlan \
	    >"$NET_DIR/tagged" 2>"$NET_DIR/tcpdump" &
	within grep -q listening "$NET_DIR/tcpdump"
	printf '%b' '\0377\0377\0377\0377\0377\0377\02\0\0\0\0\01' \
	    '\0201\0\0\05\010\06\0\01\010\0\06\04\0\01' \
	    '\02\0\0\0\0\01\012\05\0\01\0\0\0\0\0\0\012\05\0\02' |
		on a socat -u - INTERFACE:eth
	within grep -q 'vlan 5.*who-has 10.5.0.2 tell 10.5.0.1' "$NET_DIR/tagged"
	kill "$link_pid"
	wait "$link_pid" || fail "ended with $?"
	rm "$NET_DIR/ready"
	for ns in a b; do
		ip -n "$ns" link set eth mtu 9000
		ip -n w link set "w$ns" mtu 9000
	done
	wire
	on a ping -q -n -c 1 -W 10 -M 'do' -s 8972 10.0.0.2 || fail 'jumbo'
	ip -n a link set eth mtu 9100
	ip -n w link set wa mtu 9100
	on a ping -q -n -c 1 -W 0.2 -M 'do' -s 9072 10.0.0.2 &&
	    fail 'longer than it was told'
	[ "$(stat wa bad)" = 1 ] || fail 'not counted'
}

# A bad word changes nothing and says why; a good one tells what is now.
commands() {
	hosts
	wire delay_ms=1.5 loss=0.25 seed=3
	for words in 'set loss=101' 'set loss=1 colour=red' 'set' \
	    'set loss=9 direction=eth0' nonsense; do
		control "$words"
	done
	control show
	control set rate_kbit=1000 direction=wb
}

down_and_up() {
	hosts
	wire
	ip -n a link set eth down
	ip -n w link set wa down
	within grep -q 'interface wa: Network is down' "$NET_DIR/link.err"
	ip -n w link set wa up
	ip -n a link set eth up
	within on a ping -q -c 1 -W 0.1 10.0.0.2 >/dev/null
}

vanish() {
	hosts
	wire
	ip -n b link del eth
	local code=0
	wait "$link_pid" || code=$?
	cat "$NET_DIR/link.err" >&2
	return "$code"
}

unprivileged() {
	hosts
	wire
	grep -e '^Cap[A-Z]' -e '^NoNewPrivs' -e '^Seccomp:' \
	    "/proc/$link_pid/status"
	kill "$link_pid"
	wait "$link_pid"
}

start() {
	hosts
	nsenter --net=/run/netns/w "$build/nat-link" "$@"
}

net_begin
"$@"
