# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# nat-lab exercise N [-- prog args]: the lab of exercise N of
# nat-lab-exercises(7), with its servers running, and a shell in it. Like any
# shell it takes commands from a pipe as well. This file runs twice: outside it
# makes the lab, and inside it starts the servers.

exercise_topology() { # N
	case $1 in
	1) echo 'nat na profile=ei-apd'
	   echo 'host ha behind=na'
	   echo 'host hb behind=na' ;;
	2) echo 'nat na profile=ei-apd'
	   echo 'host ha behind=na' ;;
	3) echo 'nat na profile=linux'
	   echo 'nat nb profile=linux'
	   echo 'host ha behind=na'
	   echo 'host hb behind=nb' ;;
	4) echo 'nat na profile=ei-ei udp_timeout_s=6 stream_timeout_s=12'
	   echo 'host ha behind=na' ;;
	5) echo 'nat na profile=ei-apd'
	   echo 'nat nb profile=apd-apd'
	   echo 'host ha behind=na'
	   echo 'host hb behind=nb' ;;
	6) echo 'nat na profile=apd-apd'
	   echo 'nat nb profile=apd-apd'
	   echo 'host ha behind=na'
	   echo 'host hb behind=nb' ;;
	esac
}

exercise_title() { # N
	case $1 in
	1) echo 'What is a mapping?' ;;
	2) echo 'Cone names, and why not to use them' ;;
	3) echo 'Why early packets poison' ;;
	4) echo 'Lifetimes and keepalives' ;;
	5) echo 'Birthdays and port prediction' ;;
	6) echo 'When only a relay is left' ;;
	esac
}

# The time-outs of exercise 4 are for the class to find.
exercise_say() { # N
	cat <<-N
	Exercise $1: $(exercise_title "$1")

	$(exercise_topology "$1" | sed -e 's/ [a-z_]*_s=[0-9]*//g' -e 's/^/    /')
	    public pub: 192.0.2.1 and 192.0.2.2, where nat-stund runs (port 3478)
	    and nat-rendezvousd (port 3480; \$SERVER is its key and address)

	What to do stands in nat-lab-exercises(7). Commands run on a box by
	nat-lab exec BOX prog args...; nat-lab list shows the boxes. The lab
	ends with this shell.

	N
}

exercise_outside() { # N [-- prog args]
	exercise_n=$1
	shift
	[ "${1:-}" != -- ] || shift
	# shellcheck source=lab/scratch.sh
	. "$lab_dir/scratch.sh"
	lab_scratch_begin
	trap : INT # the shell in there has it
	exercise_topology "$exercise_n" >"$lab_scratch/exercise.lab"
	exercise_say "$exercise_n" >&2
	exercise_code=0
	setpriv --pdeathsig TERM \
	    "$here/nat-lab" up "$lab_scratch/exercise.lab" -- \
	    "$here/nat-lab" exercise "$exercise_n" "$@" || exercise_code=$?
	exit "$exercise_code"
}

# exercise_start PROG ARGS: on the public host, until it is ready.
exercise_start() {
	exercise_log=/run/lab/$1.log
	mkfifo "/run/lab/$1.ready"
	(lab_exec='exec' && lab_on pub "$@" -N 6 6>"/run/lab/$1.ready" \
	    >"$exercise_log" 2>&1 </dev/null) &
	read -r _ <"/run/lab/$1.ready" || {
		cat "$exercise_log" >&2
		die 111 "$1 did not start"
	}
}

exercise_inside() { # N [prog args]
	shift
	(umask 077 && head -c 32 /dev/urandom | base64 >/run/lab/server.key)
	find_program nat-rendezvous
	SERVER=$("$found" key -k /run/lab/server.key)
	SERVER=${SERVER#key public=}@192.0.2.1:3480
	exercise_start nat-stund -b 192.0.2.1 -b 192.0.2.2
	exercise_start nat-rendezvousd -k /run/lab/server.key \
	    -b 192.0.2.1 -p 3480
	mkdir /run/exercise
	PATH=$lab_path
	export PATH SERVER
	# A program has files where it was called.
	if [ $# = 0 ]; then
		cd /run/exercise || exit 111
		set -- "${SHELL:-sh}"
	fi
	exec "$@"
}

synopsis='nat-lab exercise 1|2|3|4|5|6 [-- prog [arg...]]'
case ${1:-} in
[1-6]) ;;
-h)
	options='What each is about stands in nat-lab-exercises(7).'
	help
	;;
*) usage "say which exercise: 1 to 6" ;;
esac
if [ -z "$lab_inside" ]; then
	exercise_outside "$@"
fi
case $lab_inside in
exercise | exercise-[0-9]*) [ -e /run/exercise ] || exercise_inside "$@" ;;
esac
die 100 "this is in lab $lab_inside already: leave it first (exit)"
