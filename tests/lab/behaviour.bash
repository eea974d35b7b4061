# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Run by $NET_UNSHARE: one server at two public addresses, and as many NATs as
# are asked for, each with a host that runs nat-stun behaviour; all at once.
#
#	bash behaviour.bash OUT RUNS DELAY_MS LOSS WAIT_S SITE...
#
# The wire to the server has that delay and loss (per cent) in each direction;
# 0 0 is no wire at all. OUT/SITE.RUN gets the records, OUT/SITE.RUN.code the
# exit code. What a site is, and what must be measured there, stands in
# behaviour_site, which a test sources.
#
#   pub --- wire --- isp --- nN --- SITE
#   192.0.2.1, 192.0.2.2, 2001:db8::1, 2001:db8::2

# behaviour_site NAME: sets profile (for profile_apply) and want (axis=value,
# for all that is to be checked).
behaviour_site() {
	local m f
	profile='' want='' family=-4
	m=endpoint-independent f=address-and-port-dependent
	case $1 in
	ei-* | ad-* | apd-*)
		profile=profile=$1
		case ${1%%-*} in
		ad) m=address-dependent ;;
		apd) m=address-and-port-dependent ;;
		esac
		case ${1#*-} in
		ei) f=endpoint-independent ;;
		ad) f=address-dependent ;;
		esac
		case $m in
		endpoint-independent) want=allocation=preserved ;;
		*) want=allocation=random ;;
		esac
		want="$want hairpin=external" ;;
	linux)
		profile=profile=linux
		want='allocation=preserved hairpin=no' ;;
	masquerade) # no rules but the kernel's, as in many homes
		want='allocation=preserved hairpin=no' ;;
	fragile) # masquerade, and an ICMP error shuts the port
		want='allocation=preserved icmp=killed' ;;
	toy-icmp) # tests/tools/toy-nat: an ICMP error ends the mapping
		profile=-i f=endpoint-independent
		want='allocation=preserved hairpin=external icmp=killed' ;;
	sequential)
		profile='allocation=sequential'
		want='allocation=contiguous step=1' ;;
	sequential-apd)
		m=address-and-port-dependent
		profile="mapping=$m allocation=sequential step=2"
		want='allocation=contiguous step=2' ;;
	parity)
		profile='allocation=parity'
		want='allocation=parity' ;;
	random)
		profile='allocation=random'
		want='allocation=random' ;;
	pool)
		f=address-dependent
		profile=profile=pool
		want='pooling=arbitrary' ;;
	internal)
		profile=hairpin=internal
		want=hairpin=internal ;;
	internal-seen) # a host that lets such packets in
		profile=hairpin=internal
		want=hairpin=internal ;;
	deaf)
		profile=hairpin=no
		want=hairpin=no ;;
	fragments-in)
		profile=fragments=in
		want='fragments_out=no fragments_in=yes' ;;
	fragments-out)
		profile=fragments=out
		want='fragments_out=yes fragments_in=no' ;;
	alg)
		profile=alg=rewrites
		want=alg=rewrites ;;
	short) # a life of 12 s, which inbound packets prolong
		profile='udp_timeout_s=12 stream_timeout_s=12'
		want=refresh=inbound ;;
	short-outbound)
		profile='udp_timeout_s=12 stream_timeout_s=12 refresh=outbound'
		want=refresh=outbound ;;
	none)
		f=endpoint-independent
		profile=profile=none
		want=allocation=preserved ;;
	hosts) # a firewall that keeps pairs of hosts, whatever their ports
		f=address-dependent
		profile=profile=none
		family=-6
		want=allocation=preserved ;;
	firewall6)
		profile=profile=firewall
		family=-6
		want=allocation=preserved ;;
	*) return 1 ;;
	esac
	case $1 in
	none | hosts | firewall6) want="translation=none $want" ;;
	*) want="translation=nat $want" ;;
	esac
	want="mapping=$m filtering=$f $want"
	case " $want " in *' pooling='*) ;; *) want="$want pooling=paired" ;; esac
	case " $want " in *' fragments_out='*) ;; *)
		want="$want fragments_out=yes fragments_in=yes" ;; esac
	case " $want " in *' alg='*) ;; *) want="$want alg=no" ;; esac
	# with an arbitrary address the helper seldom has the one that it takes
	case "$1 $want" in pool* | *' icmp='*) ;; *) want="$want icmp=kept" ;; esac
	case $m.$f in
	*.endpoint-independent) want="$want reaches=any method=direct" ;;
	endpoint-independent.address-dependent)
		want="$want reaches=any method=punch" ;;
	endpoint-independent.*) want="$want reaches=independent method=punch" ;;
	*) want="$want reaches=open method=relay" ;;
	esac
}

# behaviour_check FILE [lossy]: is what it holds right? Prints what is not.
behaviour_check() {
	local kv axis value got ok=0
	grep -q '^verdict ' "$1" || {
		echo "$1: no verdict"
		return 1
	}
	for kv in $want; do
		axis=${kv%%=*} value=${kv#*=}
		case $axis in
		step) got=$(sed -n 's/^nat axis=allocation .* step=\(.*\)/\1/p' "$1") ;;
		reaches) got=$(sed -n 's/^verdict reaches=\([^ ]*\).*/\1/p' "$1") ;;
		method) got=$(sed -n 's/^verdict .* method=\([^ ]*\).*/\1/p' "$1") ;;
		*) got=$(sed -n "s/^nat axis=$axis value=\([^ ]*\).*/\1/p" "$1") ;;
		esac
		[ "$got" != "$value" ] || continue
		case $axis.$got in
		reaches.unknown | method. | step. | *.inconclusive)
			[ "${2:-}" != lossy ] || continue ;;
		esac
		echo "$1: $axis is $value, measured: ${got:-nothing}"
		grep "axis=$axis " "$1"
		ok=1
	done
	return $ok
}

[ $# -ge 6 ] && [ "${BASH_SOURCE[0]}" = "$0" ] || return 0

set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${NATKIT_BUILD:-$here/../../build}
# shellcheck source=lab/net.sh
. "$here/../../lab/net.sh"
# shellcheck source=lab/profile.sh
. "$here/../../lab/profile.sh"

out=$1 runs=$2 delay=$3 loss=$4 wait=$5
shift 5
net_begin
net_ns isp pub wire
net_router isp
mkfifo "$NET_DIR/ready"
if [ "$delay.$loss" = 0.0 ]; then
	net_wire isp to-pub pub eth
else
	net_wire isp to-pub wire near
	net_wire wire far pub eth
	mkfifo "$NET_DIR/wired"
	nsenter --net=/run/netns/wire "$bin/nat-link" -N 5 near far \
	    "delay_ms=$delay" "loss=$loss" 5>"$NET_DIR/wired" &
	read -r _ <"$NET_DIR/wired"
fi
ip -n isp addr add 192.0.2.254/24 dev to-pub
ip -n isp addr add 2001:db8::fe/64 dev to-pub nodad
for a in 1 2; do
	ip -n pub addr add 192.0.2.$a/24 dev eth
	ip -n pub addr add 2001:db8::$a/64 dev eth nodad
done
ip -n pub route add default via 192.0.2.254
ip -n pub route add default via 2001:db8::fe
nsenter --net=/run/netns/pub "$bin/nat-stund" -b 192.0.2.1 -b 192.0.2.2 \
    -b 2001:db8::1 -b 2001:db8::2 -r 1000 -N 5 5>"$NET_DIR/ready" &
read -r _ <"$NET_DIR/ready"

# toy_nat N FLAG...: tests/tools/toy-nat is the NAT in nN, whose kernel, with the
# same addresses, translates nothing and says nothing about UDP.
toy_nat() {
	local ns=n$1 at=203.0.$1 link
	shift
	for link in "$ns lan" "$ns wan" "isp to-$ns" "$site eth"; do
		# what is raw on the way has to be whole, checksums and all
		on "${link% *}" ethtool -K "${link#* }" tx off tso off gso off \
		    gro off >/dev/null
	done
	on "$ns" sysctl -qw net.ipv4.ip_forward=0
	on "$ns" nft -f - <<-N
	table ip toy {
		chain out { type filter hook output priority 300
			meta skuid >= 0 accept
			icmp type destination-unreachable drop; }
	}
	N
	mkfifo "$NET_DIR/toy-$ns"
	NAT_LAN=lan NAT_WAN=wan NAT_LAN_ADDRESS=192.168.1.1 NAT_MTU=1500 \
	    NAT_WAN_ADDRESSES=$at.2 NAT_GATEWAY=$at.1 NAT_READY_FD=5 \
	    nsenter --net="/run/netns/$ns" "$bin/tools/toy-nat" "$@" \
	    5>"$NET_DIR/toy-$ns" &
	read -r _ <"$NET_DIR/toy-$ns"
}

n=0
for site in "$@"; do
	n=$((n + 1))
	behaviour_site "$site"
	net_ns "n$n"
	net_router "n$n"
	# public addresses, as a router outside the NAT must have
	net_uplink "n$n" "203.0.$n"
	ip -n "n$n" addr add "203.0.$n.3/24" dev wan
	ip -n isp addr add "2001:db8:$n::1/64" dev "to-n$n" nodad
	ip -n "n$n" addr add "2001:db8:$n::2/64" dev wan nodad
	ip -n "n$n" route add default via "2001:db8:$n::1"
	ip -n isp route add "2001:db8:$n:1::/64" via "2001:db8:$n::2"
	net_ns "$site"
	net_wire "$site" eth "n$n" lan
	ip -n "n$n" addr add 192.168.1.1/24 dev lan
	ip -n "n$n" addr add "2001:db8:$n:1::1/64" dev lan nodad
	ip -n "$site" addr add 192.168.1.2/24 dev eth
	ip -n "$site" addr add "2001:db8:$n:1::2/64" dev eth nodad
	ip -n "$site" route add default via 192.168.1.1
	ip -n "$site" route add default via "2001:db8:$n:1::1"
	case $site in
	internal-seen)
		on "$site" sysctl -qw net.ipv4.conf.eth.accept_local=1 ;;
	none) ip -n isp route add 192.168.1.0/24 via "203.0.$n.2" ;;
	esac
	case $site in
	masquerade) net_masquerade "n$n" ;;
	toy-*)
		# shellcheck disable=SC2086
		toy_nat "$n" $profile ;;
	fragile)
		net_masquerade "n$n"
		on "n$n" nft -f - <<-N
		table ip fragile {
			set dead { type inet_service
				flags dynamic,timeout; timeout 60s; }
			chain pre { type filter hook prerouting priority -350
				iifname wan icmp type time-exceeded \
				    add @dead { @th,224,16 }
				iifname wan udp dport @dead drop; }
		}
		N
		;;
	hosts)
		# shellcheck disable=SC2086
		profile_apply "n$n" $profile
		on "n$n" nft -f - <<-N
		table ip6 hosts {
			set seen { type ipv6_addr . ipv6_addr
				flags dynamic,timeout; timeout 60s; }
			chain forward { type filter hook forward priority 0
				iifname lan update @seen { ip6 daddr . ip6 saddr }
				iifname wan meta l4proto udp \
				    ip6 saddr . ip6 daddr != @seen drop; }
		}
		N
		;;
	pool)
		# shellcheck disable=SC2086
		profile_apply "n$n" $profile "pool=203.0.$n.2,203.0.$n.3" ;;
	*)
		# shellcheck disable=SC2086
		profile_apply "n$n" $profile "pool=203.0.$n.2" ;;
	esac
done

# A name that has both addresses of the server.
printf '2001:db8::%s both.example\n' 1 2 >"$NET_DIR/hosts"
mount --bind "$NET_DIR/hosts" /etc/hosts

# One after the other at a site; the sites all at once.
pids='' at=0
for site in "$@"; do
	at=$((at + 1))
	behaviour_site "$site"
	server=192.0.2.1 limit=$wait
	[ "$family" = -4 ] || server=2001:db8::1
	[ "$site" != hosts ] || server=both.example
	# as long as it takes to see a mapping end
	case $want in
	*refresh=*) limit=$((wait + 30)) ;;
	*icmp=killed*) limit=$((wait + 10)) ;; # silence takes its time, too
	esac
	(
		for ((r = 1; r <= runs; r++)); do
			code=0
			# what it knows from the run before
			[ "$site" != hosts ] ||
				on "n$at" nft flush set ip6 hosts seen
			on "$site" "$bin/nat-stun" behaviour $family -w "$limit" \
			    $server >"$out/$site.$r" 2>"$out/$site.$r.err" ||
				code=$?
			echo "$code" >"$out/$site.$r.code"
		done
	) &
	pids="$pids $!"
done
# shellcheck disable=SC2086
wait $pids
