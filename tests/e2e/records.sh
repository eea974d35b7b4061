#!/bin/sh
# SPDX-License-Identifier: ISC
# Run by records.bats in a network namespace of its own: every program once,
# all that they print goes into DIR/records. usage: records.sh BUILD DIR
set -efu
LC_ALL=C
export LC_ALL
b=$(cd "$1" && pwd) d=$2
PATH=$(cd ../../bin && pwd):$PATH
export NATKIT_BUILD="$b" PATH

ip link set lo up
ip link add name both type veth peer name other
ip addr add 198.51.100.1/24 dev both
ip link set both up
ip link set other up

for who in server a b; do
	(umask 077 && wg genkey >"$d/$who.key")
	wg pubkey <"$d/$who.key" >"$d/$who.pub"
	"$b/nat-rendezvous" key -k "$d/$who.key" >>"$d/records"
done
server=$(cat "$d/server.pub")@198.51.100.1:3478

# Waits until a file has a line that matches. usage: await FILE PATTERN
await() {
	tries=0
	until grep -q -e "$2" "$1" 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ]; then
			echo "no '$2' in $1:" >&2
			cat "$1" >&2
			exit 1
		fi
		sleep 0.1
	done
}

(umask 077 && wg genkey >"$d/secret")
"$b/nat-relayd" -1 -b 198.51.100.1 -p 3500 -k "$d/secret" \
	-c "$d/relay-control" >"$d/relay.listen" &
await "$d/relay.listen" ^listen
socat -t 60 - UNIX-CONNECT:"$d/relay-control" >"$d/relay.watch" <<-END &
	watch
END
"$b/nat-rendezvousd" -1 -k "$d/server.key" -c "$d/control" \
	-R "$d/secret@198.51.100.1:3500" >"$d/listen" &
rendezvousd=$!
await "$d/listen" ^listen
socat -t 60 - UNIX-CONNECT:"$d/control" >"$d/watch" <<-END &
	watch
END
# A wire with nothing on it
ip link add l1 type veth peer name l1-end
ip link add l2 type veth peer name l2-end
"$b/nat-link" -1 -c "$d/link-control" l1 l2 delay_ms=0.5 >"$d/link" &
await "$d/link" '^link from=l2'
printf 'set loss=1\nstats\nset loss=x\n' |
	socat -t 5 - UNIX-CONNECT:"$d/link-control" >>"$d/link"
mkfifo "$d/probed"
"$b/nat-probe" -b 198.51.100.1 -N 5 5>"$d/probed" &
read -r _ <"$d/probed"
"$b/nat-probe" big 198.51.100.1 >"$d/probe"
for who in a b; do
	"$b/nat-port" -1 -o 0 "$d/$who.sock" >"$d/$who.port" &
	await "$d/$who.port" ^port
done
# nat-punch's input stays open until the agents have ended
for who in a b; do
	case $who in a) peer=b ;; b) peer=a ;; esac
	"$b/nat-stun" gather -f -s "$d/$who.sock" -S 198.51.100.1:3478 |
		tee "$d/$who.candidates" |
		{
			exec 4<&0 # a background job's own input is /dev/null
			"$b/nat-rendezvous" agent -k "$d/$who.key" \
				-S "$server" -s "$d/$who.sock" \
				"$(cat "$d/$peer.pub")" <&4 &
			echo $! >"$d/$who.agent"
			wait $!
		} | "$b/nat-relay" pair -s "$d/$who.sock" |
		tee "$d/$who.remotes" |
		"$b/nat-punch" -s "$d/$who.sock" >"$d/$who.paths" &
done
for who in a b; do
	await "$d/$who.paths" 'state=direct'
	await "$d/$who.remotes" 'type=relay .*state=bound'
done

"$b/nat-relay" turn -T tcp -k "$d/secret" 198.51.100.9:9 198.51.100.1:3500 \
	>"$d/turn" 2>/dev/null &
turn=$!
await "$d/turn" ^permission
for command in hello stats pairs allocations accounts 'drop nobody'; do
	echo "$command" | socat -t 5 - UNIX-CONNECT:"$d/relay-control" \
		>>"$d/answers"
done
kill $turn
wait $turn
"$b/nat-stun" 198.51.100.1 >"$d/mapped"
"$b/nat-rendezvous" ping -S "$server" >"$d/ping"
for command in hello peers stats nonsense; do
	echo $command | socat -t 5 - UNIX-CONNECT:"$d/control" \
		>>"$d/answers"
done
"$b/nat-stund" -1 -p 4478 -P 4479 -b 127.0.0.1 -b 127.0.0.2 \
	-c "$d/stund" >"$d/stund.listen" &
stund=$!
await "$d/stund.listen" :4479
socat -t 60 - UNIX-CONNECT:"$d/stund" >"$d/stund.watch" <<-END &
	watch
END
"$b/nat-stun" 127.0.0.1:4478 >>"$d/mapped"
"$b/nat-stun" behaviour 127.0.0.1:4478 >>"$d/mapped"
"$b/nat-stun" check 127.0.0.1:4478 >>"$d/mapped"
"$b/nat-stun" pair "$d/mapped" "$d/mapped" 2>/dev/null >"$d/pair"
cat "$d/pair" >>"$d/mapped"
"$b/nat-stun" lifetime -w 2 127.0.0.1:4478 >"$d/lifetime" || [ $? = 1 ]
cat "$d/lifetime" >>"$d/mapped"
for command in hello stats nonsense; do
	echo $command | socat -t 5 - UNIX-CONNECT:"$d/stund" >>"$d/answers"
done
await "$d/stund.watch" name=answered
kill $stund
wait $stund
"$b/nat-stund" -p 4478 -P 4479 -b 127.0.0.3 -c "$d/stund" \
	-k "$d/a.key" -O "$(cat "$d/b.pub")@127.0.0.4:4478" &
stund=$!
"$b/nat-stund" -p 4478 -P 4479 -b 127.0.0.4 \
	-k "$d/b.key" -O "$(cat "$d/a.pub")@127.0.0.3:4478" &
twin=$!
until grep -qs state=up "$d/twin"; do
	sleep 0.1
	echo hello | socat -t 5 - UNIX-CONNECT:"$d/stund" >"$d/twin" || :
done
cat "$d/twin" >>"$d/answers"
kill $stund $twin
wait $stund
wait $twin
(umask 077 && wg genkey >"$d/p.key" && wg genkey >"$d/q.key")
p=$(wg pubkey <"$d/p.key")
echo "allow $(wg pubkey <"$d/q.key")" >"$d/allow"
mkfifo "$d/ready" "$d/hold"
"$b/nat-pipe" -N 5 -k "$d/p.key" -S "$server" -l -a "$d/allow" cat 5>"$d/ready" &
pipe=$!
read -r _ <"$d/ready"
"$b/nat-pipe" -k "$d/q.key" -S "$server" -L 0:127.0.0.1:9 "$p" >"$d/pipe" &
forward=$!
await "$d/pipe" ^route
"$b/nat-pipe" -k "$d/q.key" -S "$server" "$p" <"$d/hold" >"$d/echo" &
exec 8>"$d/hold"
echo echo >&8
await "$d/echo" echo
for command in hello status streams stats routes; do
	echo $command | socat -t 5 - UNIX-CONNECT:"$d/q.key.ctl" >>"$d/answers"
done
"$b/nat-pipe" -k "$d/q.key" status >>"$d/answers"
exec 8>&-
kill $forward $pipe
wait $forward
wait $pipe
NATKIT_BUILD=$b ../../bin/nat-dial -k "$d/q.key" -S "$server" "$p" \
	>"$d/dial" &
dial=$!
await "$d/dial" ^dial
kill $dial
wait $dial
kill "$(cat "$d/a.agent")"
await "$d/b.remotes" ^gone
await "$d/watch" what=gone
await "$d/relay.watch" 'what=allocated .*endpoint='
kill $rendezvousd
wait $rendezvousd
for verb in 'up home' 'nat na profile=linux' down 'matrix ei-ei'; do
	# shellcheck disable=SC2086
	NATKIT_BUILD=$b XDG_RUNTIME_DIR=$d ../../bin/nat-lab $verb \
		>>"$d/records"
done
# shellcheck disable=SC2016
NATKIT_BUILD=$b XDG_RUNTIME_DIR=$d ../../bin/nat-lab up home -- sh -euc '
	nat-lab capture "$1/early" -- sh -c "
		echo early | nat-lab exec hb socat -t0 - \
			UDP4-DATAGRAM:198.51.100.2:4001,bind=:4001"' - "$d"
cat "$d/early/lab" "$d/early/watch" >>"$d/records"
"$b/nat-ladder" -j "$d/early" | sed -e 's/[{}"]//g' -e 's/ /%20/g' \
	-e 's/^record://' -e 's/,\([a-z_]*\):/ \1=/g' >>"$d/records"
for who in a b; do
	for stage in port candidates remotes paths; do
		cat "$d/$who.$stage" >>"$d/records"
	done
done
for file in listen turn mapped ping answers watch link probe pipe dial stund.listen \
	stund.watch relay.listen relay.watch; do
	cat "$d/$file" >>"$d/records"
done
