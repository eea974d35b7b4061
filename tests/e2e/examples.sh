#!/bin/sh
# SPDX-License-Identifier: ISC
# Run by examples.bats in a namespace of its own. Runs each tested example of
# each page; DIR/PAGE.NAME/ gets its script, output and exit code.
# usage: examples.sh BUILD DIR
set -eu
LC_ALL=C
export LC_ALL
here=$(pwd) build=$1 d=$2
PATH=$here/../../bin:$build:$PATH
NATKIT_BUILD=$build
export PATH NATKIT_BUILD

ip link set lo up
ip link add name both type veth peer name other
ip addr add 198.51.100.1/24 dev both
ip link set both up
ip link set other up
printf '%s\n' '127.0.0.1 localhost' \
	'198.51.100.1 stun.example.org rendezvous.example.org' >"$d/hosts"
: >"$d/resolv.conf"
mount --bind "$d/hosts" /etc/hosts
mount --bind "$d/resolv.conf" /etc/resolv.conf
mount -t tmpfs none /run

for who in server my peer; do
	(umask 077 && wg genkey >"$d/$who.key")
done
server=$(wg pubkey <"$d/server.key") peer=$(wg pubkey <"$d/peer.key")
mkfifo "$d/listen"
nat-rendezvousd -1 -k "$d/server.key" >"$d/listen" &
read -r _ <"$d/listen"

# The block after `.\" test: NAME`, as a reader of the formatted page sees it.
block() { # PAGE NAME
	awk -v name="$2" '
		/^\.\\" test: / { wanted = $3 == name }
		/^\.Ed/ { if (inside) exit }
		inside { print }
		/^\.Bd -literal/ { inside = wanted }' "$1" |
		sed -e 's/^\\&//' -e 's/\\e/\\/g' -e "s/\\\\(aq/'/g" \
			-e 's/\\(dq/"/g' -e 's/\\-/-/g' \
			-e "s|SERVERKEY|$server|g" -e "s|PEERKEY|$peer|g"
}

attempt() { # NAME: runs DIR/NAME/script there
	cp "$d/server.key" "$d/my.key" "$d/$1"
	(cd "$d/$1" && code=0 &&
		timeout -k 1 60 sh -eu ./script </dev/null >output 2>&1 ||
		code=$?
		echo "$code" >code)
}

mkdir "$d/control"
echo 'exit 3' >"$d/control/script"
attempt control
for page in ../../man/*.[158]; do
	for name in $(sed -n 's/^\.\\" test: //p' "$page"); do
		example=${page##*/}.$name
		mkdir "$d/$example"
		block "$page" "$name" >"$d/$example/script"
		attempt "$example"
	done
done
