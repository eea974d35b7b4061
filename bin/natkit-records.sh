# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# What the scripts share: parsing records (nat-records(5)), finding programs,
# and children whose end is an event and who never outlive the script.
# To be sourced, under set -efu.

prog=${0##*/}
verbosity=0

tell() { # LEVEL TEXT
	case $1 in
	info) [ "$verbosity" -ge 1 ] || return 0 ;;
	warning) [ "$verbosity" -ge 0 ] || return 0 ;;
	esac
	printf '%s: %s: %s\n' "$prog" "$1" "$2" >&2
}

die() { # CODE TEXT
	tell fatal "$2"
	exit "$1"
}

# Sets found to the program's path: next to the script (its real place), else
# in $NATKIT_BUILD, where make builds it, or in PATH.
find_program() {
	found=${here:-.}/$1
	[ ! -x "$found" ] || return 0
	found=${NATKIT_BUILD:+$NATKIT_BUILD/$1}
	[ -z "$found" ] || [ ! -x "$found" ] || return 0
	found=${here:-.}/../build/$1
	[ ! -x "$found" ] || return 0
	! found=$(command -v "$1") || return 0
	case $1 in
	nat-*) die 127 "$1 isn't there: run make, or set NATKIT_BUILD" ;;
	*) die 127 "the program $1 is not installed" ;;
	esac
}

# usage TEXT: wrong usage. The script's variable synopsis says the right one.
usage() {
	tell fatal "$1"
	printf 'usage: %s\n' "$synopsis" >&2
	exit 100
}

help() {
	printf 'usage: %s\n\n%s\n' "$synopsis" "$options"
	exit 0
}

# No option may follow the other arguments: they would be taken for more of
# them.
options_first() { # ARGUMENTS
	for r_field; do
		case $r_field in
		--) return 0 ;;
		-?*) usage "$r_field: options come before the $options_before" ;;
		esac
	done
}

# Sets server to KEY@host:port; without a port it is 3478, that of STUN.
server_parse() {
	server=$1
	case $server in
	*[!]A-Za-z0-9+/=@._:%[-]*) usage "-S is malformed: give KEY@host:port" ;;
	*@*@*) usage "server $server has two @: give KEY@host:port" ;;
	*@*) ;;
	*) usage "server $server has no @: give KEY@host:port" ;;
	esac
	r_rest=${server%%@*} r_host=${server#*@} r_port=3478
	[ ${#r_rest} = 44 ] ||
		usage "server $server: the key has ${#r_rest} characters, not 44"
	case $r_rest in
	*[!A-Za-z0-9+/=]* | *=?* | *[!=])
		usage "server $server: the key is no base64 of 32 bytes"
		;;
	esac
	case $r_host in
	'') usage "server $server has no host after the @" ;;
	\[*\]:*) r_port=${r_host##*]:} ;;
	\[*\]) server=$server:3478 ;;
	*[][]* | *:*:*) usage "server $server: an IPv6 address stands in [ ]" ;;
	:*) usage "server $server has no host after the @" ;;
	*:*) r_port=${r_host#*:} ;;
	*) server=$server:3478 ;;
	esac
	if ! is_number "$r_port" || [ "$r_port" -lt 1 ] ||
		[ "$r_port" -gt 65535 ]; then
		usage "server $server: the port is a number from 1 to 65535"
	fi
}

is_key() {
	case $1 in *[!A-Za-z0-9+/=]* | '') return 1 ;; esac
	[ ${#1} = 44 ]
}

is_number() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
	[ ${#1} -lt 10 ]
}

# Takes a line apart into R_TYPE and the values of the keys that scripts
# need; all others are skipped. Returns 1 for what is no record, or holds a
# value that is none of its kind.
record_parse() {
	R_TYPE='' R_KEY='' R_STATE='' R_ENDPOINT='' R_LOCAL='' R_RTT_US=''
	R_METHOD='' R_REASON='' R_NAME='' R_RUN='' R_CODE=''
	case $1 in
	'' | ' '* | *[!]A-Za-z0-9._:/@+=,%[\ -]*) return 1 ;;
	esac
	# shellcheck disable=SC2086
	set -- $1
	R_TYPE=$1
	shift
	for r_field; do
		case $r_field in
		key=*) R_KEY=${r_field#*=} ;;
		state=*) R_STATE=${r_field#*=} ;;
		endpoint=*) R_ENDPOINT=${r_field#*=} ;;
		local=*) R_LOCAL=${r_field#*=} ;;
		rtt_us=*) R_RTT_US=${r_field#*=} ;;
		method=*) R_METHOD=${r_field#*=} ;;
		reason=*) record_decode "${r_field#*=}" ;;
		name=*) R_NAME=${r_field#*=} ;;
		run=*) R_RUN=${r_field#*=} ;;
		code=*) R_CODE=${r_field#*=} ;;
		esac
	done
	[ -z "$R_KEY" ] || is_key "$R_KEY" || return 1
	[ -z "$R_CODE" ] || is_number "$R_CODE" || return 1
	[ -z "$R_RTT_US" ] || is_number "$R_RTT_US" || return 1
	case $R_ENDPOINT in *[!]0-9a-f.:[]*) return 1 ;; esac
}

# Sets R_REASON to the decoded value. Bytes that a terminal or a shell could
# take for more than text stay %XX.
record_decode() {
	R_REASON=''
	r_rest=$1
	while :; do
		case $r_rest in
		*%[2-7][0-9A-Fa-f]*) ;;
		*) break ;;
		esac
		R_REASON=$R_REASON${r_rest%%\%*}
		r_rest=${r_rest#*%}
		r_hex=${r_rest%"${r_rest#??}"}
		case $r_hex in
		7[Ff] | [!2-7]* | ?[!0-9A-Fa-f] | ? | '')
			R_REASON=$R_REASON%
			continue
			;;
		esac
		# shellcheck disable=SC2059
		R_REASON=$R_REASON$(printf "\\$(printf %o "0x$r_hex")")
		r_rest=${r_rest#??}
	done
	R_REASON=$R_REASON$r_rest
}

# The last state of each peer, in states: " KEY:STATE KEY:STATE ...".
states=''

state_set() { # KEY STATE [REASON]
	r_states=''
	for r_state in $states; do
		[ "${r_state%:*}" = "$1" ] || r_states="$r_states $r_state"
	done
	states="$r_states $1:$2"
	[ "$2" != waiting ] || states="$states${3:+-$3}"
}

# The end of -w: says what is missing, and ends.
not_done() { # SECONDS DONE-STATE [DONE-STATE]
	r_code=0
	for r_state in $states; do
		case ${r_state##*:} in
		"$2" | "${3:-$2}") continue ;;
		waiting) r_rest='waiting for it at the server' ;;
		waiting-absent) r_rest='it has not come to the server, or does not want our key' ;;
		waiting-no-server) r_rest='no rendezvous server answers here' ;;
		waiting-wrong-key) r_rest="the server's key seems not to be the one given with -S" ;;
		waiting-refused) r_rest='the rendezvous server refuses our key' ;;
		waiting-full) r_rest='the rendezvous server is full' ;;
		direct | relayed) r_rest="${r_state##*:}, but no handshake" ;;
		*) r_rest=${r_state##*:} ;;
		esac
		tell fatal "not done within $1 s: peer ${r_state%:*}: $r_rest"
		r_code=111
	done
	exit "$r_code"
}

# Children. Their records and their ends are lines in one fifo, fd 3, which
# the script reads: its event loop. Over fd 9 child_last learns who runs, from
# the children themselves. When nobody has it open any more, it ends who is left:
# after kill -9 all of them, else those that the script had no time to know.

children='' # "NAME PID NAME PID ...": the shells around the programs
children_first='' # those that are ended before the others
run=0	    # tells the events of this run from those of the one before

# What this script and its children say goes by way of child_log, which says
# nothing more once the end has begun: what a child says of the others' end is
# of no use then. The script may be ended anywhere in here; to open a fifo never
# waits: 9 (3) is both its ends at first.
children_begin() {
	dir='' log=''
	trap children_end EXIT
	trap 'exit 0' INT TERM HUP
	trap 'exit 111' PIPE # nobody reads what we print
	# Ctrl-C is for all; but who has made the folder must say its name.
	dir=$(trap '' INT TERM HUP && mktemp -d "${TMPDIR:-/tmp}/$prog.XXXXXX") ||
		exit 111
	mkfifo "$dir/life" "$dir/log" "$dir/events" "$dir/began"
	exec 9<>"$dir/life"
	exec 4<"$dir/life"
	exec 9>"$dir/life"
	child_last &
	exec 3<>"$dir/log"
	exec 4<"$dir/log"
	child_log >/dev/null &
	exec 2>"$dir/log"
	log=$!
	exec 3<>"$dir/events" 4<>"$dir/began"
}

# Of a child that is gone, the number may be somebody else's by now.
child_last() {
	trap '' INT TERM HUP
	exec 9>&-
	c_live=' ' c_end=''
	while read -r c_what c_pid <&4; do
		case "$c_what$c_live" in
		began*) c_live="$c_live$c_pid " ;;
		gone*" $c_pid "*)
			c_live="${c_live%% "$c_pid" *} ${c_live#* "$c_pid" }"
			;;
		end*) c_end=1 ;;
		esac
	done
	for c_pid in $c_live; do
		kill "$c_pid" 2>/dev/null || :
	done
	[ -z "$c_end" ] || return 0
	children_after
	rm -rf "$dir"
}

# Ends with the line "end DIR", and leaves somebody to read what still comes.
child_log() {
	trap '' INT TERM HUP
	exec 3>&- 9>&-
	while IFS= read -r c_line <&4; do
		case $c_line in
		*"end $dir") # after half a line of another's, perhaps
			cat <&4 >/dev/null 2>&1 &
			return 0
			;;
		esac
		printf '%s\n' "$c_line" >&2 || :
	done
}

# What a script still has to do when its children have been ended, however it
# ended itself.
children_after() {
	:
}

# child NAME IN OUT prog args: starts it, with standard input and output from
# and to those files; prog is a path, sleep, or a function. Its end is the event
# "stage name= run= code=". A session of its own keeps Ctrl-C away from it: only
# the script ends it, in its order.
# Returns when it can be ended: a signal for a shell that still has the traps
# of the one it comes from is lost.
child() {
	child_run "$@" &
	read -r _ <&4
	children="$children $1 $!"
}

child_run() {
	c_name=$1 c_in=$2 c_out=$3 c_end='' c_pid='' c_code=0
	shift 3
	trap '' HUP
	trap 'c_end=1; [ -z "$c_pid" ] || kill "$c_pid" 2>&- || :' TERM
	echo "began $(exec sh -c 'echo $PPID')" >&9
	child_become "$@" &
	c_pid=$!
	[ -z "$c_end" ] || kill "$c_pid" 2>/dev/null || :
	exec 4>&- 5>&- 9>&- # a redirection of the call would keep a copy
	wait "$c_pid" 2>/dev/null || c_code=$?
	[ -z "$c_end" ] || wait "$c_pid" 2>/dev/null || c_code=$?
	echo "stage name=$c_name run=$run code=$c_code" >&3
}

child_become() {
	trap - HUP
	echo >&4
	exec 3>&- 4>&- 5>&- 9>&- # they are closed only when this line is over
	exec <"$c_in" >"$c_out"
	case $1 in
	*/* | sleep) exec setsid "$@" ;;
	*) "$@" ;;
	esac
}

# children_stop [NAME...]: ends those, or all, at once; returns when they are
# gone.
children_stop() {
	c_only="$* " c_left='' c_gone=''
	# shellcheck disable=SC2086
	set -- $children
	while [ $# -gt 1 ]; do
		case " $c_only" in
		'  ' | *" $1 "*)
			kill "$2" 2>/dev/null || :
			c_gone="$c_gone $2"
			;;
		*) c_left="$c_left $1 $2" ;;
		esac
		shift 2
	done
	for c_pid in $c_gone; do
		wait "$c_pid" 2>/dev/null || :
		echo "gone $c_pid" >&9 || :
	done
	children=$c_left
}

children_end() {
	c_exit=$?
	trap '' INT TERM HUP PIPE
	trap - EXIT
	[ -n "$dir" ] || exit "$c_exit"
	if [ -n "$log" ]; then
		echo "end $dir" >&2 || :
		wait "$log" || :
	fi
	# shellcheck disable=SC2086
	[ -z "$children_first" ] || children_stop $children_first
	children_stop
	children_after
	rm -rf "$dir"
	echo end >&9 || :
	exit "$c_exit"
}
