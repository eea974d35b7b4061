#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
#
# Pid 1 of a lab, run by up.sh in new namespaces: builds what the plan on
# descriptor 3 says (topology.sh), prints the records on 4, waits for the word
# to go, and holds all of it for as long as the program given runs, or for ever.
# usage: hold.sh NAME FILE [prog args]
set -efu
LC_ALL=C
export LC_ALL
exec 9>&- # the lock is held by unshare, outside
lab_dir=${0%/*} name=$1 file=$2
shift 2
for lab_f in net profile gate; do
	# shellcheck disable=SC1090
	. "$lab_dir/$lab_f.sh"
done

# plan_read LINE: a line of the plan as p_* and, what is left, p_keys.
plan_read() {
	p_addresses='' p_gateway='' p_four='' p_six='' p_lan='' p_upnp=''
	p_keys=''
	# shellcheck disable=SC2086
	set -- $1
	p_kind=$1 p_name=$3 p_behind=''
	shift 3
	[ "$p_kind" = wire ] || {
		p_behind=$1
		shift
	}
	for p_arg; do
		case $p_kind.$p_arg in
		wire.*) p_keys="$p_keys $p_arg" ;;
		*.addresses=* | host.address=*) p_addresses=${p_arg#*=} ;;
		*.gateway=*) p_gateway=${p_arg#*=} ;;
		*.ipv4=*) p_four=${p_arg#*=} ;;
		*.ipv6=*) p_six=${p_arg#*=} ;;
		*.lan=*) p_lan=${p_arg#*=} ;;
		*.upnp=*) p_upnp=${p_arg#*=} ;;
		*) p_keys="$p_keys $p_arg" ;;
		esac
	done
	p_keys=${p_keys# }
}

box_record() { # KIND ADDRESSES [PROFILE]
	p_more=${p_behind:+ behind=$p_behind}${3:+ profile=$3}
	echo "box lab=$name name=$p_name kind=$1 addresses=$2$p_more" \
	    >>/run/lab/boxes
	[ -z "$p_addresses" ] ||
		echo "${p_addresses%%,*} $p_name" >>/run/lab/hosts
}

build_public() {
	p_prefix=$p_behind p_behind=''
	net_ns "$p_name"
	net_wire "$p_name" eth isp "to-$p_name"
	ip -n isp addr add "$p_prefix.254/24" dev "to-$p_name"
	ip -n isp addr add "${p_six%%::*}::fe/64" dev "to-$p_name" nodad
	for p_a in $(pf_split "$p_addresses"); do
		ip -n "$p_name" addr add "$p_a/24" dev eth
	done
	for p_a in $(pf_split "$p_six"); do
		ip -n "$p_name" addr add "$p_a/64" dev eth nodad
	done
	ip -n "$p_name" route add default via "$p_prefix.254"
	ip -n "$p_name" route add default via "${p_six%%::*}::fe"
	box_record public "$p_addresses,$p_six"
}

build_gate() {
	net_ns "$p_name"
	net_router "$p_name"
	if [ "$p_behind" = isp ]; then
		net_wire "$p_name" wan isp "to-$p_name"
		[ "$p_four" = no ] ||
			ip -n isp addr add "$p_gateway/24" dev "to-$p_name"
	else
		net_wire "$p_name" wan "$p_behind" "port-$p_name"
		net_plug "$p_behind" "port-$p_name"
	fi
	[ "$p_four" != no ] || p_addresses=''
	for p_a in $(pf_split "$p_addresses"); do
		ip -n "$p_name" addr add "$p_a/24" dev wan
	done
	net_lan "$p_name" lan "$p_lan.1/24"
	[ -z "$p_six" ] || build_gate_six
	[ "$p_four" = no ] ||
		ip -n "$p_name" route add default via "$p_gateway"
	echo "$p_behind $p_kind ${p_addresses%%,*}" >"/run/lab/way.$p_name"
	[ "$p_kind" = nat ] || [ "$p_four" = no ] || build_way
	[ "$p_kind" != router ] || p_keys="profile=none${p_keys:+ $p_keys}"
	[ "$p_kind" != firewall ] || p_keys="profile=firewall${p_keys:+ $p_keys}"
	[ -n "$p_keys" ] || p_keys=profile=home
	echo "${p_addresses:--} $p_keys" >"/run/lab/gate.$p_name"
	gate_read "$p_name"
	box_record "$p_kind" "$p_addresses${p_six:+${p_addresses:+,}2001:db8:$p_six::2}" \
	    "$(gate_name)"
}

build_gate_six() {
	ip -n isp addr add "2001:db8:$p_six::1/64" dev "to-$p_name" nodad
	ip -n "$p_name" addr add "2001:db8:$p_six::2/64" dev wan nodad
	ip -n "$p_name" addr add "2001:db8:$p_six:1::1/64" dev lan nodad
	ip -n "$p_name" route add default via "2001:db8:$p_six::1"
	ip -n isp route add "2001:db8:$p_six:1::/64" via "2001:db8:$p_six::2"
}

# What is behind a box that does not translate has to be known up to the next
# one that does.
build_way() {
	p_at=$p_behind p_via=${p_addresses%%,*}
	while :; do
		ip -n "$p_at" route add "$p_lan.0/24" via "$p_via"
		[ "$p_at" != isp ] || break
		read -r p_up p_k p_via <"/run/lab/way.$p_at"
		[ "$p_k" != nat ] || break
		p_at=$p_up
	done
}

# A bridge's port that sends back where it came from: a host may talk to
# itself by the public address of its NAT.
net_plug() { # NS PORT
	ip -n "$1" link set "$2" master lan
	ip -n "$1" link set "$2" type bridge_slave hairpin on
}

build_host() {
	net_ns "$p_name"
	# As one may when a NAT's hairpin keeps the internal source.
	on "$p_name" sysctl -qw net.ipv4.conf.all.accept_local=1
	net_wire "$p_name" eth "$p_behind" "port-$p_name"
	net_plug "$p_behind" "port-$p_name"
	if [ -n "$p_addresses" ]; then
		ip -n "$p_name" addr add "$p_addresses/24" dev eth
		ip -n "$p_name" route add default via "$p_gateway"
	fi
	if [ -n "$p_six" ]; then
		ip -n "$p_name" addr add "${p_six%,*}/64" dev eth nodad
		ip -n "$p_name" route add default via "${p_six#*,}"
	fi
	box_record host "$p_addresses${p_six:+${p_addresses:+,}${p_six%,*}}"
}

build_wire() {
	mkfifo "/run/lab/ready.$p_name"
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/wire-$p_name" nat-link \
	    -c "/run/lab/wire.$p_name" -N 9 inside outside $p_keys \
	    9>"/run/lab/ready.$p_name" 3<&- 4>&- </dev/null >/dev/null &
	p_pid=$! p_code=0
	read -r _ <"/run/lab/ready.$p_name" || {
		wait "$p_pid" || p_code=$?
		exit "$p_code"
	}
}

net_begin
mkdir -p /run/lab
echo "$name" >/run/lab/name
echo '127.0.0.1 localhost' >/run/lab/hosts
: >/run/lab/boxes
plan='' NET_WIRED=''
while read -r line <&3 && [ "$line" != build ]; do
	plan="$plan$line
"
	case $line in
	wire*)
		plan_read "$line"
		NET_WIRED="$NET_WIRED $p_name" ;;
	esac
done
net_ns isp
net_router isp
each() { # FUNCTION KIND...
	each_f=$1
	shift
	printf '%s' "$plan" >/run/lab/plan
	while read -r line <&5; do
		for each_k; do
			[ "${line%% *}" = "$each_k" ] || continue
			plan_read "$line"
			"$each_f"
		done
	done 5</run/lab/plan
}
build_profile() {
	gate_read "$p_name"
	gate_apply "$p_name"
	[ "$p_upnp" != yes ] || gate_upnp "$p_name" "$p_lan"
}
build() {
	case $p_kind in
	public) build_public ;;
	host) build_host ;;
	*) build_gate ;;
	esac
}
each build public nat firewall router host
each build_profile nat firewall router
each build_wire wire
[ ! -e /etc/hosts ] || mount --bind /run/lab/hosts /etc/hosts
echo "lab name=$name state=up boxes=$(wc -l </run/lab/boxes) path=$file" \
	>/run/lab/lab
cat /run/lab/lab /run/lab/boxes >&4
echo ready >&4
exec 4>&-
# Nobody knows of this lab before its maker has written it down.
read -r line <&3 || exit 1
exec 3<&-
NATLAB=$name
export NATLAB
if [ $# -gt 0 ]; then
	code=0
	"$@" || code=$?
	exit "$code"
fi
cd /
exec >/dev/null 2>&1
while :; do
	sleep infinity &
	wait "$!" || :
done
