# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
#
# A NAT, firewall or router of a lab and its profile, while the lab runs; to be
# sourced inside the lab after net.sh and profile.sh. /run/lab/gate.NAME holds
# the keys that it was given, addresses= those of its wan.

gate_read() { # NAME
	read -r gate_addresses gate_keys <"/run/lab/gate.$1"
}

# gate_merge NAME key=value ...: sets gate_keys. A profile= begins anew.
gate_merge() {
	gate_read "$1"
	gate_name=$1
	shift
	for gate_arg; do
		case $gate_arg in
		profile=*) gate_keys='' ;;
		esac
		gate_old=$gate_keys gate_keys=''
		for gate_key in $gate_old; do
			[ "${gate_key%%=*}" = "${gate_arg%%=*}" ] ||
				gate_keys="$gate_keys $gate_key"
		done
		gate_keys="$gate_keys $gate_arg"
	done
	gate_keys=${gate_keys# }
	[ ${#gate_keys} -le 300 ] ||
		pf_bad "$gate_name: more than 300 bytes of keys: profile= begins anew"
}

# What the profiles need that hold more than one public address: further ones
# of the same network, at .3 and at 100 + the host's number.
gate_extra() { # NAME
	gate_first=${gate_addresses%%,*} gate_pool=$gate_addresses gate_one=''
	case " $gate_keys " in
	*' one_to_one='*) ;;
	*' profile=one-to-one '*)
		# shellcheck disable=SC2013 # they are words
		for gate_a in $(awk -v b="behind=$1" '
		    index($0 " ", " " b " ") && sub(/.* addresses=/, "") {
			sub(/[, ].*/, "")
			print
		    }' /run/lab/boxes); do
			gate_n=$(((${gate_a##*.} + 100) % 254))
			gate_one=$gate_one${gate_one:+,}$gate_a=${gate_first%.*}.$gate_n
		done ;;
	*' profile=pool '* | *' profile=cgnat '*)
		case $gate_pool in
		*,*) ;;
		*) gate_pool=$gate_pool,${gate_first%.*}.3 ;;
		esac ;;
	esac
	case " $gate_keys " in
	*' pool='* | *' mapping=none '*) gate_pool='' ;;
	esac
	gate_pool="${gate_pool:+pool=$gate_pool}"
	gate_one="${gate_one:+one_to_one=$gate_one}"
}

# Every address that a pool or a table names has to be there.
gate_addresses_add() { # NAME
	for gate_arg in $gate_keys $gate_pool $gate_one; do
		case $gate_arg in
		pool=*) gate_list=${gate_arg#*=} ;;
		one_to_one=*)
			gate_list=$(pf_split "${gate_arg#*=}" |
				sed 's/.*=//' | pf_join) ;;
		*) continue ;;
		esac
		for gate_a in $(pf_split "$gate_list"); do
			ip -n "$1" addr replace "$gate_a/24" dev wan || return
		done
	done
}

gate_apply() { # NAME
	if [ -n "$gate_addresses" ] && [ "$gate_addresses" != - ]; then
		gate_extra "$1"
	else
		gate_pool='' gate_one=''
	fi
	# Nothing changes when something is wrong.
	pf_defaults
	# shellcheck disable=SC2086
	pf_set $gate_keys $gate_pool $gate_one || return
	gate_addresses_add "$1" || return
	# shellcheck disable=SC2086
	profile_apply "$1" $gate_keys $gate_pool $gate_one || return
	echo "$gate_addresses $gate_keys" >"/run/lab/gate.$1"
}

# gate_name: the keys as the value of profile=.
gate_name() {
	# shellcheck disable=SC2086
	printf '%s\n' $gate_keys | sed 's/^profile=//' | pf_join
}

gate_change() { # NAME key=value ... | flush
	[ -f "/run/lab/gate.$1" ] || {
		pf_bad "$1 is no nat, firewall or router"
		return
	}
	if [ "$2" = flush ]; then
		profile_flush "$1"
		return
	fi
	gate_merge "$@" && gate_apply "$1" || return
	gate_line="$(sed -n "s/^\(box lab=[^ ]* name=$1 .*\) profile=.*/\1/p" \
	    /run/lab/boxes) profile=$(gate_name)"
	sed "s|^box lab=[^ ]* name=$1 .*|$gate_line|" /run/lab/boxes \
	    >/run/lab/boxes.new
	mv /run/lab/boxes.new /run/lab/boxes
	echo "$gate_line"
}

# Debian's miniupnpd on lan, for wan. Its rules are in a table of its own, and
# come first.
gate_upnp() { # NAME LAN
	on "$1" nft -f - <<-N
	table inet upnp {
		chain forward { type filter hook forward priority -1
			jump miniupnpd; }
		chain pre { type nat hook prerouting priority -101
			jump prerouting_miniupnpd; }
		chain post { type nat hook postrouting priority 99
			jump postrouting_miniupnpd; }
		chain miniupnpd { }
		chain prerouting_miniupnpd { }
		chain postrouting_miniupnpd { }
	}
	N
	cat >"/run/lab/upnp.$1" <<-N
	ext_ifname=wan
	listening_ip=lan
	port=5000
	enable_upnp=yes
	enable_natpmp=yes
	secure_mode=yes
	system_uptime=yes
	ipv6_disable=yes
	uuid=00000000-0000-4000-8000-000000000000
	upnp_table_name=upnp
	upnp_nat_table_name=upnp
	upnp_forward_chain=miniupnpd
	upnp_nat_chain=prerouting_miniupnpd
	upnp_nat_postrouting_chain=postrouting_miniupnpd
	allow 1024-65535 $2.0/24 1024-65535
	deny 0-65535 0.0.0.0/0 0-65535
	N
	on "$1" miniupnpd -f "/run/lab/upnp.$1" -P "/run/lab/upnp.$1.pid"
}
