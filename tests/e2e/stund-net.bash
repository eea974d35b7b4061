# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# A server with two uplinks, each with its own address and its own way back
# (ip-rule(8)), and a client that takes no packet from the wrong link (rp_filter
# 1, as RFC 3704 has it). Run by stund.bats in namespaces of its own.
# usage: stund-net.bash BUILD
#
#   client  10.0.1.1 ---- 10.0.1.2  server      the client asks from 10.9.9.9;
#           10.0.2.1 ---- 10.0.2.2              the server's default is link 1
#
# IPv6 has no rp_filter: there the server's default leads to nobody.
set -eu
build=$1
server=(nsenter "--net=/run/netns/server")
mount -t tmpfs none /run
ip netns add server
ip link set lo up
for i in 1 2; do
	ip link add "client$i" type veth peer name "server$i" netns server
	ip addr add "10.0.$i.1/24" dev "client$i"
	ip addr add "fd00:$i::1/64" dev "client$i" nodad
	ip -n server addr add "fd00:$i::2/64" dev "server$i" nodad
	ip link set "client$i" up
	ip -n server addr add "10.0.$i.2/24" dev "server$i"
	ip -n server link set "server$i" up
	echo 1 >"/proc/sys/net/ipv4/conf/client$i/rp_filter"
	"${server[@]}" sysctl -qw "net.ipv4.conf.server$i.rp_filter=0"
done
ip addr add 10.9.9.9/32 dev lo
ip -n server link set lo up
"${server[@]}" sysctl -qw net.ipv4.conf.all.rp_filter=0
ip -n server route add default via 10.0.1.1
ip addr add fd99::9/128 dev lo nodad
ip -n server -6 route add default via fd00:1::99

# ask LINK OPTION...
ask() {
	local link=$1
	shift
	"$build/tools/stun-ask" -i 10.9.9.9 "$@" "10.0.$link.2:3478"
}

# ask6 OPTION...: by link 2
ask6() {
	"$build/tools/stun-ask" -i fd99::9 "$@" '[fd00:2::2]:3478'
}

# serve OPTION...
serve() {
	rm -f /run/ready
	mkfifo /run/ready
	"${server[@]}" "$build/nat-stund" -N 5 "$@" 5>/run/ready &
	pid=$!
	read -r _ </run/ready
}

both() {
	[[ $(ask 1) == *"from=10.0.1.2:3478 xor=10.9.9.9:"* ]]
	[[ $(ask 2) == *"from=10.0.2.2:3478 xor=10.9.9.9:"* ]]
	ask 2 -t >/run/tcp
	# in fragments, both ways
	[[ $(ask 2 -p 1500) == *" padding=1500 sent=1524 "* ]]
	[[ $(ask6) == *"from=[fd00:2::2]:3478 xor=[fd99::9]:"* ]]
	ask6 -t >/run/tcp
	[[ $(ask6 -p 1500) == *" padding=1500 sent=1524 "* ]]
}

for options in '' '-b 10.0.1.2 -b 10.0.2.2 -b fd00:1::2 -b fd00:2::2'; do
	# shellcheck disable=SC2086
	serve $options
	# without the rule the answer of link 2 goes out of link 1: the test
	# would see a server that lets routing choose
	if ask 2 -w 300 || ask6 -w 300; then
		exit 1
	fi
	ip -n server rule add from 10.0.2.2 lookup 100
	ip -n server route add default via 10.0.2.1 table 100
	ip -n server -6 rule add from fd00:2::2 lookup 100
	ip -n server -6 route add default via fd00:2::1 table 100
	both
	if [ -n "$options" ]; then
		[[ $(ask 1 -c 4) == *"from=10.0.2.2:3478 "* ]]
		[[ $(ask 2 -c 6) == *"from=10.0.1.2:3479 "* ]]
		[[ $(ask6 -c 2) == *"from=[fd00:2::2]:3479 "* ]]
	fi
	ip -n server rule del from 10.0.2.2 lookup 100
	ip -n server route flush table 100
	ip -n server -6 rule del from fd00:2::2 lookup 100
	ip -n server -6 route flush table 100
	kill "$pid"
	wait "$pid"
done
echo all is well
