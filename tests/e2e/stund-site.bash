# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Eight processes, asked by 16 networks of one site (a /48), which may have
# twice the rate of one network. Run by stund.bats in namespaces of its own.
# usage: stund-site.bash BUILD
set -eu
build=$1
mount -t tmpfs none /run
ip link set lo up
ip addr add 2001:db8:1::1/128 dev lo nodad
for i in $(seq 16); do
	ip addr add "2001:db8:2:$i::1/128" dev lo nodad
done
mkfifo /run/ready
"$build/nat-stund" -b 2001:db8:1::1 -n 8 -r 1 -c /run/ctl -N 5 5>/run/ready &
pid=$!
read -r _ </run/ready
asking=()
for i in $(seq 16); do
	"$build/tools/stun-ask" -w 3000 -i "2001:db8:2:$i::1" \
		'[2001:db8:1::1]:3478' >/run/answer || : &
	asking+=($!)
done
wait "${asking[@]}"
answered=$(echo stats | socat -t5 - UNIX-CONNECT:/run/ctl |
	sed -n 's/^stats name=answered value=//p')
kill "$pid"
wait "$pid"
echo "$answered answers"
# twice the rate, twice as many at once, and what a busy machine's seconds add
[ "$answered" -ge 4 ]
[ "$answered" -le 14 ]
echo all is well
