# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The grid of the relay: every pair out of seven kinds of site exchanges
# WireGuard traffic, by nat-wg alone, and those that can be direct are. Run by
# $NET_UNSHARE; it makes its own lab and runs in it again.
# usage: relay-grid.bash OUT [JOBS [LEFT,RIGHT]]
# OUT/cells gets a line for each pair:
#   LEFT RIGHT EXPECTED MEASURED FIRST_MS DIRECT_MS RELAYED THROUGH
# EXPECTED and MEASURED are direct or relayed; FIRST_MS is from the start of the
# later side to the first answer through the tunnel, DIRECT_MS to "direct";
# RELAYED is how many datagrams the relay's counters say it carried for the
# pair while 20 pings were answered, THROUGH how many a capture at the relay saw.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
export NATKIT_BUILD=${NATKIT_BUILD:-$here/../../build}
bin=$here/../../bin
out=$1 jobs=${2:-3} only=${3:-}
# The names are those of matrix.expected, but for the last: a site with IPv6
# alone, behind a stateful firewall.
kinds=(none linux apd-apd ei-ei home@cgnat udp-blocked firewall6)

site() { # HOST KIND
	case $2 in
	none) echo "router n$1" ;;
	firewall6) echo "firewall n$1 ipv4=no" ;;
	*@*)
		echo "nat o$1 profile=${2#*@}"
		echo "nat n$1 behind=o$1 profile=${2%@*}"
		;;
	*) echo "nat n$1 profile=$2" ;;
	esac
	echo "host $1 behind=n$1"
}

if [ -z "${NATLAB:-}" ]; then
	for k in "${!kinds[@]}"; do
		site "l$k" "${kinds[k]}"
		site "r$k" "${kinds[k]}"
	done >"$out/grid.lab"
	exec "$bin/nat-lab" up "$out/grid.lab" -- bash "$0" "$out" "$jobs" "$only"
fi

# Inside of the lab.
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"
d=/run/grid
export TMPDIR=$d
mkdir "$d" "$d/cell"

# What RFC 4787 lets expect of a pair; IPv4 is as matrix.expected has it.
expected() { # LEFT RIGHT
	case $1,$2 in
	firewall6,firewall6 | none,firewall6 | firewall6,none) echo direct ;;
	*firewall6*) echo relayed ;; # they have no family in common
	*)
		awk -v l="$1" -v r="$2" '/^#/ { next }
			($1 == l && $2 == r) || ($1 == r && $2 == l) {
				print $3 == "direct" ? "direct" : "relayed"
				found = 1; exit }
			END { exit !found }' "$here/../../lab/matrix.expected"
		;;
	esac
}

servers() {
	(umask 077 && wg genkey >"$d/server.key" && wg genkey >"$d/relay.secret")
	mkfifo "$d/ready" "$d/relay.ready"
	# -G: no trains, which a capture would show as one packet
	nsenter --net=/run/netns/pub "$NATKIT_BUILD/nat-relayd" -G \
	    -b 192.0.2.2 -b 2001:db8::2 -k "$d/relay.secret" -T 443 \
	    -c "$d/relay.sock" -N 5 5>"$d/relay.ready" 2>"$out/relay.log" &
	read -r _ <"$d/relay.ready"
	nsenter --net=/run/netns/pub "$NATKIT_BUILD/nat-rendezvousd" \
	    -k "$d/server.key" -b 192.0.2.1 -b 2001:db8::1 -T 443 \
	    -R "$d/relay.secret@192.0.2.2:3478,[2001:db8::2]:3478" \
	    -N 5 5>"$d/ready" 2>"$out/server.log" &
	read -r _ <"$d/ready"
	key=$(wg pubkey <"$d/server.key")
	# every packet to or from the relay's addresses
	nsenter --net=/run/netns/pub tcpdump -Uqni eth --immediate-mode -w "$d/relay.pcap" \
	    'host 192.0.2.2 or host 2001:db8::2' 2>"$d/tcpdump" &
	tcpdump=$!
	until grep -q listening "$d/tcpdump"; do sleep 0.02; done
}

wireguard() { # HOST IF PORT ADDRESS
	(umask 077 && wg genkey >"$d/$2.key")
	wg pubkey <"$d/$2.key" >"$d/$2.pub"
	on "$1" env LOG_LEVEL=error wireguard-go "$2" >"$d/$2.log" 2>&1
	on "$1" wg set "$2" listen-port "$3" private-key "$d/$2.key"
	ip -n "$1" addr add "$4/24" dev "$2"
	ip -n "$1" link set "$2" mtu 1280 up
}

nat_wg() { # HOST IF
	local at=192.0.2.1:3478
	[ "${1#?}" != 6 ] || at="[2001:db8::1]:3478"
	: >"$d/$2.out"
	nsenter --net=/run/netns/"$1" "$bin/nat-wg" -S "$key@$at" "$2" \
	    >"$d/$2.out" 2>"$d/$2.err" &
}

# The last word of nat-wg on its peer: direct or relayed.
kind_of() { # IF
	sed -n 's/^path .* state=connected .*method=relay.*/relayed/p
		s/^path .* state=connected .*/direct/p' "$d/$1.out" | tail -n 1
}

# Datagrams that the relay has carried for a key.
carried() { # IF
	printf 'pairs\n' | timeout 5 socat -t 2 - "UNIX-CONNECT:$d/relay.sock" |
		awk -v k="key=$(cat "$d/$1.pub")" '$1 == "binding" && index($0, k) {
			for (i = 2; i <= NF; i++)
				if (sub(/^packets=/, "", $i)) n += $i }
			END { print n + 0 }'
}

cell() { # I J NUMBER
	local i=$1 j=$2 n=$3 l="l$1" r="r$2" p1 p2 ping t0 first='' direct='' m=none
	local relayed deadline size=$((400 + 16 * $3))
	wireguard "$l" "wl$n" $((20000 + n)) "10.$n.0.1"
	wireguard "$r" "wr$n" $((20000 + n)) "10.$n.0.2"
	on "$l" wg set "wl$n" peer "$(cat "$d/wr$n.pub")" allowed-ips "10.$n.0.2/32"
	on "$r" wg set "wr$n" peer "$(cat "$d/wl$n.pub")" allowed-ips "10.$n.0.1/32"
	nat_wg "$l" "wl$n"
	p1=$!
	sleep 0.$((RANDOM % 9))
	net_ms
	t0=$net_ms
	nat_wg "$r" "wr$n"
	p2=$!
	nsenter --net=/run/netns/"$l" ping -D -n -i 0.1 -W 1 "10.$n.0.2" \
	    >"$d/wl$n.ping" 2>&1 &
	ping=$!
	deadline=$((t0 + 9000))
	while :; do
		net_ms
		[ -n "$first" ] || ! grep -q 'bytes from' "$d/wl$n.ping" ||
			first=$((net_ms - t0))
		[ -n "$direct" ] ||
			[ "$(kind_of "wl$n"),$(kind_of "wr$n")" != direct,direct ] ||
			direct=$((net_ms - t0)) m=direct
		[ -z "$first" ] || [ -z "$direct" ] || break
		[ "$net_ms" -lt "$deadline" ] || break
		sleep 0.05
	done
	[ "$m" = direct ] || [ "$(kind_of "wl$n"),$(kind_of "wr$n")" != \
	    relayed,relayed ] || m=relayed
	kill -INT "$ping"
	wait "$ping" || :
	[ -n "$first" ] || ! grep -q 'bytes from' "$d/wl$n.ping" || first=$((net_ms - t0))
	# Twenty pings: by which way? They have a length that no other cell's have.
	sleep 1 # what is still on its way by the old one
	relayed=$(carried "wl$n")
	# (one ping of 20 would wait 50 ms only for the last answer)
	# shellcheck disable=SC2016
	on "$l" sh -euc 'for i in $(seq 20); do
		ping -n -c 1 -s "$1" -W 5 "$2"; done' - "$size" "10.$n.0.2" \
	    >"$d/wl$n.20" 2>&1 || m=$m-but-pings-are-lost
	relayed=$(($(carried "wl$n") - relayed))
	kill "$p1" "$p2"
	wait "$p1" "$p2" || :
	ip -n "$l" link del "wl$n"
	ip -n "$r" link del "wr$n"
	echo "${kinds[i]} ${kinds[j]} $(expected "${kinds[i]}" "${kinds[j]}") $m" \
	    "${first:--} ${direct:--} $relayed $((size + 72))" >>"$d/cells"
}

servers
: >"$d/cells"
n=0
for ((i = 0; i < ${#kinds[@]}; i++)); do
	for ((j = i; j < ${#kinds[@]}; j++)); do
		n=$((n + 1))
		[ "${only:-${kinds[i]},${kinds[j]}}" = "${kinds[i]},${kinds[j]}" ] ||
			continue
		while [ "$(jobs -pr | wc -l)" -ge $((jobs + 3)) ]; do sleep 0.1; done
		cell "$i" "$j" "$n" >"$out/cell.$n.log" 2>&1 &
	done
done
# the servers and tcpdump never end by themselves
while [ "$(jobs -pr | wc -l)" -gt 3 ]; do sleep 0.1; done
kill -INT "$tcpdump"
wait "$tcpdump" || :
cp "$d"/*.out "$d"/*.err "$d"/*.ping "$d"/*.20 "$d"/relay.pcap "$out/" || :
# WireGuard pads to 16 bytes and adds 32; the UDP header has 8.
while read -r l r e m first direct relayed len; do
	echo "$l $r $e $m $first $direct $relayed $(tcpdump -nr "$d/relay.pcap" \
	    "(ip and udp[4:2] = $len) or (ip6[6] = 17 and ip6[44:2] = $len)" \
	    2>/dev/null | wc -l)"
done <"$d/cells" >"$out/cells"
