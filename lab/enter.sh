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
#	lab_path		PATH with natkit's own programs in it, for these
#
# lab_in and lab_on give the program's exit code. With lab_exec=exec they become
# the program: as in (lab_exec=exec; lab_on ha prog) &, so that a signal for $!
# reaches it (as SIGTERM). All works inside the lab, too (below up -- prog).
#
# Outside a lab there is nothing but a folder in $lab_states with its holder:
# pid and start time of the process that is pid 1 in there. Namespaces,
# processes and files end with it, whatever happens to it.

lab_name='' lab_pid='' lab_box='' lab_exec=''

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
	lab_states=${XDG_RUNTIME_DIR:-}
	if [ -n "$lab_states" ] && [ -d "$lab_states" ] && [ -w "$lab_states" ]
	then
		lab_states=$lab_states/nat-lab
	else
		lab_states=/tmp/nat-lab-$(id -u)
	fi
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

# Is that lab up? Sets lab_pid. A pid that now belongs to another is no lab.
lab_up() { # NAME
	lab_pid='' lab_s=''
	[ -f "$lab_states/$1/holder" ] || return 1
	read -r lab_p lab_s <"$lab_states/$1/holder" || return 1
	is_number "$lab_p" && [ -n "$lab_s" ] || return 1
	[ "$(lab_started "$lab_p")" = "$lab_s" ] || return 1
	lab_pid=$lab_p
}

# The names of the labs that are up. What is left of others goes; a folder in
# the making is known by its maker, who may still be at it.
lab_names() {
	find "$lab_states" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort |
	while read -r lab_n; do
		if lab_up "$lab_n"; then
			echo "$lab_n"
		else
			lab_stale "$lab_n"
		fi
	done
}

lab_stale() { # NAME
	lab_p='' lab_s=''
	[ ! -f "$lab_states/$1/maker" ] ||
		read -r lab_p lab_s <"$lab_states/$1/maker" || :
	if is_number "$lab_p" && [ "$(lab_started "$lab_p")" = "$lab_s" ]; then
		return 0
	fi
	# Neither maker nor holder yet: mkdir was a moment ago.
	[ -n "$lab_p" ] || [ -f "$lab_states/$1/holder" ] || [ -n "$(find "$lab_states/$1" -maxdepth 0 \
	    -mmin +1)" ] || return 0
	rm -rf "${lab_states:?}/$1"
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

lab_boxes() {
	lab_in sh -c 'cat /run/lab/boxes'
}
