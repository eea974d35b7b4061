#!/bin/bash
# SPDX-License-Identifier: ISC
# What a TCP port of another host costs by way of nat-pipe, beside what people
# use for it today: the port itself, ssh -L, a wireguard-go tunnel, kcptun (as
# it comes, mode fast). Two namespaces, one core each; a veth pair between them,
# and then a nat-link with 10 ms each way and 1 % loss each way.
#
# usage: [NATKIT_BUILD=build] tests/bench/pipe.bash [seconds [rounds]]     needs root
#        CONTESTANTS='plain pipe' WIRES='near'                    only those
set -eu
LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
NATKIT_BUILD=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
export NATKIT_BUILD
seconds=${1:-4} rounds=${2:-3}
contestants=${CONTESTANTS:-plain pipe wireguard ssh kcptun}
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"
if [ $$ != 1 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "bench: pipe: needs root, for namespaces" >&2
		exit 100
	fi
	# shellcheck disable=SC2086
	exec $NET_UNSHARE bash "$0" "$@"
fi
net_begin
cd "$NET_DIR"
cores=$(nproc)

left() { taskset -c 0 nsenter --net=/run/netns/left "$@"; }
right() { taskset -c $((cores - 1)) nsenter --net=/run/netns/right "$@"; }

wires() {
	net_ns left right wire
	net_veth left near right near
	net_veth left far wire inside
	net_veth wire outside right far
	on wire sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n left addr add 10.1.0.1/24 dev near
	ip -n right addr add 10.1.0.2/24 dev near
	ip -n left addr add 10.2.0.1/24 dev far
	ip -n right addr add 10.2.0.2/24 dev far
	mkfifo ready
	nsenter --net=/run/netns/wire "$NATKIT_BUILD/nat-link" -N 5 \
	    inside outside delay_ms=10 loss=1 5>ready &
	read -r _ <ready
}

listens() { # SIDE PORT
	local tries=0
	until [ -n "$(on "$1" ss -Hltn "sport = $2")" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || { echo "bench: $1 $2: nobody listens" >&2; exit 1; }
		sleep 0.05
	done
}

# begin_NAME A B: a way from left to port 5201 (iperf3) and 7 (echo) of right,
# over the wire where left is A and right is B. Sets at: where left connects to.
begin_plain() {
	at=$2 ports='5201 7'
}

begin_pipe() {
	mkdir -p l r
	(umask 077 && wg genkey >l/key && wg genkey >r/key)
	wg pubkey <l/key >l/pub && wg pubkey <r/key >r/pub
	echo "path key=$(cat r/pub) state=direct endpoint=$2:7100" >l/paths
	echo "path key=$(cat l/pub) state=direct endpoint=$1:7100" >r/paths
	printf 'permit %s 127.0.0.1:%s\n' "$(cat l/pub)" 5201 "$(cat l/pub)" 7 >r/allow
	chmod 600 r/allow
	right "$NATKIT_BUILD/nat-pipe" -k r/key -i r/paths -p 7100 -s r/port \
	    -l -a r/allow >/dev/null 2>r/log &
	left "$NATKIT_BUILD/nat-pipe" -k l/key -i l/paths -p 7100 -s l/port \
	    -L 5301:127.0.0.1:5201 -L 5302:127.0.0.1:7 "$(cat r/pub)" >/dev/null 2>l/log &
	listens left 5301
	at=127.0.0.1 ports='5301 5302'
}

begin_wireguard() {
	(umask 077 && wg genkey >wl.key && wg genkey >wr.key)
	WG_PROCESS_FOREGROUND=1 left wireguard-go -f wgl 2>wl.log &
	WG_PROCESS_FOREGROUND=1 right wireguard-go -f wgr 2>wr.log &
	until left wg show wgl >/dev/null 2>&1 && right wg show wgr >/dev/null 2>&1
	do sleep 0.05; done
	left wg set wgl private-key wl.key listen-port 7200 \
	    peer "$(wg pubkey <wr.key)" allowed-ips 10.3.0.2/32 endpoint "$2:7200"
	right wg set wgr private-key wr.key listen-port 7200 \
	    peer "$(wg pubkey <wl.key)" allowed-ips 10.3.0.1/32 endpoint "$1:7200"
	ip -n left addr add 10.3.0.1/24 dev wgl && ip -n left link set wgl up
	ip -n right addr add 10.3.0.2/24 dev wgr && ip -n right link set wgr up
	at=10.3.0.2 ports='5201 7'
}

begin_ssh() {
	mkdir -p s /run/sshd && chmod 700 s
	[ -f s/host ] || {
		ssh-keygen -q -t ed25519 -N '' -f s/host
		ssh-keygen -q -t ed25519 -N '' -f s/user
		cp s/user.pub s/authorized
	}
	right /usr/sbin/sshd -D -p 22 -h "$PWD/s/host" -o UsePAM=no -o StrictModes=no \
	    -o PidFile=none -o AuthorizedKeysFile="$PWD/s/authorized" \
	    -o PermitRootLogin=yes -f /dev/null 2>s/sshd.log &
	listens right 22
	left ssh -N -F /dev/null -i s/user -o StrictHostKeyChecking=no \
	    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
	    -L 5301:127.0.0.1:5201 -L 5302:127.0.0.1:7 "root@$2" &
	listens left 5301
	at=127.0.0.1 ports='5301 5302'
}

begin_kcptun() {
	right kcptun-server -l "$2:7300" -t 127.0.0.1:5201 --quiet >/dev/null 2>&1 &
	right kcptun-server -l "$2:7301" -t 127.0.0.1:7 --quiet >/dev/null 2>&1 &
	left kcptun-client -l 127.0.0.1:5301 -r "$2:7300" --quiet >/dev/null 2>&1 &
	left kcptun-client -l 127.0.0.1:5302 -r "$2:7301" --quiet >/dev/null 2>&1 &
	listens left 5302
	at=127.0.0.1 ports='5301 5302'
}

finish() { # by name: this pid namespace is ours
	local p
	for p in ssh sshd nat-pipe wireguard-go kcptun-server kcptun-client; do
		pkill -x "$p" || true
		while pgrep -x "$p" >/dev/null; do sleep 0.05; done
	done
	rm -rf l r
}

# CPU seconds that all but the wire have used.
cpu() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v hz="$(getconf CLK_TCK)" '
	{ name = $2; sub(/^.*\) /, "")
	if (name != "(nat-link)" && name != "(bash)") t += $12 + $13 + $14 + $15 }
	END { printf "%.2f\n", t / hz }'
}

# bulk STREAMS: prints Mbit/s and CPU seconds per GB, all processes of both
# sides but the wire's
bulk() {
	local before after
	right iperf3 -s -1 -p 5201 >/dev/null 2>&1 &
	listens right 5201
	before=$(cpu)
	left timeout 60 iperf3 -J -c "$at" -p "${ports% *}" -t "$seconds" \
	    -P "$1" >iperf.json 2>&1 || true
	# iperf3's own time, it is gone by now
	after=$(cpu)
	wait $! 2>/dev/null || true
	awk -v used="$(awk -v a="$after" -v b="$before" 'BEGIN { print a - b }')" '
	/"sum_received"/ { in_received = 1 }
	in_received && /"bytes"/ { gsub(/[^0-9]/, ""); bytes = $0 }
	in_received && /"seconds"/ { gsub(/[^0-9.]/, ""); took = $0 }
	in_received && /}/ { in_received = 0 }
	/"host_total"/ { gsub(/[^0-9.]/, ""); host = $0 }
	/"remote_total"/ { gsub(/[^0-9.]/, ""); remote = $0 }
	END {
		if (bytes == 0 || took == 0) { print "0 0"; exit }
		printf "%.0f %.2f\n", bytes * 8 / took / 1e6,
		    (used + (host + remote) / 100 * took) / (bytes / 1e9)
	}' iperf.json
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

field() { sed "s/.*$1=\([0-9]*\).*/\1/"; }

# From the start of the program(s) of the left side to the first answer.
setup_ms() { # NAME A B
	local began
	net_ms
	began=$net_ms
	"begin_$1" "$2" "$3"
	left "$NATKIT_BUILD/tools/tcp-echo" ask "$at:${ports#* }" 1 >/dev/null
	net_ms
	echo $((net_ms - began)) >>"setup.$1"
}

contest() { # NAME WIRE A B
	local one='' hundred='' p50='' p99='' setup=''
	for _ in $(seq "$rounds"); do
		setup_ms "$1" "$3" "$4"
		bulk 1 >>one
		bulk 100 >>hundred
		left "$NATKIT_BUILD/tools/tcp-echo" ask "$at:${ports#* }" 500 >>asked
		finish
	done
	one=$(cut -d' ' -f1 one | median) hundred=$(cut -d' ' -f1 hundred | median)
	p50=$(field p50_us <asked | median) p99=$(field p99_us <asked | median)
	setup=$(median <"setup.$1")
	printf '%-10s %-5s %9s %9s %10s %10s %9s %9s\n' "$1" "$2" "$one" "$hundred" \
	    "$(cut -d' ' -f2 one | median)" "$p50" "$p99" "$setup"
	rm -f one hundred asked "setup.$1"
}

wires
right "$NATKIT_BUILD/tools/tcp-echo" serve 0.0.0.0:7 &
listens right 7
echo "bench: pipe: $seconds s, medians of $rounds; Mbit/s by iperf3; CPU seconds per GB of both sides, iperf3's own included"
echo "near: a veth pair; far: 10 ms and 1 % loss, each way"
printf '%-10s %-5s %9s %9s %10s %10s %9s %9s\n' way wire '1 stream' '100' 'CPU s/GB' \
    'p50 us' 'p99 us' 'setup ms'
for wire in ${WIRES:-near far}; do
	case $wire in near) net=10.1.0 ;; *) net=10.2.0 ;; esac
	for contestant in $contestants; do
		contest "$contestant" "$wire" "$net.1" "$net.2"
	done
done
