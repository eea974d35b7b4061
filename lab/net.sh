# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034
#
# Networks made of namespaces, for the demo and the lab tests; to be sourced.
# Run the script that sources this by $NET_UNSHARE: all of it (namespaces,
# processes, sockets) is gone when it or its parent ends, however it ends.
#
#                   pub
#                    |
#   ha --- na --- isp --- nb --- hb        h: host, n: NAT, pub: public host
#
# isp is a router (TTL counts); pub beside it is the rendezvous server's
# host, at 192.0.2.1 and 2001:db8::1. Both private sides are 192.168.1.0/24
# with the same host addresses. Interfaces: wan and lan of a NAT, eth of a
# host. Names of WireGuard interfaces must be unique in one lab, because
# wireguard-go keeps its sockets in /var/run/wireguard.

NET_SERVER=192.0.2.1
NET_SERVER6=2001:db8::1
NET_DIR=/run/lab

NET_UNSHARE='setpriv --pdeathsig KILL
    unshare -mnp --fork --kill-child --mount-proc'

# Is all there that a lab needs? The reason why not goes to stdout.
net_usable() {
	for net_p in setpriv unshare nsenter ip nft conntrack wg wireguard-go ping; do
		command -v "$net_p" >/dev/null || {
			echo "$net_p is not installed"
			return 1
		}
	done
	[ "$(id -u)" = 0 ] || {
		echo "not root: wireguard-go can't open /dev/net/tun"
		return 1
	}
	$NET_UNSHARE true 2>/dev/null || {
		echo "no new namespaces may be made here"
		return 1
	}
	(exec 9<>/dev/net/tun) 2>/dev/null || {
		echo "/dev/net/tun can't be opened"
		return 1
	}
}

# Once, first thing inside: a private /run. Outside it would be the machine's.
net_begin() {
	[ $$ = 1 ] || {
		echo "lab: run this by \$NET_UNSHARE, not as it is" >&2
		exit 100
	}
	mount -t tmpfs -o mode=755 none /run
	mkdir -p /run/netns /run/wireguard "$NET_DIR/tmp"
	ip link set lo up
}

# on NS prog args: runs it in that namespace. In the background use
# net_nsenter's form, so that $! is the program's own pid:
#   nsenter --net=/run/netns/ha prog &
on() {
	net_ns=/run/netns/$1
	shift
	nsenter --net="$net_ns" "$@"
}

net_ns() {
	for net_n in "$@"; do
		ip netns add "$net_n"
		ip -n "$net_n" link set lo up
		on "$net_n" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		    net.ipv4.conf.default.rp_filter=0 \
		    net.ipv6.conf.default.accept_dad=0 \
		    net.ipv6.conf.default.accept_ra=0
	done
}

# net_wire NS1 IF1 NS2 IF2. Of a namespace in $NET_WIRED the wire goes through
# another one, wire-NS1, where nat-link has to join inside with outside.
net_wire() {
	case " ${NET_WIRED:-} " in
	*" $1 "*)
		net_ns "wire-$1"
		net_veth "$1" "$2" "wire-$1" inside
		net_veth "wire-$1" outside "$3" "$4" ;;
	*) net_veth "$@" ;;
	esac
}

net_veth() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}

net_router() {
	on "$1" sysctl -qw net.ipv4.ip_forward=1 \
	    net.ipv6.conf.all.forwarding=1
}

# The router of the provider, and the public host beside the way of the NATs.
net_public() {
	net_ns isp pub
	net_router isp
	net_wire isp to-pub pub eth
	ip -n isp addr add 192.0.2.254/24 dev to-pub
	ip -n isp addr add 2001:db8::fe/64 dev to-pub nodad
	ip -n pub addr add "$NET_SERVER/24" dev eth
	ip -n pub addr add "$NET_SERVER6/64" dev eth
	ip -n pub route add default via 192.0.2.254
	ip -n pub route add default via 2001:db8::fe
	# What the proof of the demo counts: WireGuard's packets (type 1 to 4,
	# three zeros) at the public host, and those that the router passes on.
	on pub nft -f - <<-N
	table inet count {
		counter wireguard { }
		chain in { type filter hook prerouting priority 0
			meta l4proto udp @th,64,8 { 1, 2, 3, 4 } \
			    @th,72,24 0 counter name wireguard; }
		chain out { type filter hook postrouting priority 0
			meta l4proto udp @th,64,8 { 1, 2, 3, 4 } \
			    @th,72,24 0 counter name wireguard; }
	}
	N
	on isp nft -f - <<-N
	table inet count {
		counter wireguard { }
		chain through { type filter hook forward priority 0
			meta l4proto udp @th,64,8 { 1, 2, 3, 4 } \
			    @th,72,24 0 counter name wireguard; }
	}
	N
}

# net_uplink NS PREFIX: NS's wan gets PREFIX.2, isp has PREFIX.1.
net_uplink() {
	net_wire "$1" wan isp "to-$1"
	ip -n isp addr add "$2.1/24" dev "to-$1"
	ip -n "$1" addr add "$2.2/24" dev wan
	ip -n "$1" route add default via "$2.1"
}

# net_lan NS BRIDGE ADDRESS: a switch on the private side of a NAT.
net_lan() {
	ip -n "$1" link add "$2" type bridge
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" link set "$2" up
}

net_masquerade() {
	on "$1" nft -f - <<-N
	table ip nat {
		chain post { type nat hook postrouting priority 100
			oifname wan masquerade; }
	}
	N
}

# net_nat NS PREFIX: a NAT with plain masquerade and no filter at all.
net_nat() {
	net_ns "$1"
	net_router "$1"
	net_uplink "$1" "$2"
	net_lan "$1" lan 192.168.1.1/24
	net_masquerade "$1"
}

# What many routers do besides: drop what comes in and was not asked for.
net_input_drop() {
	on "$1" nft -f - <<-N
	table inet filter {
		chain in { type filter hook input priority 0
			iifname wan ct state established,related accept
			iifname wan drop; }
	}
	N
}

# net_cgnat NS OUTER PREFIX: a NAT behind the NAT of its provider.
net_cgnat() {
	net_ns "$2" "$1"
	net_router "$2"
	net_router "$1"
	net_uplink "$2" "$3"
	net_masquerade "$2"
	net_wire "$1" wan "$2" lan
	ip -n "$2" addr add 100.64.0.1/24 dev lan
	ip -n "$1" addr add 100.64.0.2/24 dev wan
	ip -n "$1" route add default via 100.64.0.1
	net_lan "$1" lan 192.168.1.1/24
	net_masquerade "$1"
}

# net_host NS NAT [LAST [BRIDGE [PREFIX]]]: a host at PREFIX.LAST.
net_host() {
	net_ns "$1"
	net_wire "$1" eth "$2" "port-$1"
	ip -n "$2" link set "port-$1" master "${4:-lan}"
	ip -n "$1" addr add "${5:-192.168.1}.${3:-2}/24" dev eth
	ip -n "$1" route add default via "${5:-192.168.1}.1"
}

# A host with a public address, no NAT.
net_public_host() {
	net_ns "$1"
	net_uplink "$1" "$2"
}

# The host gets another address, as DHCP would do it.
net_readdress() { # NS OLD NEW GATEWAY
	ip -n "$1" addr del "$2/24" dev eth
	ip -n "$1" addr add "$3/24" dev eth
	ip -n "$1" route replace default via "$4"
}

# net_v6_site NS HOST N: IPv6 alone, routed, with a stateful firewall:
# only what was asked for comes in.
net_v6_site() {
	net_ns "$1" "$2"
	net_router "$1"
	net_wire "$1" wan isp "to-$1"
	net_wire "$2" eth "$1" lan
	ip -n isp addr add "2001:db8:$3::1/64" dev "to-$1" nodad
	ip -n "$1" addr add "2001:db8:$3::2/64" dev wan nodad
	ip -n "$1" addr add "2001:db8:$3:1::1/64" dev lan nodad
	ip -n "$2" addr add "2001:db8:$3:1::2/64" dev eth nodad
	ip -n "$1" route add default via "2001:db8:$3::1"
	ip -n "$2" route add default via "2001:db8:$3:1::1"
	ip -n isp route add "2001:db8:$3:1::/64" via "2001:db8:$3::2"
	on "$1" nft -f - <<-N
	table inet filter {
		chain through { type filter hook forward priority 0
			ct state established,related accept
			iifname wan drop; }
		chain in { type filter hook input priority 0
			meta l4proto ipv6-icmp accept
			ct state established,related accept
			iifname wan drop; }
	}
	N
}

# net_hairpin NS PREFIX: a NAT with two segments that can't reach each other
# but by its public address. Mapping and filtering are endpoint-independent,
# by maps that are learned after translation.
net_hairpin() {
	net_ns "$1"
	net_router "$1"
	net_uplink "$1" "$2"
	net_lan "$1" lan 192.168.1.1/24
	net_lan "$1" lan2 192.168.2.1/24
	on "$1" nft -f - <<-N
	table ip nat {
		map mapped {
			type ipv4_addr . inet_service : ipv4_addr . inet_service
			flags dynamic,timeout; timeout 300s; size 1024; }
		map inside {
			type inet_service : ipv4_addr . inet_service
			flags dynamic,timeout; timeout 300s; size 1024; }
		chain pre { type nat hook prerouting priority -100
			ip daddr $2.2 ip protocol udp \
			    dnat ip to udp dport map @inside; }
		chain post { type nat hook postrouting priority 100
			ip protocol udp oifname wan \
			    snat ip to ip saddr . udp sport map @mapped
			ip protocol udp ct status dnat iifname { lan, lan2 } \
			    snat ip to ip saddr . udp sport map @mapped
			oifname wan masquerade; }
		chain learn { type filter hook postrouting priority 150
			ip protocol udp oifname wan \
			    add @mapped { ct original ip saddr . \
			    ct original proto-src : $2.2 . ct reply proto-dst }
			ip protocol udp oifname wan \
			    add @inside { ct reply proto-dst : \
			    ct original ip saddr . ct original proto-src }
		}
		chain through { type filter hook forward priority 0
			ct status dnat accept
			iifname lan oifname lan2 drop
			iifname lan2 oifname lan drop; }
	}
	N
}

# net_loss NAT PERCENT: of what goes to and from the server, and only that.
net_loss() {
	on "$1" nft -f - <<-N
	table inet loss {
		chain through { type filter hook forward priority -10
			ip daddr $NET_SERVER numgen random mod 100 < $2 drop
			ip saddr $NET_SERVER numgen random mod 100 < $2 drop; }
	}
	N
}

# net_policy HOST FWMARK: only marked packets leave by the default route, as
# with wg-quick and AllowedIPs = 0.0.0.0/0.
net_policy() {
	ip -n "$1" link add sink type veth peer name sink-end
	ip -n "$1" link set sink up
	ip -n "$1" link set sink-end up
	ip -n "$1" route replace default dev sink
	ip -n "$1" route add default via 192.168.1.1 table 100
	ip -n "$1" rule add fwmark "$2" lookup 100
}

# net_block_wireguard HOST: a firewall of the host that drops WireGuard's
# messages (types 1 to 4, then three zero bytes) and nothing else.
net_block_wireguard() {
	on "$1" nft -f - <<-N
	table inet block {
		chain in { type filter hook input priority 0
			meta l4proto udp @th,64,8 { 1, 2, 3, 4 } \
			    @th,72,24 0 drop; }
	}
	N
}

# The network of most labs: two NATs, two hosts.
net_two_sites() {
	net_public
	net_nat na 198.51.100
	net_nat nb 203.0.113
	net_host ha na
	net_host hb nb
}

# net_wg HOST IF ADDRESS [PORT [FWMARK]]: a WireGuard interface with a new
# key, which is left in $NET_DIR/IF.key, the public half in IF.pub.
net_wg() {
	(umask 077 && wg genkey >"$NET_DIR/$2.key")
	wg pubkey <"$NET_DIR/$2.key" >"$NET_DIR/$2.pub"
	on "$1" env LOG_LEVEL=error wireguard-go "$2" >"$NET_DIR/$2.log" 2>&1
	on "$1" wg set "$2" listen-port "${4:-51820}" fwmark "${5:-off}" \
	    private-key "$NET_DIR/$2.key"
	ip -n "$1" addr add "$3/24" dev "$2"
	ip -n "$1" link set "$2" mtu 1380 up
}

# net_wg_peer HOST IF PEER-IF PEER-ADDRESS [more of wg set]
net_wg_peer() {
	net_h=$1 net_i=$2 net_k=$(cat "$NET_DIR/$3.pub") net_a=$4
	shift 4
	on "$net_h" wg set "$net_i" peer "$net_k" allowed-ips "$net_a/32" "$@"
}

# net_wg_forget HOST IF PEER-IF PEER-ADDRESS: the peer as if never tried.
net_wg_forget() {
	on "$1" wg set "$2" peer "$(cat "$NET_DIR/$3.pub")" remove
	net_wg_peer "$@"
}

# net_handshake HOST IF: seconds since 1970 of the latest, 0 for none.
net_handshake() {
	on "$1" wg show "$2" latest-handshakes | cut -f 2 | sort -n | tail -n 1
}

# net_server PROG [options]: starts nat-rendezvousd on the public host (again, with the
# same key) and returns when it is ready. $NET_SERVERS then holds
# KEY@host:port.
net_server() {
	[ -f "$NET_DIR/server.key" ] ||
		(umask 077 && wg genkey >"$NET_DIR/server.key")
	NET_SERVERS=$(wg pubkey <"$NET_DIR/server.key")@$NET_SERVER:3478
	NET_SERVERS6=${NET_SERVERS%@*}@[$NET_SERVER6]:3478
	[ -p "$NET_DIR/ready" ] || mkfifo "$NET_DIR/ready"
	nsenter --net=/run/netns/pub "$@" -k "$NET_DIR/server.key" \
	    -b "$NET_SERVER" -b "$NET_SERVER6" -N 5 \
	    5>"$NET_DIR/ready" 2>"$NET_DIR/server.log" &
	net_server_pid=$!
	read -r _ <"$NET_DIR/ready"
}

# net_ms: sets net_ms to a monotonic clock, 10 ms steps. No fork.
net_ms() {
	read -r net_ms _ </proc/uptime
	net_ms=${net_ms%.*}${net_ms#*.}0
}
