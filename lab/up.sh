# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# nat-lab up [-j] FILE [NAME] [-- prog args]: hold.sh in new namespaces holds a lab.
# shellcheck source=lab/topology.sh
. "$lab_dir/topology.sh"
# shellcheck source=lab/profile.sh
. "$lab_dir/profile.sh"

up_file() { # FILE: a path, or the name of one of ours
	file=$1 up_given=$1
	[ ! -f "$file" ] || return 0
	case $1 in
	*/*) ;;
	*) file=$lab_dir/${1%.lab}.lab ;;
	esac
	[ -f "$file" ] ||
		die 100 "there is no topology file $1, neither here nor in $lab_dir"
}

# All that can be wrong with a file is said before anything is made, the first
# line first.
up_plan() {
	code=0
	plan=$(topology_plan "$file") || code=100
	printf '%s\n' "$plan" | sed -n '/^bad /p; /^keys /p' |
		while read -r kind line rest; do
			# shellcheck disable=SC2086
			[ "$kind" = bad ] ||
				rest=$(pf_defaults && pf_set $rest 2>&1) || kind=bad
			[ "$kind" != bad ] || echo "$line ${rest#profile: }"
		done | sort -sn | {
		while read -r line rest; do
			tell fatal "$file:$line: $rest"
			code=100
		done
		[ "$code" = 0 ]
	} || exit 100
	plan=$(printf '%s\n' "$plan" | sed '/^keys /d')
}

up_usable() {
	for p in unshare nsenter setpriv ip nft conntrack sysctl flock; do
		command -v "$p" >/dev/null || die 100 "$p is not installed"
	done
	case $plan in
	*upnp=yes*)
		command -v miniupnpd >/dev/null ||
			die 100 "miniupnpd is not installed" ;;
	esac
	case "$plan" in *"
wire "*) (here=${here:-.} && find_program nat-link) || exit 127 ;; esac
	new='-mnp'
	[ "$(id -u)" = 0 ] || new='-Urmnp'
	unshare $new --fork --kill-child --mount-proc true ||
		die 100 "no new namespaces may be made here"
}

# Takes the name, by a folder whose lock we hold before anyone may look: a folder
# without is what is left of one that ended. A second program may run in the same
# topology.
up_name() {
	lab_names >/dev/null
	base=$1 tries=1
	exec 8>"$lab_states/.lock"
	flock 8
	until mkdir "$lab_states/$lab_name" 2>/dev/null; do
		[ -d "$lab_states/$lab_name" ] ||
			die 111 "nothing can be made in $lab_states"
		if [ -z "$loose" ] || [ $tries -ge 1000 ]; then
			die 100 \
			    "lab $lab_name is up: nat-lab up $up_given NAME makes one more"
		fi
		tries=$((tries + 1))
		lab_name=$base-$tries
	done
	lab_d=$lab_states/$lab_name
	exec 9>"$lab_d/lock"
	flock 9
	exec 8>&-
}

# Not so long that the record would be.
up_encode() {
	[ ${#1} -lt 130 ] || return 0
	case $1 in
	*[!A-Za-z0-9._:/@+=,-]*)
		printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' |
			sed 's/../%&/g' | tr a-f A-F ;;
	*) printf '%s' "$1" ;;
	esac
}

# The holder's descriptors: 3 is what we say to it, 4 what it says to us. When
# we end before the word to go, it reads the end, and ends.
up_hold() {
	if [ -n "$attached" ]; then
		# Signals that the shell ignores for jobs in the background.
		exec setpriv --pdeathsig KILL env --default-signal=INT,QUIT \
		    PATH="$lab_path" unshare $new --fork --kill-child \
		    --mount-proc sh "$lab_dir/hold.sh" "$@"
	fi
	exec setsid env PATH="$lab_path" unshare $new --fork --kill-child \
	    --mount-proc sh "$lab_dir/hold.sh" "$@"
}

# shellcheck disable=SC2317 # a trap calls it
up_end() {
	trap '' INT TERM HUP
	[ -z "$child" ] || kill -9 "$child" 2>/dev/null || :
	rm -rf "${lab_d:?}"
}

[ -z "$lab_inside" ] || die 100 \
    "this is in lab $lab_inside already: leave it first (exit)"
lab_options "$@"
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage "give a topology file"
up_file "$1"
shift
lab_name=${file##*/} lab_name=${lab_name%.lab} loose='' attached='' child=''
case ${1:---} in
--) ;;
*)
	lab_name=$1
	shift ;;
esac
lab_name_check "$lab_name"
if [ "${1:-}" = -- ]; then
	shift
	[ $# -gt 0 ] || usage "give a program after --"
	attached=1 loose=1
fi
[ $# = 0 ] || [ -n "$attached" ] || usage "$1: a program comes after --"
up_plan
up_usable
lab_states_begin
up_name "$lab_name"
trap up_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkfifo "$lab_d/go" "$lab_d/ready"
# Both ends of both, before there is anybody who could wait for one in vain.
# 5 is not ours: matrix hands its picture through.
exec 3<>"$lab_d/go"
exec 8>"$lab_d/go"
exec 3<"$lab_d/go"
exec 7<>"$lab_d/ready"
exec 4>"$lab_d/ready" 6<&0
exec 7<"$lab_d/ready"
if [ -n "$attached" ]; then
	up_hold "$lab_name" "$(up_encode "$(readlink -f -- "$file")")" "$@" \
	    <&6 6<&- 7<&- 8>&- &
else
	up_hold "$lab_name" "$(up_encode "$(readlink -f -- "$file")")" \
	    </dev/null >/dev/null 2>"$lab_d/log" 6<&- 7<&- 8>&- &
fi
child=$!
exec 3<&- 4>&- 6<&-
printf '%s\nbuild\n' "$plan" >&8
records=''
while read -r line <&7 && [ "$line" != ready ]; do
	records="$records$line
"
	line=''
done
if [ "${line:-}" != ready ]; then
	code=0
	wait "$child" || code=$?
	[ -n "$attached" ] || cat "$lab_d/log" >&2
	[ "$code" -ge 100 ] && [ "$code" -le 127 ] || code=111
	die "$code" "the lab could not be built"
fi
exec 7<&-
# The file has no newline at its end.
read -r lab_pid _ <"/proc/$child/task/$child/children" || :
is_number "$lab_pid" || die 111 "the lab has ended"
echo "$lab_pid $(lab_started "$lab_pid") $(readlink /proc/self/ns/pid)" \
	>"$lab_d/holder.new"
mv "$lab_d/holder.new" "$lab_d/holder"
rm -f "$lab_d/go" "$lab_d/ready"
if [ -z "$attached" ]; then
	trap - EXIT INT TERM HUP
	echo go >&8
	exec 8>&-
	# From here on it is up, whatever becomes of what is printed: whoever
	# reads may have read enough (SIGPIPE).
	code=0
	printf '%s' "$records" | lab_print || code=$?
	[ "$code" = 0 ] || [ "$code" = 141 ] ||
		die 111 "lab $lab_name is up, but its records can't be written"
	exit 0
fi
echo go >&8
exec 8>&-
code=0
wait "$child" || code=$?
child=''
exit "$code"
