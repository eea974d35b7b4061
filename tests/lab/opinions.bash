# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Run by nat-lab in the lab that opinions.bats makes: every host asks both
# servers with all three clients, at once. OUT/PROFILE.CLIENT.SERVER gets what
# they print. usage: opinions.bash OUT PROFILE...
#
# Server ours is nat-stund (ports 3478, 3479), theirs coturn's turnserver (4478,
# 4479), both at 192.0.2.1 and 192.0.2.2. Host hN is behind the Nth profile.
set -eu
out=$1
shift

mkfifo /run/ready
nat-lab exec pub nat-stund -b 192.0.2.1 -b 192.0.2.2 -N 3 3>/run/ready &
read -r _ </run/ready
nat-lab exec pub turnserver -n -c /dev/null -S -L 192.0.2.1 -L 192.0.2.2 \
	-p 4478 --alt-listening-port 4479 --no-tls --no-dtls --no-cli \
	-b /run/turndb --pidfile /run/turnserver.pid -l stdout --simple-log \
	>"$out/turnserver" 2>&1 &
for at in 192.0.2.1:4478 192.0.2.1:4479 192.0.2.2:4478 192.0.2.2:4479; do
	tries=0
	until nat-lab exec pub nat-stun -w 1 "$at" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || {
			cat "$out/turnserver"
			exit 1
		}
		sleep 0.1
	done
done

ask() { # HOST CLIENT PORT [LOCAL ADDRESS]
	local on=(timeout 30 nat-lab exec "$1") near=()
	[ -z "${4:-}" ] || near=(-L "$4")
	case $2 in
	stun) "${on[@]}" stun "192.0.2.1:$3" ;;
	mapping) "${on[@]}" turnutils_natdiscovery -m "${near[@]}" \
		-p "$3" 192.0.2.1 ;;
	filtering) "${on[@]}" turnutils_natdiscovery -f "${near[@]}" \
		-p "$3" 192.0.2.1 ;;
	hairpin) "${on[@]}" turnutils_natdiscovery -H -p "$3" 192.0.2.1 ;;
	behaviour) "${on[@]}" nat-stun behaviour "192.0.2.1:$3" ;;
	esac
}

# natdiscovery sends each question once, and takes one without an answer for one
# that was answered as the question before. A mapping's first packet may be lost
# (nat-lab(1), collision): then all is asked again. Its questions on filtering
# have silence for an answer, but the first.
asked() { # FILE HOST CLIENT PORT [LOCAL ADDRESS]
	local file=$1 tries
	shift
	for tries in 1 2 3; do
		ask "$@" >"$file" 2>&1 || :
		case $2 in
		mapping | hairpin) grep -q 'receive timeout' "$file" ;;
		filtering) ! grep -q 'RFC 5780 response' "$file" ;;
		*) false ;;
		esac || return 0
		echo "$2 of $1 by port $3: asked $tries times, one is not answered"
	done
}

n=0 asking=''
for profile; do
	n=$((n + 1)) address=''
	# Only who is told the local address can see that nothing translates.
	[ "$profile" != none ] || address=198.19.$n.2
	for client in stun mapping filtering hairpin behaviour; do
		asked "$out/$profile.$client.ours" "h$n" "$client" 3478 $address &
		asking="$asking $!"
		asked "$out/$profile.$client.theirs" "h$n" "$client" 4478 $address &
		asking="$asking $!"
	done
done
for pid in $asking; do
	wait "$pid"
done
