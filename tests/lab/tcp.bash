# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of tcp.bats: two sites whose firewalls let nothing out but TCP
# to port 443. Run by $NET_UNSHARE, with a scenario's name.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"
build=${NATKIT_BUILD:-$here/../../build}

fail() {
	echo "FAILED: $*"
	tail -n 30 "$NET_DIR"/*.out "$NET_DIR"/*.err || :
	exit 1
}

# within SECONDS FILE PATTERN
within() {
	local end
	net_ms
	end=$((net_ms + $1 * 1000))
	until grep -qs -e "$3" "$NET_DIR/$2"; do
		net_ms
		[ "$net_ms" -lt "$end" ] || fail "no $3 in $2"
		sleep 0.02
	done
}

firewall() { # NAT
	on "$1" nft -f - <<-N
	table inet wall {
		chain forward {
			type filter hook forward priority 0; policy drop;
			ct state established,related accept
			tcp dport 443 accept
			counter name dropped drop
		}
		counter dropped { }
	}
	N
}

server() { # [option...]
	nsenter --net=/run/netns/pub "$build/nat-rendezvousd" -1 \
	    -k "$NET_DIR/s.key" -b 192.0.2.1 "$@" >"$NET_DIR/s.out" \
	    2>"$NET_DIR/s.err" &
	server=$!
	within 5 s.out '^listen'
}

# agent HOST PEER: the pipeline as users run it, with a port of its own
agent() {
	local h=$1
	nsenter "--net=/run/netns/$h" "$build/nat-port" -o -1 5000 \
	    "$NET_DIR/$h.sock" >"$NET_DIR/$h.port.out" 2>&1 &
	within 5 "$h.port.out" '^port'
	nsenter "--net=/run/netns/$h" "$build/nat-stun" gather -f \
	    -s "$NET_DIR/$h.sock" -S 192.0.2.1 2>"$NET_DIR/$h.gather.err" |
	    nsenter "--net=/run/netns/$h" "$build/nat-rendezvous" agent \
	    -k "$NET_DIR/$h.key" -s "$NET_DIR/$h.sock" \
	    -S "$(cat "$NET_DIR/s.pub")@192.0.2.1:3478" \
	    "$(cat "$NET_DIR/$2.pub")" >"$NET_DIR/$h.out" \
	    2>"$NET_DIR/$h.err" &
}

sites() {
	local n
	net_begin
	net_public
	net_nat na 198.51.100
	net_nat nb 203.0.113
	net_host ha na
	net_host hb nb
	firewall na
	firewall nb
	for n in s ha hb; do
		(umask 077 && head -c 32 /dev/urandom | base64 >"$NET_DIR/$n.key")
		"$build/nat-rendezvous" key -k "$NET_DIR/$n.key" |
		    cut -d= -f2- >"$NET_DIR/$n.pub"
	done
}

# They meet over TCP 443, and when the firewalls let UDP out again, they go
# back to it, and neither loses the other.
met() {
	local began
	sites
	server -T 443
	net_ms
	began=$net_ms
	agent ha hb
	agent hb ha
	within 10 ha.out ' state=introduced '
	within 10 hb.out ' state=introduced '
	net_ms
	echo "FIGURE introduced over TCP 443 in $((net_ms - began)) ms"
	grep -q '^session .*endpoint=192.0.2.1:443 state=up .*transport=tcp$' \
	    "$NET_DIR/ha.out" || fail "not over TCP 443"
	! grep -q 'state=up.* mapped=' "$NET_DIR/ha.out" ||
	    fail "a TCP address was taken for the UDP port's"
	[ "$(on na nft list counter inet wall dropped |
	    sed -n 's/.*packets \([0-9]*\).*/\1/p')" -gt 0 ] ||
	    fail "the firewall had nothing to drop"
	on na nft delete table inet wall
	on nb nft delete table inet wall
	within 12 ha.out '^session .*:3478 state=up .* mapped=198.51.100.2:'
	within 12 hb.out '^session .*:3478 state=up .* mapped=203.0.113.2:'
	! grep -q -e '^gone' -e 'state=down' "$NET_DIR"/h?.out ||
	    fail "the change of way was seen"
	kill -0 "$server" || fail "the server has ended"
}

# The same without -T 443.
not_met() {
	sites
	server
	agent ha hb
	agent hb ha
	within 10 ha.out '^session .*state=down reason=no-answer'
	within 10 hb.out '^session .*state=down reason=no-answer'
	! grep -q -e 'state=up' -e 'state=introduced' "$NET_DIR"/h?.out ||
	    fail "they met all the same"
}

"$@"
