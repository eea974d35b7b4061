# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# What a NAT does, in the words of RFC 4787, as nftables rules; to be sourced.
#
#	profile_apply NS key=value ...	makes namespace NS that NAT, at once
#	profile_flush NS		and forgets all its mappings
#	profile_names			prints the names that profile= takes
#	profile_expand NAME		prints the keys of that name
#
# Outside is the interface wan, inside is every other one.
#
# Keys and names stand in nat-lab(1); of two equal keys the last one holds.
# IPv6 is not translated: filtering, udp, tcp, input and the time-outs hold for
# it as for a stateful firewall.
#
# Each rule that translates or drops has a comment in the RFC's words:
#	translate mapping	by the table of mappings
#	translate allocation	a new mapping
#	translate filtering	an inbound packet that the filter lets in
#	translate hairpin	inside to inside by the public address
#	translate one-to-one	by the static table
#	translate other		not UDP: masquerade
#	translate alg		a payload
#	allow filtering		firewall: let in
#	drop filtering		the port is mapped, the sender isn't let in
#	drop no-mapping		the port is not mapped
#	drop hairpin		inside to a public address, not supported
#	drop collision		the port chosen was another endpoint's; the next
#				packet gets another one (unlikely)
#	drop firewall		IPv6 or no translation: nobody asked for it
#	drop input		to the NAT itself, and not UDP
#	drop blocked		UDP, or another TCP port, from inside
#	drop fragment
#	drop changing		while other rules are being made

profile_names() {
	cat <<-N
	ei-ei ei-ad ei-apd
	ad-ei ad-ad ad-apd
	apd-ei apd-ad apd-apd
	home linux sequential parity outbound
	cgnat pool one-to-one
	none firewall udp-blocked
	N
}

profile_expand() {
	case $1 in
	ei-* | ad-* | apd-*)
		pf_words=
		for pf_w in "${1%%-*}" "${1#*-}"; do
			case $pf_w in
			ei) pf_w=endpoint-independent ;;
			ad) pf_w=address-dependent ;;
			apd) pf_w=address-and-port-dependent ;;
			*) return 1 ;;
			esac
			pf_words="${pf_words:-mapping=}${pf_words:+ filtering=}$pf_w"
		done
		echo "$pf_words" ;;
	home)	echo mapping=endpoint-independent \
		    filtering=address-and-port-dependent \
		    udp_timeout_s=120 stream_timeout_s=180 ;;
	linux)	echo mapping=endpoint-independent \
		    filtering=address-and-port-dependent \
		    allocation=overloading hairpin=no input=open \
		    udp_timeout_s=30 stream_timeout_s=120 ;;
	sequential)
		echo mapping=address-and-port-dependent \
		    filtering=address-and-port-dependent allocation=sequential ;;
	parity)	echo mapping=endpoint-independent \
		    filtering=address-dependent allocation=parity ;;
	outbound)
		echo mapping=endpoint-independent \
		    filtering=address-dependent refresh=outbound ;;
	cgnat)	echo mapping=endpoint-independent \
		    filtering=endpoint-independent allocation=random ;;
	pool)	echo mapping=endpoint-independent \
		    filtering=address-dependent allocation=random \
		    pooling=arbitrary ;;
	one-to-one)
		echo mapping=endpoint-independent \
		    filtering=endpoint-independent ;;
	none)	echo mapping=none filtering=none input=open ;;
	firewall)
		echo mapping=none filtering=address-and-port-dependent ;;
	udp-blocked)
		echo mapping=endpoint-independent \
		    filtering=address-and-port-dependent udp=blocked tcp=443 ;;
	*) return 1 ;;
	esac
}

pf_defaults() {
	pf_mapping=endpoint-independent
	pf_filtering=address-and-port-dependent
	pf_allocation='' pf_step=1 pf_pool='' pf_pooling=paired
	pf_hairpin=external pf_input=drop pf_refresh=both
	pf_silent=300 pf_active=300 pf_one='' pf_udp=open pf_tcp=open
	pf_fragments=yes pf_alg=no
}

pf_bad() {
	echo "${pf_who:-profile}: $*" >&2
	return 1
}

# The words that a key takes, if it is one that takes words.
pf_words() {
	case $1 in
	mapping | filtering)
		echo endpoint-independent address-dependent \
		    address-and-port-dependent none ;;
	allocation) echo preserving random sequential parity overloading ;;
	pooling) echo paired arbitrary ;;
	hairpin) echo external internal no ;;
	input) echo drop open ;;
	refresh) echo both outbound ;;
	udp) echo open blocked ;;
	fragments) echo yes no in out ;;
	alg) echo no rewrites ;;
	*) return 1 ;;
	esac
}

pf_number() { # KEY VALUE LEAST MOST
	case $2 in
	'' | *[!0-9]* | ??????*) pf_bad "$1=$2: must be a number" ;;
	*)
		if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
			pf_bad "$1=$2: must be from $3 to $4"
		fi ;;
	esac
}

# Nothing gets into a rule set that isn't a word, a number or an address.
pf_check() { # KEY VALUE
	case $1 in
	step) pf_number "$1" "$2" 1 10 ;;
	udp_timeout_s | stream_timeout_s) pf_number "$1" "$2" 1 86400 ;;
	tcp) [ "$2" = open ] || pf_number "$1" "$2" 1 65535 ;;
	pool | one_to_one)
		pf_ip='([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])'
		# No loopback, no multicast
		pf_first='([1-9]|[1-9][0-9]|1[013-9][0-9]|12[0-689]|2[01][0-9]|22[0-3])'
		pf_ip="$pf_first\\.$pf_ip\\.$pf_ip\\.$pf_ip"
		[ "$1" = pool ] || pf_ip=$pf_ip=$pf_ip
		printf '%s\n' "$2" | grep -Eqx "$pf_ip(,$pf_ip)*" ||
			pf_bad "$1=$2: must be IPv4 addresses of hosts" ;;
	*)
		pf_list=$(pf_words "$1") || pf_bad "$1=$2: no such key" ||
			return
		case " $pf_list :$2" in
		*" ${2%% *} "*:"${2%% *}") ;;
		*) pf_bad "$1=$2: must be one of: $pf_list" ;;
		esac ;;
	esac
}

pf_set() {
	for pf_arg in "$@"; do
		pf_k=${pf_arg%%=*} pf_v=${pf_arg#*=}
		case $pf_arg in
		profile=*)
			pf_list=$(profile_expand "$pf_v") ||
				pf_bad "$pf_arg: no such profile (known:" \
				    "$(profile_names | tr '\n' ' '))" || return
			# shellcheck disable=SC2086
			pf_set $pf_list || return
			continue ;;
		*=*) pf_check "$pf_k" "$pf_v" || return ;;
		*) pf_bad "$pf_arg: give key=value" || return ;;
		esac
		case $pf_k in
		mapping) pf_mapping=$pf_v ;;
		filtering) pf_filtering=$pf_v ;;
		allocation) pf_allocation=$pf_v ;;
		step) pf_step=$pf_v ;;
		pool) pf_pool=$pf_v ;;
		pooling) pf_pooling=$pf_v ;;
		hairpin) pf_hairpin=$pf_v ;;
		input) pf_input=$pf_v ;;
		refresh) pf_refresh=$pf_v ;;
		udp_timeout_s) pf_silent=$pf_v ;;
		stream_timeout_s) pf_active=$pf_v ;;
		one_to_one) pf_one=$pf_v ;;
		udp) pf_udp=$pf_v ;;
		tcp) pf_tcp=$pf_v ;;
		fragments) pf_fragments=$pf_v ;;
		alg) pf_alg=$pf_v ;;
		esac
	done
}

# A comma list as words.
pf_split() {
	pf_ifs=$IFS IFS=,
	# shellcheck disable=SC2086
	printf '%s\n' $1
	IFS=$pf_ifs
}

pf_join() {
	paste -sd , -
}

# What the two keys and the defaults that hang on each other come to.
pf_settle() { # NS
	pf_public=$(ip -n "$1" -4 -o addr show dev wan |
		sed 's/.* inet \([0-9.]*\).*/\1/')
	[ -n "$pf_public" ] || [ "$pf_mapping" = none ] ||
		pf_bad "$1: wan has no IPv4 address" || return
	# Addresses that a host has for itself are nobody else's.
	[ -n "$pf_pool" ] || pf_pool=$(printf '%s\n' "$pf_public" |
		grep -vxF "$(pf_split "$pf_one" | sed 's/.*=//')" | pf_join)
	pf_public=$(printf '%s\n' "$pf_public" | pf_join)
	pf_pool=${pf_pool:-$pf_public}
	case $pf_mapping.$pf_allocation in
	endpoint-independent.) pf_allocation=preserving ;;
	*.) pf_allocation=random ;;
	endpoint-independent.overloading) ;;
	*.overloading)
		pf_bad "allocation=overloading needs" \
		    "mapping=endpoint-independent" || return ;;
	esac
	pf_out=iifname' != wan' # the flow's two ends as a rule sees them
	pf_int='ct original ip saddr . ct original proto-src'
	pf_ext='ct reply ip daddr . ct reply proto-dst'
	pf_p4='ip protocol udp' # which has to come before a ct port
	pf_end='ipv4_addr . inet_service'
	case $pf_mapping in
	endpoint-independent) pf_key=$pf_int pf_type=$pf_end ;;
	address-dependent)
		pf_key="$pf_int . ct original ip daddr"
		pf_type="$pf_end . ipv4_addr" ;;
	*)
		pf_key="$pf_int . ct original ip daddr . ct original proto-dst"
		pf_type="$pf_end . $pf_end" ;;
	esac
}

# The tables of mappings. "inside" is what an external endpoint stands for,
# "inside_from" the same by who may send there, "taken" the ports in use, and
# "pairs" by whom, so that no two ever share one.
pf_tables() {
	pf_dyn='flags dynamic,timeout; size 65535;'
	cat <<-N
		map mapped { type $pf_type : $pf_end; $pf_dyn }
		map inside { type $pf_end : $pf_end; $pf_dyn }
		map inside_from { type ipv4_addr . $pf_end : $pf_end; $pf_dyn }
		set taken { type $pf_end; $pf_dyn }
		set pairs { type $pf_end . $pf_type; $pf_dyn }
		set stream { type $pf_end; $pf_dyn }
	N
	pf_n=0
	for pf_p in $(pf_split "$pf_pool"); do
		echo "set taken_$pf_n { type inet_service; $pf_dyn }"
		pf_n=$((pf_n + 1))
	done
}

# pf_ports FIRST STEP: an nftables map of 2000 ports, by number.
pf_ports() {
	awk -v p="$1" -v s="$2" 'BEGIN {
		for (i = 0; i < 2000; i++)
			printf "%s%d : %d", (i ? ", " : ""), i, p + i * s }'
}

# A new mapping on public address $1, which is number $2 of the pool.
pf_allocate() {
	pf_c='comment "translate allocation"'
	pf_any="snat to $1:1024-65535 fully-random $pf_c"
	echo "chain allocate_$2 {"
	case $pf_allocation in
	preserving)
		echo "ip protocol udp udp sport @taken_$2 $pf_any"
		# A port that an early packet holds is lost: then another one.
		pf_w=:'udp sport'
		[ "$pf_input" = drop ] || pf_w=''
		echo "ip protocol udp snat to $1$pf_w $pf_c" ;;
	random) echo "ip protocol udp $pf_any" ;;
	overloading) echo "ip protocol udp snat to $1 $pf_c" ;;
	sequential)
		# numgen as a port would come out byte-swapped: hence the map.
		echo "ip protocol udp snat to $1:numgen inc mod 2000" \
		    "map { $(pf_ports 40000 "$pf_step") } $pf_c" ;;
	parity)
		echo "ip protocol udp udp sport & 1 == 0 snat to" \
		    "$1:numgen random mod 2000" \
		    "map { $(pf_ports 40000 2) } $pf_c"
		echo "ip protocol udp snat to $1:numgen random mod 2000" \
		    "map { $(pf_ports 40001 2) } $pf_c" ;;
	esac
	echo "}"
}

# Which address of the pool: always the same for a host, or just the next.
pf_choose() {
	pf_n=0 pf_v=
	for pf_p in $(pf_split "$pf_pool"); do
		pf_allocate "$pf_p" "$pf_n"
		pf_v="$pf_v${pf_v:+, }$pf_n : goto allocate_$pf_n"
		pf_n=$((pf_n + 1))
	done
	echo "chain choose {"
	if [ "$pf_n" = 1 ]; then
		echo "goto allocate_0"
	elif [ "$pf_pooling" = paired ]; then
		echo "jhash ip saddr mod $pf_n seed 1 vmap { $pf_v }"
	else
		echo "numgen inc mod $pf_n vmap { $pf_v }"
	fi
	echo "}"
}

# pf_whole MATCH VERB FIELD SED: whole addresses by the table of pf_one.
pf_whole() {
	[ -z "$pf_one" ] || echo "$1 $2 to ip $3 map" \
	    "{ $(pf_split "$pf_one" | sed "$4" | pf_join) }" \
	    'comment "translate one-to-one"'
}

pf_outward() {
	cat <<-N
	chain translate {
		$([ "$pf_allocation" = overloading ] ||
		    echo "$pf_p4 snat ip to $pf_key" \
			"map @mapped comment \"translate mapping\"")
		$(pf_whole 'ip protocol udp' snat saddr 's/=/ : /')
		ip protocol udp goto choose
	}
	chain post { type nat hook postrouting priority 100
		oifname wan ip protocol udp goto translate
		$([ "$pf_hairpin" != external ] || echo "ip protocol udp" \
		    "$pf_out oifname != wan ct status dnat goto translate")
		$(pf_whole 'oifname wan' snat saddr 's/=/ : /')
		oifname wan masquerade comment "translate other"
	}
	N
}

pf_inward() {
	pf_c='comment "translate filtering"'
	echo "chain pre { type nat hook prerouting priority -100"
	[ "$pf_hairpin" = no ] || {
		echo "$pf_out ip daddr { $pf_public } ip protocol udp dnat ip to" \
		    'ip daddr . udp dport map @inside' \
		    'comment "translate hairpin"'
		pf_whole "$pf_out" dnat daddr 's/\(.*\)=\(.*\)/\2 : \1/'
	}
	case $pf_filtering in
	endpoint-independent | none)
		echo "iifname wan ip protocol udp dnat ip to" \
		    "ip daddr . udp dport map @inside $pf_c"
		pf_whole "iifname wan" dnat daddr 's/\(.*\)=\(.*\)/\2 : \1/' ;;
	address-dependent)
		echo "iifname wan ip protocol udp dnat ip to" \
		    "ip saddr . ip daddr . udp dport map @inside_from $pf_c" ;;
	esac
	echo "}"
}

# pf_keep NAME SECONDS: what a packet of a flow that began inside ("out") or
# outside ("in") leaves in the tables.
pf_keep() {
	cat <<-N
	chain keep_out_$1 {
		$pf_p4 update @mapped { $pf_key timeout $2s : $pf_ext }
		$pf_p4 update @pairs { $pf_ext . $pf_key timeout $2s }
		$pf_p4 update @taken { $pf_ext timeout $2s }
		$pf_p4 update @inside { $pf_ext timeout $2s : $pf_int }
		$pf_p4 update @inside_from { ct original ip daddr . $pf_ext \
		    timeout $2s : $pf_int }
	N
	pf_n=0
	for pf_p in $(pf_split "$pf_pool"); do
		echo "$pf_p4 ct reply ip daddr $pf_p" \
		    "update @taken_$pf_n { ct reply proto-dst timeout $2s }"
		pf_n=$((pf_n + 1))
	done
	echo "}"
	pf_rint='ct reply ip saddr . ct reply proto-src'
	pf_rext='ct original ip daddr . ct original proto-dst'
	echo "chain keep_in_$1 {"
	# By endpoint-dependent mapping it isn't known what the key was.
	[ "$pf_mapping" != endpoint-independent ] ||
		echo "$pf_p4 update @mapped { $pf_rint timeout $2s : $pf_rext }" \
		    "update @pairs { $pf_rext . $pf_rint timeout $2s }"
	cat <<-N
		$pf_p4 update @taken { $pf_rext timeout $2s }
		$pf_p4 update @inside { $pf_rext timeout $2s : $pf_rint }
		$pf_p4 update @inside_from { ct original ip saddr . $pf_rext \
		    timeout $2s : $pf_rint }
	}
	N
}

pf_learn() {
	pf_keep silent "$pf_silent"
	pf_keep active "$pf_active"
	cat <<-N
	chain owned {
		$([ -z "$pf_one" ] || echo "$pf_p4 ct reply ip daddr" \
		    "{ $(pf_split "$pf_one" | sed 's/.*=//' | pf_join) } return")
		$([ "$pf_allocation" = overloading ] || cat <<-M
		$pf_p4 $pf_ext . $pf_key @pairs return
		$pf_p4 $pf_ext @taken drop comment "drop collision"
		M
		)
	}
	chain learn_out {
		jump owned
		$pf_p4 ct status assured update @stream { $pf_ext timeout ${pf_active}s }
		$pf_p4 $pf_ext @stream goto keep_out_active
		goto keep_out_silent
	}
	chain learn_in {
		$pf_p4 ct status assured update @stream { $pf_rext timeout ${pf_active}s }
		$pf_p4 $pf_rext @stream goto keep_in_active
		goto keep_in_silent
	}
	chain learn { type filter hook postrouting priority 150
		ip protocol != udp accept
		$([ "$pf_refresh" = both ] || echo "oifname != wan accept")
		ct status snat jump learn_out
		ct status dnat jump learn_in
	}
	N
}

# What comes from inside and what may not leave; for both families.
pf_blocked() {
	[ "$pf_udp" = open ] || echo "$pf_out oifname wan meta l4proto udp" \
	    'drop comment "drop blocked"'
	[ "$pf_tcp" = open ] || echo "$pf_out oifname wan tcp dport != $pf_tcp" \
	    'drop comment "drop blocked"'
}

pf_ends() {
	echo "chain through { type filter hook forward priority 0"
	pf_blocked
	# Conntrack's own entry lives on inbound packets, too.
	[ "$pf_refresh" = both ] || cat <<-N
		iifname wan ip protocol udp ct status snat ct direction reply \
		    $pf_ext != @taken drop comment "drop no-mapping"
		iifname wan ip protocol udp ct status dnat ct direction original \
		    $pf_rext != @taken drop comment "drop no-mapping"
	N
	[ "$pf_input" = open ] || cat <<-N
		iifname wan ct state new ct status & dnat == 0 \
		    drop comment "drop no-mapping"
	N
	echo "}"
	[ "$pf_input" = open ] || cat <<-N
	chain in { type filter hook input priority 0
		ct state established,related accept
		$([ "$pf_hairpin" != no ] || echo "$pf_out ip daddr { $pf_public }" \
		    'ip protocol udp drop comment "drop hairpin"')
		iifname lo accept
		ip daddr != { $pf_public } $pf_out accept
		ip protocol udp ip daddr . udp dport @taken \
		    drop comment "drop filtering"
		ip protocol udp drop comment "drop no-mapping"
		iifname wan ip protocol != icmp drop comment "drop input"
	}
	N
}

# Before conntrack puts them together; for both families.
pf_cut() {
	case $pf_fragments in
	no) pf_w= ;;
	in) pf_w="$pf_out" ;;
	out) pf_w='iifname wan' ;;
	*) return 0 ;;
	esac
	echo "chain cut { type filter hook prerouting priority -450"
	if [ "$1" = ip ]; then
		echo "$pf_w ip frag-off & 0x3fff != 0 drop comment" '"drop fragment"'
	else
		echo "$pf_w exthdr frag exists drop comment" '"drop fragment"'
	fi
	echo "}"
}

# The public address in a STUN answer's MAPPED-ADDRESS becomes the private one,
# be it the first attribute or one of the next three after others of an address
# (coturn's is the second, nat-stund's the fourth). Offsets in
# bits from the UDP header: 8 bytes of it, 20 of STUN's, 12 of an attribute.
pf_meddle() {
	[ "$pf_alg" = rewrites ] || return 0
	echo "chain meddle { type filter hook postrouting priority 200"
	for pf_o in 224 320 416 512; do
		echo "iifname wan ip protocol udp @th,$pf_o,32 0x00010008" \
		    "@th,$((pf_o + 64)),32 { $(pf_split "$pf_public" |
			awk -F. '{ printf "%s0x%02x%02x%02x%02x",
			    (NR > 1 ? ", " : ""), $1, $2, $3, $4 }') }" \
		    "@th,$((pf_o + 64)),32 set @nh,128,32" \
		    "udp checksum set 0 comment \"translate alg\""
	done
	echo "}"
}

# pf_firewall FAMILY: no translation, but state.
pf_firewall() {
	if [ "$1" = ip ]; then
		pf_t=ipv4_addr pf_a=ip pf_ping=icmp
	else
		pf_t=ipv6_addr pf_a=ip6 pf_ping=ipv6-icmp
	fi
	pf_o="$pf_a saddr . udp sport"
	cat <<-N
	set open { type $pf_t . inet_service; flags dynamic,timeout; size 65535; }
	set open_from { type $pf_t . $pf_t . inet_service
		flags dynamic,timeout; size 65535; }
	chain learn { type filter hook postrouting priority 150
		oifname != wan accept
		meta l4proto != udp accept
	N
	for pf_s in "ct status & assured == 0:$pf_silent" \
	    "ct status assured:$pf_active"; do
		echo "${pf_s%:*} update @open { $pf_o timeout ${pf_s##*:}s }" \
		    "update @open_from { $pf_a daddr . $pf_o" \
		    "timeout ${pf_s##*:}s }"
	done
	echo '}'
	echo "chain through { type filter hook forward priority 0"
	pf_blocked
	echo 'ct state established,related accept'
	case $pf_filtering in
	endpoint-independent)
		echo "iifname wan $pf_a daddr . udp dport @open" \
		    'accept comment "allow filtering"' ;;
	address-dependent)
		echo "iifname wan $pf_a saddr . $pf_a daddr . udp dport" \
		    '@open_from accept comment "allow filtering"' ;;
	esac
	[ "$pf_filtering" = none ] || cat <<-N
		iifname wan $pf_a daddr . udp dport @open \
		    drop comment "drop filtering"
		iifname wan meta l4proto != $pf_ping drop comment "drop firewall"
	N
	echo '}'
	[ "$pf_input" = open ] || cat <<-N
	chain in { type filter hook input priority 0
		ct state established,related accept
		iifname wan meta l4proto != $pf_ping drop comment "drop input"
	}
	N
}

pf_rules() {
	for pf_t in 'ip nat' 'ip6 nat' 'inet filter'; do
		echo "table $pf_t; delete table $pf_t"
	done
	echo "table ip nat {"
	if [ "$pf_mapping" = none ]; then
		pf_firewall ip
	else
		pf_tables && pf_choose && pf_outward && pf_inward && pf_learn
		pf_ends && pf_meddle
	fi
	pf_cut ip
	echo "}"
	echo "table ip6 nat {"
	pf_firewall ip6
	pf_cut ip6
	echo "}"
}

# Between old rules and new ones, and until conntrack has forgotten its entries,
# nothing passes: a packet of an old flow would take its mapping over. Should we
# end meanwhile, all passes again after 5 s.
pf_hold() { # NS
	nsenter --net="/run/netns/$1" nft -f - <<-N
	table inet hold; delete table inet hold
	table inet hold {
		set now { type nf_proto; flags timeout
			elements = { ipv4 timeout 5s, ipv6 timeout 5s }; }
		chain in { type filter hook prerouting priority -450
			iifname != lo meta nfproto @now drop comment "drop changing"; }
		chain out { type filter hook output priority -450
			oifname != lo meta nfproto @now drop comment "drop changing"; }
	}
	N
}

pf_release() { # NS
	nsenter --net="/run/netns/$1" nft delete table inet hold
}

# pf_switch NS RULES [SYSCTL...]. Entries of conntrack go as well: else flows go
# on by what was before.
pf_switch() {
	pf_ns=$1 pf_text=$2 pf_code=0
	shift 2
	pf_hold "$pf_ns" || return
	{
		nsenter --net="/run/netns/$pf_ns" nft -f - <<-N &&
		$pf_text
		N
		{
			[ $# = 0 ] ||
			nsenter --net="/run/netns/$pf_ns" sysctl -qw "$@"
		} &&
		nsenter --net="/run/netns/$pf_ns" conntrack -F 2>/dev/null
	} || pf_code=$?
	pf_release "$pf_ns" && return "$pf_code"
}

profile_apply() {
	pf_ns=$1
	shift
	pf_defaults
	pf_set "$@" && pf_settle "$pf_ns" || return
	pf_text=$(pf_rules)
	pf_switch "$pf_ns" "$pf_text" \
	    net.netfilter.nf_conntrack_udp_timeout="$pf_silent" \
	    net.netfilter.nf_conntrack_udp_timeout_stream="$pf_active" \
	    net.ipv4.conf.all.send_redirects=0 \
	    net.ipv4.conf.default.send_redirects=0
}

profile_flush() {
	pf_list=$(nsenter --net="/run/netns/$1" nft list ruleset) || return
	pf_text=$(printf '%s\n' "$pf_list" | awk '
		$1 == "table" { family = $2; table = $3 }
		($1 == "set" || $1 == "map") && family ~ /^ip6?$/ &&
		    table == "nat" { print "flush", $1, family, table, $2 }')
	pf_switch "$1" "$pf_text"
}
