#!/bin/sh
# SPDX-License-Identifier: ISC
# Run by stun-check.bats in a network namespace of its own: nat-stun check
# against real servers, right and faulty ones. DIR/NAME.out, .err and .code are
# what became of each. usage: check-net.sh BUILD DIR
set -efu
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
b=$(cd "$1" && pwd) d=$2

ip link set lo up
mount -t tmpfs none /run

# Waits until a command succeeds.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 200 ]; then
			echo "never: $*" >&2
			exit 1
		fi
		sleep 0.05
	done
}

check() { # NAME [options] server
	name=$1
	shift
	ask "$name" check "$@"
}

ask() { # NAME command [options] server
	name=$1
	shift
	code=0
	"$b/nat-stun" "$@" >"$d/$name.out" 2>"$d/$name.err" || code=$?
	echo $code >"$d/$name.code"
}

"$b/nat-stund" -1 -b 127.0.0.1 -b 127.0.0.2 -p 3478 -P 3479 >"$d/two" &
"$b/nat-stund" -A -1 -b 127.0.0.7 -b 127.0.0.8 >"$d/modesty" &
"$b/nat-stund" -1 -b 127.0.0.3 -p 3478 >"$d/one" &
"$b/nat-stund" -1 -b ::1 -p 3478 >"$d/six" &
(umask 077 && wg genkey >"$d/key")
"$b/nat-rendezvousd" -1 -b 127.0.0.4 -k "$d/key" >"$d/rendezvousd" &
turnserver -n -S -L 127.0.0.5 -L 127.0.0.6 -p 3478 --alt-listening-port=3479 \
	--no-tls --no-dtls --no-cli --log-file=/dev/null \
	--pidfile "$d/turn.pid" --userdb "$d/turn.db" >/dev/null 2>&1 &
"$b/tools/hostile-stun" >"$d/hostile" &
"$b/tools/hostile-stun" -r >"$d/refusing" &
"$b/nat-port" -o -1 5000 "$d/lent" >"$d/lent.out" &
# A name with two addresses, one of which nobody is at.
printf '%s\n' '127.0.0.1 localhost' '127.0.0.1 half.example' \
	'127.0.0.9 half.example' >"$d/hosts"
mount --bind "$d/hosts" /etc/hosts
for f in two modesty one six rendezvousd hostile refusing lent.out; do
	await test -s "$d/$f"
done
await grep -q :3479 "$d/two"
await "$b/nat-stun" -q -w 1 127.0.0.5

check two 127.0.0.1 &
check json -j 127.0.0.2:3479 &
check lent -s "$d/lent" 127.0.0.1 &
check modest 127.0.0.7 &
check one 127.0.0.3 &
check six '[::1]' &
check rendezvousd 127.0.0.4 &
check coturn 127.0.0.5 &
check hostile "127.0.0.1:$(cat "$d/hostile")" &
check refusing "127.0.0.1:$(cat "$d/refusing")" &
check half half.example &
check nobody 127.0.0.1:9 &
check unreachable 192.0.2.1 &
check family -6 127.0.0.1 &
ask lifetime lifetime 127.0.0.4 &
ask ignores lifetime "127.0.0.1:$(cat "$d/hostile")" &
ask silence lifetime -w 1 127.0.0.1:9 &
for f in two json lent modest one six rendezvousd coturn hostile refusing half nobody \
	unreachable family lifetime ignores silence; do
	await test -s "$d/$f.code"
done
