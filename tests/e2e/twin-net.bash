# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Two hosts that lend each other their address (nat-stund -O), and beside them,
# in a world of its own, one host that has both addresses; in each world a
# client beside the servers and one behind a masquerading NAT. Run by twin.bats
# in namespaces of its own, and tests/soak/twin.bats. usage: twin-net.bash BUILD SCENE
#
#   two:  a .1 --+-- bridge, client .9     one:  o .1 and .2 --+-- bridge, .9
#         b .2 --+                                             |
#       nat .8 --+-- 192.168.1.2 in                    nat .8 --+-- in
set -eu
umask 077
build=$1
mount -t tmpfs none /run
mkdir /run/netns

# wire HOST BRIDGE-NAMESPACE ADDRESS...: eth0 of a new namespace HOST
wire() {
	local host=$1 net=$2
	shift 2
	ip netns add "$host"
	at "$host" sysctl -qw net.ipv6.conf.default.accept_dad=0
	ip -n "$net" link add "to-$host" type veth peer name eth0 netns "$host"
	ip -n "$net" link set "to-$host" master bridge0 up
	for address; do
		ip -n "$host" addr add "$address" dev eth0
	done
	ip -n "$host" link set lo up
	ip -n "$host" link set eth0 up
}

world() {
	ip netns add "$1-net"
	ip -n "$1-net" link set lo up
	ip -n "$1-net" link add name bridge0 type bridge
	ip -n "$1-net" addr add 198.51.100.9/24 dev bridge0
	ip -n "$1-net" addr add 2001:db8::9/64 dev bridge0 nodad
	ip -n "$1-net" link set bridge0 up
	wire "$1-nat" "$1-net" 198.51.100.8/24
	ip netns add "$1-in"
	ip -n "$1-nat" link add lan type veth peer name eth0 netns "$1-in"
	ip -n "$1-nat" addr add 192.168.1.1/24 dev lan
	ip -n "$1-nat" link set lan up
	ip -n "$1-in" addr add 192.168.1.2/24 dev eth0
	ip -n "$1-in" link set lo up
	ip -n "$1-in" link set eth0 up
	ip -n "$1-in" route add default via 192.168.1.1
	at "$1-nat" sysctl -qw net.ipv4.ip_forward=1
	at "$1-nat" nft -f - <<-END
		table ip nat {
			chain post {
				type nat hook postrouting priority srcnat
				oifname eth0 masquerade
			}
		}
	END
}

at() {
	local host=$1
	shift
	nsenter "--net=/run/netns/$host" "$@"
}

# serve HOST OPTION...: sets PID, once the server is ready
serve() {
	local host=$1
	shift
	rm -f /run/ready
	mkfifo /run/ready
	nsenter "--net=/run/netns/$host" "$build/nat-stund" -c "/run/$host.ctl" -N 5 "$@" \
		2>>"/run/$host.err" 5>/run/ready &
	PID=$!
	read -r _ </run/ready
}

# twin HOST NUMBER OTHER NUMBER OPTION...: over IPv6 when NUMBER is "v6:N"
twin() {
	local host=$1 number=$2 other=$3 to=198.51.100.$4
	case $4 in
	v6:*) to="[2001:db8::${4#v6:}]" ;;
	esac
	shift 4
	serve "$host" -b "198.51.100.$number" -b "2001:db8::$number" \
		-k "/run/$host.key" \
		-O "$(cat "/run/$other.pub")@$to:3478" "$@"
}

# control HOST COMMAND
control() {
	printf '%s\n' "$2" | socat -t5 - "UNIX-CONNECT:/run/$1.ctl"
}

# count HOST COUNTER
count() {
	control "$1" stats | sed -n "s/^stats name=$2 value=//p"
}

# until_true COMMAND...: tries for 15 s at most
until_true() {
	local tries=0
	until "$@"; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ]; then
			echo "never: $*" >&2
			exit 1
		fi
		sleep 0.05
	done
}

# is_up HOST PROCESSES
is_up() {
	[ "$(count "$1" twin_up)" -eq "$2" ]
}

# ask WORLD CLIENT OPTION... ENDPOINT
ask() {
	local net=$1-$2
	shift 2
	at "$net" "$build/tools/stun-ask" -w 5000 "$@" || echo 'no answer'
}

two() {
	for host in a b c; do
		wg genkey >"/run/$host.key"
		wg pubkey <"/run/$host.key" >"/run/$host.pub"
	done
	world two
	wire a two-net 198.51.100.1/24 2001:db8::1/64
	wire b two-net 198.51.100.2/24 2001:db8::2/64
	twin a 1 b 2 "$@"
	pid_a=$PID
	twin b 2 a 1 "$@"
	pid_b=$PID
	until_true is_up a "${2:-1}"
	until_true is_up b "${2:-1}"
}

# All questions at all places, at once; the client's own ports are left out.
questions() {
	local place what n=0 asking=()
	mkdir "/run/answers-$1-$2"
	for place in 198.51.100.1:3478 198.51.100.1:3479 198.51.100.2:3478 \
		198.51.100.2:3479 '[2001:db8::1]:3478' '[2001:db8::2]:3479'; do
		for what in '' '-F' '-c 0' '-c 2' '-c 4' '-c 6' '-c 6 -F' \
			'-c 4 -p 1450' '-c 6 -r 2' '-c 4 -a 0x7777' '-C' \
			'-C -c 2' '-C -c 4' '-C -c 6'; do
			n=$((n + 1))
			# shellcheck disable=SC2086
			{
				printf '%s %s: ' "$place" "$what"
				ask "$1" "$2" $what "$place"
			} >"/run/answers-$1-$2/$(printf '%03d' $n)" 2>&1 &
			asking+=($!)
		done
	done
	wait "${asking[@]}"
	cat "/run/answers-$1-$2"/* |
		sed -E 's/(xor|mapped)=([^ ]*):[0-9]+/\1=\2/g'
}

# What two hosts answer is what one host with both addresses answers.
same() {
	local running client world
	two -n 2
	one -n 2
	running=()
	for client in net in; do
		for world in one two; do
			questions $world "$client" >"/run/$world-$client" &
			running+=($!)
		done
	done
	wait "${running[@]}"
	for client in net in; do
		diff "/run/one-$client" "/run/two-$client"
	done
	# it was all asked and answered: 84 questions, of those over IPv6 the
	# RFC 3489 ones get no answer; behind the NAT no answer from elsewhere
	# arrives
	[ "$(wc -l </run/two-net)" -eq 84 ]
	[ "$(grep -c 'no answer' /run/two-net)" -eq 8 ]
	grep -q '^198.51.100.2:3479 -c 4 -p 1450: class=2 from=198.51.100.1:3479 .*padding=1450' /run/two-net
	grep -q '^\[2001:db8::1\]:3478 -c 6: class=2 from=\[2001:db8::2\]:3479 .*other=\[2001:db8::2\]:3479' /run/two-net
	grep -q '^198.51.100.1:3478 -C -c 6: class=2 from=198.51.100.2:3479 ' /run/two-net
	grep -q '^198.51.100.1:3478 -c 6: no answer' /run/two-in
	grep -q '^198.51.100.1:3478 : class=2 .*xor=198.51.100.8 ' /run/two-in
}

one() {
	world one
	wire o one-net 198.51.100.1/24 198.51.100.2/24 2001:db8::1/64 \
		2001:db8::2/64
	serve o -b 198.51.100.1 -b 198.51.100.2 -b 2001:db8::1 \
		-b 2001:db8::2 "$@"
}

# What nat-stun measures by two hosts is what it measures by one, behind
# a NAT that lets nothing else in, one that lets all in, and one with another
# mapping for each destination.
behaviour() {
	local rules world running
	local cone='iifname eth0 udp dport 1024-65535 dnat to 192.168.1.2'
	two
	one
	for rules in 'masquerade;' "masquerade; $cone" \
		'masquerade fully-random;'; do
		running=()
		for world in one two; do
			at $world-nat conntrack -F 2>/dev/null
			at $world-nat nft flush ruleset
			at $world-nat nft -f - <<-END
				table ip nat {
					chain post {
						type nat hook postrouting priority srcnat
						oifname eth0 ${rules%%;*}
					}
					chain pre {
						type nat hook prerouting priority dstnat
						${rules#*;}
					}
				}
			END
			at $world-in "$build/nat-stun" behaviour \
				198.51.100.1:3478 >/run/behaviour-$world &
			running+=($!)
		done
		wait "${running[0]}"
		wait "${running[1]}"
		for world in one two; do
			cut -d ' ' -f 1-3 "/run/behaviour-$world" |
				sort >"/run/axes-$world"
		done
		cat /run/axes-one
		diff /run/axes-one /run/axes-two
	done
}

is_alone() {
	[[ $(ask two net -c 4 198.51.100.1:3478) == \
		"class=3 from=198.51.100.1:3478 error=420 unknown=0003 "* ]]
}

is_twin() {
	[[ $(ask two net -c 4 198.51.100.1:3478) == \
		"class=2 from=198.51.100.2:3478 "* ]]
}

# A twin that dies is noticed, and so is that it is back.
down() {
	local answer
	two
	is_twin
	kill -KILL "$pid_b"
	until_true is_alone
	answer=$(ask two net 198.51.100.1:3478)
	[[ $answer == *" xor=198.51.100.9:"* && $answer != *other=* ]]
	[[ $(control a hello) == *"twin state=down family=4
twin state=down family=6"* ]]
	grep -q 'warning: the twin at .* does not answer' /run/a.err
	twin b 2 a v6:1
	until_true is_twin
	until_true is_up b 1
	[[ $(control b hello) == *"twin state=up family=4 endpoint=198.51.100.1:3478
twin state=up family=6 endpoint=[2001:db8::1]:3478"* ]]
	kill -TERM "$pid_a" "$PID"
	wait "$pid_a"
	wait "$PID"
}

# A third machine gets nothing, and what is heard on the way is worth nothing.
enemy() {
	local lent result
	two
	wire c two-net 198.51.100.3/24
	serve c -b 198.51.100.3 -k /run/c.key \
		-O "$(cat /run/b.pub)@198.51.100.2:3478"
	pid_c=$PID
	until_true is_forged
	[[ $(ask two net -c 4 198.51.100.3:3478) == *error=420* ]]
	kill "$pid_c"

	mkfifo /run/replay.in
	nsenter --net=/run/netns/two-net "$build/tools/twin-replay" to-b \
	    </run/replay.in >/run/replay.out &
	replay=$!
	exec 9>/run/replay.in
	until_true grep -q listening /run/replay.out
	for _ in 1 2 3; do
		until_true is_twin
	done
	kill -KILL "$pid_a" # so that it hears a handshake, too
	twin a 1 b 2
	until_true is_twin
	lent=$(count b twin_lent)
	[ "$lent" -ge 4 ]
	echo >&9 # that is enough
	wait "$replay"
	result=$(tail -n 1 /run/replay.out)
	echo "$result"
	[[ $result =~ ^heard=([0-9]+)\ sent=([0-9]+)\ answers=([0-9]+)\ longer=0$ ]]
	[ "${BASH_REMATCH[1]}" -ge 6 ]
	# nothing was carried out twice, and the link is as it was
	[ "$(count b twin_lent)" -eq "$lent" ]
	[ "$(count b twin_replayed)" -ge 4 ]
	until_true is_twin
}

is_forged() {
	[ "$(count b twin_forged)" -ge 1 ]
}

# What is broken, random, or nearly right, at a server that answers in part by its
# twin, and listens to it.
flood() {
	two -n 1 -r 1000000
	at two-net "$build/tools/stun-flood" -n 2000000 -s "$RANDOM" \
		-p "$pid_a" 198.51.100.1:3478 \
		"$(dirname "$0")"/../fuzz/corpus/*/*
	[ "$(count a twin_forged)" -ge 10 ]
	[ "$(count b twin_lent)" -ge 1000 ]
	is_twin
	kill -TERM "$pid_a" "$pid_b"
	wait "$pid_a"
	wait "$pid_b"
}

"$2"
echo "all is well"
