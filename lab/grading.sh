#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Pid 1 of the namespaces in which a NAT program is graded, run by grade.sh:
# builds the network, starts the program, asks through it, and prints a
# requirement record for each requirement of RFC 4787.
# usage: grading.sh VERBOSITY SECONDS -j|"" prog args
#
#	h1, h2, h3 --- sw --- nat --- isp --- pub
#
# The program runs in nat, between the interfaces lan and wan; what it finds
# there is in nat-lab(1). The hosts are 192.168.1.2 and on, pub is 192.0.2.1 to
# .3. There are three of them so that two share one of two public addresses.
set -efu
LC_ALL=C
export LC_ALL
lab_dir=${0%/*} verbosity=$1 seconds=$2 json=$3
shift 3
# shellcheck source=lab/json.sh
. "$lab_dir/json.sh"
# shellcheck source=lab/net.sh
. "$lab_dir/net.sh"
d=/run/grade outer=198.51.100 mtu=1400
passed=0 failed=0 untested=0 # the musts

tell() {
	[ "$verbosity" -lt "$1" ] || echo "nat-lab: $2" >&2
}

fatal() {
	echo "nat-lab: fatal: $2" >&2
	exit "$1"
}

# What a namespace sends is what a wire would carry: whole checksums, no more
# than one packet at a time.
plain() {
	for g_if in $2; do
		on "$1" ethtool -K "$g_if" tx off tso off gso off \
		    >/dev/null 2>&1 || :
	done
}

host() { # NS LAST
	net_wire "$1" eth sw "to-$1"
	ip -n sw link set "to-$1" master lan
	ip -n "$1" addr add "192.168.1.$2/24" dev eth
	# As one may when a NAT's hairpin keeps the internal source. And what asks
	# from any port must not sit on one that another question names.
	on "$1" sysctl -qw net.ipv4.conf.all.accept_local=1 \
	    net.ipv4.ip_local_port_range='50000 60999'
	ip -n "$1" route add default via 192.168.1.1 mtu "$mtu"
	# Larger than the way behind the NAT: what that does with it is REQ-13.
	ip -n "$1" route add 192.0.2.3 via 192.168.1.1
	plain "$1" eth
}

network() {
	net_ns h1 h2 h3 sw nat isp pub
	for g_ns in h1 h2 h3 sw nat isp pub; do
		on "$g_ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		    net.ipv6.conf.default.disable_ipv6=1
	done
	ip -n sw link add lan type bridge
	ip -n sw link set lan up
	net_wire nat lan sw to-nat
	ip -n sw link set to-nat master lan
	ip -n nat addr add 192.168.1.1/24 dev lan
	host h1 2
	host h2 3
	host h3 4
	# Errors are evidence here: none may be held back.
	on isp sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
	on pub sysctl -qw net.ipv4.icmp_ratelimit=0
	net_wire nat wan isp to-nat
	ip -n nat link set wan mtu "$mtu"
	ip -n isp link set to-nat mtu "$mtu"
	ip -n isp addr add "$outer.1/24" dev to-nat
	ip -n nat addr add "$outer.2/24" dev wan
	ip -n nat addr add "$outer.3/24" dev wan
	ip -n nat route add default via "$outer.1"
	net_wire isp to-pub pub eth
	ip -n isp addr add 192.0.2.254/24 dev to-pub
	for g_n in 1 2 3; do
		ip -n pub addr add "192.0.2.$g_n/24" dev eth
	done
	ip -n pub route add default via 192.0.2.254 mtu "$mtu"
	plain nat 'lan wan'
	plain isp 'to-nat to-pub'
	plain pub eth
}

# The kernel of nat has the addresses, and so answers ARP. To UDP and TCP that
# no socket there wants it says nothing: that is the program's business. What a
# program sends by a socket has an owner; what the kernel says has none.
silence() {
	on nat sysctl -qw net.ipv4.ip_forward=0 \
	    net.ipv4.conf.all.send_redirects=0 \
	    net.ipv4.conf.lan.send_redirects=0 \
	    net.ipv4.conf.all.accept_local=1
	on nat nft -f - <<-N
	table ip grade {
		chain out { type filter hook output priority 300
			meta skuid >= 0 accept
			icmp type destination-unreachable icmp code { 2, 3 } drop
			tcp flags & rst == rst drop; }
	}
	N
}

# serve NAME prog args: on pub, until it is ready.
serve() {
	g_name=$1
	shift
	mkfifo "$d/$g_name.ready"
	nsenter --net=/run/netns/pub "$@" -N 5 5>"$d/$g_name.ready" \
	    >"$d/$g_name" 2>&1 &
	read -r _ <"$d/$g_name.ready" ||
		fatal 111 "$1 did not start: $(cat "$d/$g_name")"
}

servers() {
	serve stund nat-stund -r 10000 -b 192.0.2.1 -b 192.0.2.2
	serve asked nat-probe -b 192.0.2.1
	serve asked-3 nat-probe -b 192.0.2.3
}

# The program, until it has written a newline to its descriptor 3, or a packet
# has come through.
program() {
	exec 4>&2
	[ "$verbosity" -ge 0 ] || exec 4>/dev/null
	: >"$d/told"
	mkfifo "$d/tell"
	cat "$d/tell" >"$d/told" &
	NAT_LAN=lan NAT_WAN=wan NAT_LAN_ADDRESS=192.168.1.1 \
	    NAT_LAN_NETWORK=192.168.1.0/24 \
	    NAT_WAN_ADDRESSES="$outer.2,$outer.3" NAT_GATEWAY="$outer.1" \
	    NAT_MTU="$mtu" NAT_READY_FD=3 \
	    nsenter --net=/run/netns/nat "$@" 3>"$d/tell" </dev/null \
	    >&4 2>&4 4>&- &
	g_program=$!
	g_tries=0
	until [ -s "$d/told" ] || on h2 nat-stun -q -w 1 192.0.2.1 \
	    >/dev/null 2>&1; do
		g_tries=$((g_tries + 1))
		alive || ended
		[ "$g_tries" -lt 15 ] ||
			fatal 1 "no packet came through within $g_tries s"
	done
	tell 1 "info: the program is ready"
}

alive() {
	kill -0 "$g_program" 2>/dev/null
}

ended() {
	g_code=0
	wait "$g_program" || g_code=$?
	case $g_code in
	126 | 127) fatal "$g_code" "the program can't be run" ;;
	esac
	fatal 1 "the program has ended with $g_code"
}

# ---- what is asked, into files of $d

# mapped HOST PORT SERVER: the endpoint that the server sees.
mapped() {
	on "$1" nat-stun -q -w 10 -p "$2" "$3" 2>/dev/null |
		sed -n 's/^mapped endpoint=\([^ ]*\).*/\1/p' || :
}

probe() { # HOST QUESTION SERVER [-w SECONDS]
	g_h=$1 g_q=$2 g_s=$3
	shift 3
	on "$g_h" nat-probe -q "$@" "$g_q" "$g_s" >"$d/$g_q" 2>/dev/null || :
}

# Three hosts from one port to three servers: one external endpoint for two of
# them is overloading. Then, while h1 has a port, how the others' is mapped: the
# server that h1 asked comes last, for towards the other one the port is free.
collide() {
	{
		mapped h1 40000 192.0.2.1
		mapped h2 40000 192.0.2.2
		mapped h3 40000 192.0.2.1:3479
	} >"$d/collision"
	mapped h1 40001 192.0.2.1 >/dev/null
	for g_h in h2 h3; do
		on "$g_h" nat-stun gather -q -w 10 -p 40001 -S 192.0.2.2 \
		    -S 192.0.2.1 2>/dev/null | grep '^nat ' || :
	done >"$d/crowded"
}

# Even and odd ports, so many that chance does not look like a rule; and two
# below 1024.
ports() {
	for g_p in 40100 40102 40103 40105 40108 40111 40114 40117 \
	    40201 40202 40203 40206 40208 40211 40213 40216; do
		echo "$g_p $(mapped h2 "$g_p" 192.0.2.1)"
	done >"$d/parity"
	for g_p in 700 701; do
		echo "$g_p $(mapped h2 "$g_p" 192.0.2.1)"
	done >"$d/low"
	cat "$d/low" "$d/parity" >"$d/ranges"
}

ask() {
	on h2 nat-stun lifetime -q -w "$seconds" 192.0.2.1 >"$d/lifetime" \
	    2>"$d/lifetime.err" &
	g_lifetime=$!
	probe h1 refresh 192.0.2.3 -w "$seconds" &
	g_refresh=$!
	probe h3 silent 192.0.2.3 -w "$seconds" &
	g_silent=$!
	g_all=''
	on h1 nat-stun behaviour -q -w 40 192.0.2.1 >"$d/behaviour" \
	    2>"$d/behaviour.err" &
	g_all="$g_all $!"
	for g_q in fragments unreachable ttl icmp; do
		probe h2 "$g_q" 192.0.2.1 &
		g_all="$g_all $!"
	done
	# In this order: the answer to df makes the way known as narrow.
	{
		probe h2 big 192.0.2.3
		probe h2 df 192.0.2.3
	} &
	g_all="$g_all $!"
	tell 1 "info: REQ-5, REQ-5c and REQ-6 need up to $seconds s"
	collide
	ports
	judge_ports
	# shellcheck disable=SC2086
	wait $g_all || :
	judge_behaviour
	wait "$g_lifetime" "$g_refresh" "$g_silent" || :
	timers
}

# ---- what the answers mean

requirement() { # NUMBER LEVEL VALUE REASON EVIDENCE
	case $2.$3 in
	must.pass) passed=$((passed + 1)) ;;
	must.fail) failed=$((failed + 1)) ;;
	must.*) untested=$((untested + 1)) ;;
	esac
	printf '%s\n' \
	    "requirement number=$1 level=$2 value=$3${4:+ reason=$4}${5:+ evidence=$5}" |
		if [ -n "$json" ]; then json_records; else cat; fi
}

# axis NAME: sets axis and why to that record's value and reason.
axis() {
	axis=$(sed -n "s/^nat axis=$1 value=\([^ ]*\).*/\1/p" "$d/behaviour")
	why=$(sed -n "s/^nat axis=$1 .* reason=\([^ ]*\).*/\1/p" "$d/behaviour")
	[ -n "$axis" ] || axis=inconclusive
	why=${why:-no-answer}
}

# by_axis NUMBER LEVEL AXIS GOOD...: passes on these values.
by_axis() {
	g_number=$1 g_level=$2 g_axis=$3
	shift 3
	axis "$g_axis"
	if [ "$axis" = inconclusive ]; then
		requirement "$g_number" "$g_level" untested "$why" ''
		return
	fi
	for g_good; do
		[ "$g_good" != "$axis" ] || {
			requirement "$g_number" "$g_level" pass '' \
			    "$g_axis=$axis"
			return
		}
	done
	requirement "$g_number" "$g_level" fail "$axis" "$g_axis=$axis"
}

# by_probe NUMBER LEVEL QUESTION [REASON]
by_probe() {
	case $(of "$3" value) in
	yes)
		g_from=$(of "$3" from)
		requirement "$1" "$2" pass '' "$3=yes${g_from:+,from=$g_from}" ;;
	no) requirement "$1" "$2" fail "${4:-no-answer}" "$3=no" ;;
	*) requirement "$1" "$2" untested error '' ;;
	esac
}

mapping() {
	by_axis REQ-1 must mapping endpoint-independent
	# All of h2's.
	g_list=$(sed -n 's/.* \(.*\):.*/\1/p' "$d/parity" "$d/low" | sort -u |
		paste -sd ,)
	case $g_list in
	*,*) requirement REQ-2 should fail arbitrary "addresses=$g_list" ;;
	*) by_axis REQ-2 should pooling paired ;;
	esac
}

overloading() {
	g_list=$(paste -sd , "$d/collision")
	if [ "$(wc -l <"$d/collision")" -lt 3 ]; then
		requirement REQ-3 must untested no-answer ''
	elif [ -n "$(sort "$d/collision" | uniq -d)" ]; then
		requirement REQ-3 must fail overloading "endpoints=$g_list"
	else
		requirement REQ-3 must pass '' "endpoints=$g_list"
	fi
}

# same NUMBER FILE PROG: all lines "PORT ENDPOINT" of the file are as awk's
# condition (of p and m, the two ports) says.
same() {
	g_list=$(sed 's/ .*:/:/' "$d/$2" | grep -v ' $' | paste -sd , -)
	if grep -q ' $' "$d/$2"; then
		requirement "$1" should untested no-answer "ports=$g_list"
	elif awk -F '[ :]' "{ p = \$1; m = \$3; if (!($3)) exit 1 }" "$d/$2"
	then
		requirement "$1" should pass '' "ports=$g_list"
	else
		requirement "$1" should fail changed "ports=$g_list"
	fi
}

# of FILE KEY: that key's value in the first record of a file.
of() {
	sed -n "s/.* $2=\([^ ]*\).*/\1/p" "$d/$1" | head -n 1
}

# idle NUMBER LEVEL SECONDS: the shorter one of the two kinds counts. nat-stun
# needs long to be sure to the second; that nothing came in any more after a
# time is sure before.
idle() {
	g_life=$(sed -n 's/.* lifetime_s=\([0-9]*\).*/\1/p' "$d/lifetime" |
		sort -n | head -n 1)
	g_least=$(sed -n 's/.* [al][a-z]*_s=\([0-9]*\).*/\1/p' "$d/lifetime" |
		sort -n | head -n 1)
	g_dead=''
	[ "$(of silent value)" != no ] || g_dead=$(of silent after_s)
	if [ -n "$g_life" ] && [ "$g_life" -lt "$3" ]; then
		requirement "$1" "$2" fail short "lifetime_s=$g_life"
	elif [ "${g_dead:-$3}" -lt "$3" ]; then
		requirement "$1" "$2" fail short "dead_after_s=$g_dead"
	elif [ "$(grep -c ^lifetime "$d/lifetime")" = 2 ] &&
		[ "${g_least:-0}" -ge "$3" ]; then
		requirement "$1" "$2" pass '' "atleast_s=$g_least"
	else
		requirement "$1" "$2" untested \
		    "$(of lifetime reason | grep . || echo no-answer)" \
		    "${g_least:+atleast_s=$g_least}"
	fi
}

timers() {
	idle REQ-5 must 120
	idle REQ-5c should 300
	g_kept=$(of refresh after_s)
	g_dead=${g_life:-$g_dead}
	if [ "$(of refresh value)" = no ]; then
		requirement REQ-6 must fail outbound "dead_after_s=$g_kept"
	elif [ -n "$g_kept" ] && [ "${g_dead:-$g_kept}" -lt "$g_kept" ]; then
		requirement REQ-6 must pass '' \
		    "alive_after_s=$g_kept,silent_s=$g_dead"
	else
		requirement REQ-6 must untested time \
		    "${g_kept:+alive_after_s=$g_kept}"
	fi
}

hairpin() {
	axis hairpin
	case $axis in
	external)
		requirement REQ-9 must pass '' hairpin=external
		requirement REQ-9a must pass '' hairpin=external ;;
	internal)
		requirement REQ-9 must pass '' hairpin=internal
		requirement REQ-9a must fail internal hairpin=internal ;;
	no)
		requirement REQ-9 must fail no hairpin=no
		requirement REQ-9a must untested REQ-9 '' ;;
	*)
		requirement REQ-9 must untested "$why" ''
		requirement REQ-9a must untested "$why" '' ;;
	esac
}

# Sorts of errors: nat-stun's is of a router, nat-probe's are more.
errors() {
	axis icmp
	case $axis.$(of icmp value) in
	killed.*) requirement REQ-12 must fail killed icmp=killed ;;
	*.no)
		requirement REQ-12 must fail killed \
		    "icmp=killed,by=$(of icmp errors)" ;;
	*.yes)
		requirement REQ-12 must pass '' \
		    "icmp=kept,after=$(of icmp errors)" ;;
	*) requirement REQ-12 must untested no-answer '' ;;
	esac
}

fragments() {
	axis fragments_in
	case $(of fragments value).$axis in
	yes.no)
		requirement REQ-14 must fail in-order \
		    "fragments=yes,in_order=no" ;;
	*) by_probe REQ-14 must fragments ;;
	esac
}

# The mapping of a port that somebody else has, too, is as any other.
stable() {
	axis mapping
	g_then=$(sed -n 's/^nat axis=mapping value=\([^ ]*\).*/\1/p' \
	    "$d/crowded" | sort -u | paste -sd ,)
	case $axis.$g_then in
	inconclusive.* | *.) requirement REQ-11 must untested no-answer '' ;;
	endpoint-independent.*endpoint-dependent*)
		requirement REQ-11 must fail collision \
		    "mapping=$axis,collision=$g_then" ;;
	*)
		requirement REQ-11 must pass '' \
		    "mapping=$axis,collision=$g_then" ;;
	esac
}

# Each is told as soon as it is known.
judge_ports() {
	overloading
	same REQ-3a ranges '(p < 1024) == (m < 1024)'
	same REQ-4 parity 'p % 2 == m % 2'
}

judge_behaviour() {
	mapping
	requirement REQ-7 must untested configuration ''
	by_axis REQ-8 should filtering endpoint-independent address-dependent
	hairpin
	by_axis REQ-10 should alg no
	stable
	errors
	by_probe REQ-12a should ttl
	by_probe REQ-12b should unreachable
	by_probe REQ-13 must df
	by_probe REQ-13a must big
	fragments
}

net_begin
mkdir -p "$d"
network
silence
servers
program "$@"
ask
alive || tell 0 "warning: the program has ended while it was asked"
tell 1 "info: of the musts, $passed passed, $failed failed, $untested untested"
[ "$failed" = 0 ]
