# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# One cell of nat-lab's matrix: two hosts, each with a daemon on the same UDP
# port, run nat-connect(1) and see whether it joins them. That it did, or did
# not, is then tried with the daemons' own datagrams. To be sourced, by a
# process of its own for each cell, after enter.sh and net.sh, and with
# cell_servers, nat_connect and nat_rendezvous set.

# cell_run LEFT-HOST RIGHT-HOST PORT DIR: sets measured, method, time_ms and
# reason. All that it started is gone when it returns.
cell_run() {
	cell_port=$3 cell_dir=$4 cell_pids='' measured=none method='' reason=''
	mkfifo "$4/events" "$4/left.out" "$4/right.out"
	for cell_side in left right; do
		: >"$4/$cell_side.to"
		(umask 077 && head -c 32 /dev/urandom | base64 >"$4/$cell_side.key")
	done
	exec 4<>"$4/events"
	cell_daemon left "$1"
	cell_daemon right "$2"
	net_ms
	cell_began=$net_ms
	cell_connect left "$1" right
	cell_connect right "$2" left
	cell_watch
	net_ms
	time_ms=$((net_ms - cell_began))
	cell_judge "$1" "$2"
	# shellcheck disable=SC2086
	kill $cell_pids 2>/dev/null || :
	wait
	exec 4<&-
}

# Becomes a program on a host, so that $! is the program's pid.
cell_on() { # HOST prog args
	lab_exec='exec'
	lab_on "$@"
}

# The daemon: it has the port, and notes what it gets.
cell_daemon() { # SIDE HOST
	: >"$cell_dir/$1.heard"
	cell_on "$2" socat -u "UDP6-RECV:$cell_port,ipv6only=0,reuseaddr" \
	    "OPEN:$cell_dir/$1.heard,append" 4<&- 2>"$cell_dir/$1.daemon" &
	cell_pids="$cell_pids $!"
	cell_n=200
	until [ -n "$(cell_on "$2" ss -Huln "sport = :$cell_port")" ]; do
		cell_n=$((cell_n - 1))
		[ "$cell_n" -gt 0 ] || die 101 "no daemon on port $cell_port of $2"
		sleep 0.02
	done
}

# What matters of nat-connect's records comes to descriptor 4, in the form
# SIDE direct|failed|down|ended|to VALUE METHOD.
cell_connect() { # SIDE HOST PEER-SIDE
	cell_peer=$("$nat_rendezvous" key -k "$cell_dir/$3.key")
	cell_on "$2" "$nat_connect" -1 -w 30 -de -k "$cell_dir/$1.key" \
	    -S "$cell_servers" "$cell_port" "${cell_peer#key public=}" \
	    >"$cell_dir/$1.out" 2>"$cell_dir/$1.err" 4<&- &
	cell_pids="$cell_pids $!"
	{
		sed -un -e 's/$/ /' \
		    -e "s/^path .*state=direct endpoint=\([^ ]*\) .*method=\([^ ]*\).*/$1 direct \1 \2/p" \
		    -e "s/^path .*state=failed .*reason=\([^ ]*\).*/$1 failed \1/p" \
		    -e "s/^session .*state=down .*reason=\([^ ]*\).*/$1 down no-server/p" \
		    -e "s/^remote .*type=srflx .*endpoint=\([^ ]*\).*/$1 to \1/p"
		echo "$1 ended ended"
	} <"$cell_dir/$1.out" >&4 &
}

# Until both sides are direct or have failed, or one can't reach the server.
cell_watch() {
	while read -r cell_side cell_what cell_value cell_method; do
		case $cell_what in
		to)
			echo "$cell_value" >>"$cell_dir/$cell_side.to"
			continue
			;;
		esac
		[ -f "$cell_dir/$cell_side.end" ] || echo "$cell_what" "$cell_value" \
		    "$cell_method" >"$cell_dir/$cell_side.end"
		[ "$cell_what" != down ] || break
		[ ! -f "$cell_dir/left.end" ] || [ ! -f "$cell_dir/right.end" ] ||
			break
	done <&4
}

# What nat-connect says, and what the daemons' datagrams say to that: a path
# is direct when they pass both ways, and with none not one passes.
cell_judge() { # LEFT-HOST RIGHT-HOST
	cell_l='' cell_lv='' cell_lm='' cell_r='' cell_rv='' cell_rm=''
	[ ! -f "$cell_dir/left.end" ] ||
		read -r cell_l cell_lv cell_lm <"$cell_dir/left.end"
	[ ! -f "$cell_dir/right.end" ] ||
		read -r cell_r cell_rv cell_rm <"$cell_dir/right.end"
	if [ "$cell_l,$cell_r" = direct,direct ]; then
		echo "$cell_lv" >"$cell_dir/left.to"
		echo "$cell_rv" >"$cell_dir/right.to"
		cell_exchange "$1" "$2" 20
		if [ "$cell_heard" = both ]; then
			measured=direct method=$cell_lm
			[ "$cell_lm" = "$cell_rm" ] || method=$cell_lm,$cell_rm
		else
			reason=direct,but-heard-$cell_heard
		fi
		return
	fi
	# The one that gives up first is gone then, which is no reason.
	case $cell_l,$cell_lv in
	direct,* | ,* | *,gone) reason=$cell_rv ;;
	*) reason=$cell_lv ;;
	esac
	cell_exchange "$1" "$2" 3
	case $cell_heard in
	nobody) ;;
	both) measured=direct reason=$reason,but-heard-both ;;
	*) reason=$reason,but-heard-$cell_heard ;;
	esac
}

# Each daemon's port sends to where it knows the other. Sets cell_heard to who
# got it: left, right, both or nobody.
cell_exchange() { # LEFT-HOST RIGHT-HOST TIMES
	cell_n=$3 cell_heard=''
	while [ "$cell_n" -gt 0 ] && [ "$cell_heard" != both ]; do
		cell_n=$((cell_n - 1))
		cell_send left "$1"
		cell_send right "$2"
		sleep 0.05
		if cell_got left right; then
			cell_heard=left
			! cell_got right left || cell_heard=both
		else
			cell_heard=nobody
			! cell_got right left || cell_heard=right
		fi
	done
}

cell_got() { # SIDE FROM-SIDE
	grep -aqF "from $2, cell $cell_port" "$cell_dir/$1.heard"
}

# A second socket on the daemon's port: nothing is connected to it, and it is
# gone at once.
cell_send() { # SIDE HOST
	while read -r cell_to; do
		case $cell_to in
		\[*) cell_family=UDP6 ;;
		*) cell_family=UDP4 ;;
		esac
		echo "from $1, cell $cell_port" | cell_on "$2" socat -u - \
		    "$cell_family-SENDTO:$cell_to,bind=:$cell_port,reuseaddr" \
		    2>>"$cell_dir/$1.sent" || :
	done <"$cell_dir/$1.to"
}
