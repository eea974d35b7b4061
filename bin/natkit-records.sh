# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034
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

# Sets found to the program's path: next to the script, else in
# $NATKIT_BUILD, else in PATH.
find_program() {
	case $0 in
	*/*) found=${0%/*}/$1 ;;
	*) found=./$1 ;;
	esac
	[ ! -x "$found" ] || return 0
	found=${NATKIT_BUILD:+$NATKIT_BUILD/$1}
	[ -z "$found" ] || [ ! -x "$found" ] || return 0
	found=$(command -v "$1") || die 127 "the program $1 is not installed"
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

# Children. Their records and their ends are lines in one fifo, fd 3, which
# the script reads: its event loop. Over fd 9 child_last learns who runs; a
# script that dies by kill -9 closes it, and child_last cleans up after it.

children='' # "NAME PID NAME PID ...": the shells around the programs
children_first='' # those that are ended before the others
run=0	    # tells the events of this run from those of the one before

children_begin() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/$prog.XXXXXX") || exit 111
	mkfifo "$dir/events" "$dir/life"
	child_last &
	trap children_end EXIT
	trap 'exit 0' INT TERM HUP
	trap 'exit 111' PIPE # nobody reads what we print
	exec 3<>"$dir/events" 9>"$dir/life"
}

# Of a child that is gone, the number may be somebody else's by now.
child_last() {
	trap '' INT TERM HUP
	c_live=' '
	while read -r c_what c_pid; do
		case $c_what in
		began) c_live="$c_live$c_pid " ;;
		gone) c_live="${c_live%% "$c_pid" *} ${c_live#* "$c_pid" }" ;;
		end) return 0 ;;
		esac
	done <"$dir/life"
	for c_pid in $c_live; do
		kill "$c_pid" 2>/dev/null || :
	done
	children_after
	rm -rf "$dir"
}

# What a script still has to do when its children have been ended, however it
# ended itself.
children_after() {
	:
}

# child NAME IN OUT prog args: starts it, with standard input and output from
# and to those files. Its end is the event "stage name= run= code=".
child() {
	child_run "$@" &
	children="$children $1 $!"
	echo "began $!" >&9
}

child_run() {
	c_name=$1 c_in=$2 c_out=$3 c_end='' c_pid='' c_code=0
	shift 3
	exec 9>&- # a redirection of the call would keep a copy
	trap 'c_end=1; [ -z "$c_pid" ] || kill "$c_pid" 2>&- || :' TERM
	"$@" <"$c_in" >"$c_out" 3>&- &
	c_pid=$!
	[ -z "$c_end" ] || kill "$c_pid" 2>/dev/null || :
	wait "$c_pid" 2>/dev/null || c_code=$?
	[ -z "$c_end" ] || wait "$c_pid" 2>/dev/null || c_code=$?
	c_pid=''
	echo "stage name=$c_name run=$run code=$c_code" >&3
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
	# shellcheck disable=SC2086
	[ -z "$children_first" ] || children_stop $children_first
	children_stop
	children_after
	rm -rf "$dir"
	echo end >&9 || :
	exit "$c_exit"
}
