# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Run by behaviour.bats in namespaces of its own: nat-stun behaviour against
# good and bad servers on loopback, all at once. usage: behaviour-net.bash DIR
# NAME.out, NAME.err and NAME.code are left in DIR.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${NATKIT_BUILD:-$here/../../build}
dir=$1
mount -t tmpfs none /run
ip link set lo up
sysctl -qw net.ipv6.conf.lo.accept_dad=0
ip addr add 2001:db8::1/128 dev lo nodad
ip addr add 2001:db8::2/128 dev lo nodad
# The usual size, so that there are fragments.
ip link set lo mtu 1500

# Each has a pipe of its own: the one before may not have closed its end yet.
serves=0
serve() {
	serves=$((serves + 1))
	mkfifo "/run/ready.$serves"
	"$build/nat-stund" -r 1000 -N 5 "$@" 5>"/run/ready.$serves" &
	read -r _ <"/run/ready.$serves"
}

# fault MODE: sets fault_port.
fault() {
	rm -f "$dir/$1.fault" # of the one before in this mode
	"$build/tools/fault-stun" "$1" >"$dir/$1.fault" &
	until [ -s "$dir/$1.fault" ]; do sleep 0.02; done
	fault_port=$(head -n 1 "$dir/$1.fault")
}

pids=
verb=behaviour
measure() { # NAME ARGS
	local name=$1
	shift
	(
		code=0 began=${EPOCHREALTIME/./}
		timeout 50 "$build/nat-stun" $verb "$@" \
		    >"$dir/$name.out" 2>"$dir/$name.err" || code=$?
		echo $code >"$dir/$name.code"
		echo $((${EPOCHREALTIME/./} - began)) >"$dir/$name.us"
	) &
	pids="$pids $!"
}

# shown NAME ARGS: the same at a terminal, which is NAME.out
shown() {
	local name=$1 code=0
	shift
	timeout 50 script -qec "'$build/nat-stun' behaviour $* \
	    >'$dir/$name.records'" /dev/null </dev/null >"$dir/$name.out" \
	    2>"$dir/$name.err" || code=$?
	echo $code >"$dir/$name.code"
}

serve -p 3478 -P 3479 -b 127.0.0.1 -b 127.0.0.2 -b 2001:db8::1 -b 2001:db8::2
serve -p 4478 -P 4479 -b 127.0.0.3
serve -p 5478 -P 5479 -A -b 127.0.0.4 -b 127.0.0.5
serve -p 6478 -b 127.0.0.6
turnserver -n --listening-ip=127.0.0.7 --listening-ip=127.0.0.8 -p 3478 \
    --alt-listening-port=3479 --no-auth --no-tls --no-dtls --no-cli \
    --log-file=/dev/null --pidfile /run/turn.pid --userdb /run/turn.db \
    >/dev/null 2>&1 &
tries=0
until "$build/nat-stun" -q -w 1 127.0.0.7:3478 >/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 40 ]
done
"$build/tools/hostile-stun" >/run/hostile &
until [ -s /run/hostile ]; do sleep 0.02; done
# UDP does not pass to this one
nft -f - <<-N
table inet t {
	chain in { type filter hook input priority 0
		ip daddr 127.0.0.6 udp dport 6478 drop; }
}
N

measure good 127.0.0.1:3478
measure json -j 127.0.0.1:3478
measure v6 '[2001:db8::1]:3478'
measure coturn 127.0.0.7:3478
measure one 127.0.0.3:4478
measure modest 127.0.0.4:5478
measure tcp 127.0.0.6:6478
measure silent 127.0.0.1:9
measure hostile "127.0.0.1:$(cat /run/hostile)"
measure brief -w 3 127.0.0.1:3478
shown shown -w 4 127.0.0.1:3478 &
pids="$pids $!"
shown shown-q -q -w 4 127.0.0.1:3478 &
pids="$pids $!"
# nobody at the other address, and little time
fault half
measure hasty -w 6 "127.0.0.1:$fault_port"
printf '127.0.0.%s half.example\n' 2 1 >/run/hosts
mount --bind /run/hosts /etc/hosts
measure opened "half.example:$fault_port"
for mode in same-ip stray foreign fickle deaf ignore half long right second \
    constant leaps rising offset paths; do
	fault $mode
	measure $mode "127.0.0.1:$fault_port"
done
# two clients at once: more than one may send
fault busy
measure busy "127.0.0.1:$fault_port"
measure busy2 "127.0.0.1:$fault_port"
fault lazy
verb=lifetime measure lazy -w 16 "127.0.0.1:$fault_port"
# a port of its own, lent; two runs in turn
"$build/nat-port" -o -1 0 /run/port >/run/lent &
until [ -s /run/lent ]; do sleep 0.02; done
measure lent -s /run/port 127.0.0.1:3478
# shellcheck disable=SC2086
wait $pids
