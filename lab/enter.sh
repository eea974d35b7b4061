# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
#
# The labs that are up and ways into them, for the verbs of nat-lab; to be
# sourced after natkit-records.sh, under set -efu.
#
# A verb's file is sourced by bin/nat-lab with the verb's arguments as "$@",
# lab_dir (this folder) and here (the programs' folder). It may use
#
#	lab_find NAME		that lab; '' means the only one that is up
#	lab_find_box [NAME/]BOX	that box of it: sets lab_box, too
#	lab_boxes		its box records (nat-records(5))
#	lab_in prog args	run in the lab: /run/netns/BOX are its boxes, and
#				nsenter --net=/run/netns/BOX goes there
#	lab_on BOX prog args	run on a box
#	lab_print		records to standard output, as JSON with json=-j
#	lab_path		PATH with natkit's own programs in it, for these
#
# lab_in and lab_on give the program's exit code. With lab_exec=exec they become
# the program: as in (lab_exec=exec; lab_on ha prog) &, so that a signal for $!
# reaches it (as SIGTERM). All works inside the lab, too (below up -- prog).
#
# Outside a lab there is nothing but a folder in $lab_states with its holder
# (pid, start time and pid namespace of the process that is pid 1 in there) and
# a lock that is held as long as it lives. Namespaces, processes and files end
# with it, whatever happens to it.

# shellcheck source=lab/json.sh
. "$lab_dir/json.sh"
lab_name='' lab_pid='' lab_box='' lab_exec='' json=''

# Inside a lab?
if [ -n "${NATLAB:-}" ] && [ -f /run/lab/name ] &&
    [ "$(cat /run/lab/name)" = "$NATLAB" ]; then
	lab_name=$NATLAB
fi
lab_inside=$lab_name

lab_programs=$here
for lab_d in "${NATKIT_BUILD:-}" "$here/../build"; do
	[ -z "$lab_d" ] || [ ! -d "$lab_d" ] ||
		lab_programs=$lab_programs:$(cd "$lab_d" && pwd)
done
lab_path=$lab_programs:$PATH

# Ours, and nobody else can reach in there: a foreign folder could make us kill
# what it names.
lab_states_begin() {
	lab_states=/tmp/nat-lab-$(id -u)
	# After su it is still that of another user.
	[ "$(stat -Lc %u "${XDG_RUNTIME_DIR:-/nonesuch}" 2>/dev/null)" != \
	    "$(id -u)" ] || lab_states=$XDG_RUNTIME_DIR/nat-lab
	[ -d "$lab_states" ] || mkdir -m 700 "$lab_states" 2>/dev/null || :
	[ "$(stat -c %F:%u:%a "$lab_states" 2>/dev/null)" = \
	    "directory:$(id -u):700" ] ||
		die 100 "$lab_states is not a folder of ours with mode 700"
}

# lab_started PID: when it was, in ticks since boot; nothing if it has ended.
lab_started() {
	lab_s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	# shellcheck disable=SC2086 # fields 3 and on: the name may hold blanks
	set -- ${lab_s##*) }
	[ "$1" = Z ] || echo "${20}"
}

# Is that lab up, and can it be entered from here? Sets lab_pid. A pid that now
# belongs to another is no lab.
lab_up() { # NAME
	lab_pid='' lab_s=''
	[ -f "$lab_states/$1/holder" ] || return 1
	read -r lab_p lab_s lab_n <"$lab_states/$1/holder" || return 1
	is_number "$lab_p" && [ -n "$lab_s" ] || return 1
	[ "$lab_n" = "$(readlink /proc/self/ns/pid)" ] || return 1
	[ "$(lab_started "$lab_p")" = "$lab_s" ] || return 1
	lab_pid=$lab_p
}

# The names of the labs that are up. What is left of others goes: those whose
# lock nobody holds any more, be it in another pid namespace.
lab_names() {
	(
		flock 9
		find "$lab_states" -mindepth 1 -maxdepth 1 -type d | sort |
		while read -r lab_d; do
			if lab_up "${lab_d##*/}"; then
				echo "${lab_d##*/}"
			elif flock -n "$lab_d/lock" true; then
				rm -rf "$lab_d"
			fi
		done
	) 9>"$lab_states/.lock"
}

lab_name_check() {
	case $1 in
	'' | *[!a-zA-Z0-9._-]* | [!a-zA-Z0-9]* | ?????????????????????????????????*)
		usage "$1 is no name of a lab: letters, digits, - . _" ;;
	esac
}

lab_find() {
	if [ -n "$lab_inside" ]; then
		[ -z "$1" ] || [ "$1" = "$lab_inside" ] ||
			die 100 "this is in lab $lab_inside, not $1"
		return 0
	fi
	lab_states_begin
	if [ -n "$1" ]; then
		lab_name_check "$1"
		lab_name=$1
		lab_up "$1" || die 1 "no lab $1 is up: nat-lab list shows all"
		return 0
	fi
	# shellcheck disable=SC2046
	set -- $(lab_names)
	case $# in
	0) die 1 "no lab is up: nat-lab up home makes one" ;;
	1) lab_name=$1 ;;
	*) die 100 "several labs are up, say which: $*" ;;
	esac
	lab_up "$1" || die 1 "lab $1 has just ended"
}

lab_find_box() {
	case $1 in
	*/*) lab_find "${1%%/*}" ;;
	*) lab_find '' ;;
	esac
	lab_box=${1#*/}
	case $lab_box in
	'' | *[!a-z0-9-]*) usage "$1 is no box: give box or name/box" ;;
	esac
	lab_in test -e "/run/netns/$lab_box" || die 100 \
	    "lab $lab_name has no box $lab_box: nat-lab list shows them"
}

# nsenter forks to enter a pid namespace, so what it runs has to learn of its
# end in another way.
lab_in() {
	if [ -n "$lab_inside" ]; then
		${lab_exec:-} env PATH="$lab_path" "$@"
		return
	fi
	lab_user=''
	[ "$(id -u)" = 0 ] || lab_user='-U --preserve-credentials'
	# shellcheck disable=SC2086,SC2016
	${lab_exec:-} env PATH="$lab_path" NATLAB="$lab_name" nsenter -t "$lab_pid" $lab_user -m -p \
	    sh -c 'cd "$1" 2>/dev/null || cd /; shift
		exec setpriv --pdeathsig TERM "$@"' - "$(pwd)" "$@"
}

lab_on() {
	lab_b=$1
	shift
	lab_in nsenter --net="/run/netns/$lab_b" "$@"
}

# Each line by a write of its own, as records are.
lab_print() {
	if [ -n "${json:-}" ]; then
		json_records
	else
		cat
	fi | while read -r lab_line; do
		printf '%s\n' "$lab_line"
	done
}

# The options of a verb that has -h and -j alone: sets json, and OPTIND.
lab_options() {
	json=''
	while getopts :hj letter; do
		case $letter in
		h) help ;;
		j) json=-j ;;
		*) usage "-$OPTARG is no option of $verb" ;;
		esac
	done
}

lab_boxes() {
	lab_in cat /run/lab/boxes | lab_print
}
