# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# nat-lab matrix [-j] [-n CELLS] [-o FILE.svg] [PROFILE...]: every pair of
# profiles through the real pipeline, expected (matrix.expected) against
# measured.
#
# One lab holds two sites of each profile, left (l1, l2, ...) and right (r1,
# ...), and nat-rendezvousd on the public host. Cells that share no site run at
# once, each with a UDP port of its own, so that none finds another's mappings.
# This file runs twice: outside it makes the lab, and inside it measures.

matrix_profiles='none one-to-one ei-ei cgnat ad-ei apd-ei ei-ad parity outbound
    pool ei-apd home linux firewall home@cgnat ad-ad ad-apd apd-ad apd-apd
    sequential home@apd-apd udp-blocked'

# A line for each pair: I.J LEFT RIGHT EXPECTED RULE, I and J being the places
# of the two in the arguments; those that take longest are first.
matrix_pairs() {
	printf '%s\n' "$@" | awk -v expected="$lab_dir/matrix.expected" '
	BEGIN {
		while ((getline line <expected) > 0)
			if (line !~ /^(#|$)/) {
				split(line, f, " ")
				verdict[f[1], f[2]] = f[3] " " f[4]
				verdict[f[2], f[1]] = f[3] " " f[4]
			}
	}
	{ name[NR] = $1 }
	END {
		for (pass = 1; pass <= 2; pass++)
			for (i = 1; i <= NR; i++)
				for (j = i; j <= NR; j++) {
					v = verdict[name[i], name[j]]
					if (v == "") {
						print name[i], name[j]
						exit 1
					}
					if ((v ~ /^none/) == (pass == 1))
						print i "." j, name[i], name[j], v
				}
	}'
}

# Is it a profile, or a pair of them, that stands in matrix.expected?
matrix_known() { # PROFILE
	awk '!/^#/ { print $1; print $2 }' "$lab_dir/matrix.expected" |
		grep -qxF -e "$1"
}

matrix_site() { # HOST PROFILE
	case $2 in
	none) echo "router n$1 ipv6=no" ;;
	firewall) echo "firewall n$1 ipv6=no" ;;
	*@*)
		echo "nat o$1 profile=${2#*@}"
		echo "nat n$1 behind=o$1 profile=${2%@*}"
		;;
	*) echo "nat n$1 profile=$2" ;;
	esac
	echo "host $1 behind=n$1"
}

# Outside: the lab, and in it this verb again. The picture's file is opened
# here, because the lab has another /run.
matrix_outside() {
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $matrix_profiles
	[ $# -le 50 ] || usage "$# profiles are too many: 50 at most"
	m_all=$(printf '%s' "$matrix_profiles" | tr -s '\n ' ' ')
	for m_p; do
		matrix_known "$m_p" ||
			usage "$m_p is no profile (known: $m_all)"
	done
	m_p=$(matrix_pairs "$@" | sed -n 's/^\([a-z][^ ]*\) /\1 and /p')
	[ -z "$m_p" ] || die 100 \
	    "$lab_dir/matrix.expected doesn't say what to expect of $m_p"
	for m_p in socat ss setsid flock; do
		command -v "$m_p" >/dev/null || die 100 "$m_p is not installed"
	done
	[ -z "$picture" ] || { : >"$picture"; } 2>/dev/null ||
		die 100 "$picture can't be written"
	# shellcheck source=lab/scratch.sh
	. "$lab_dir/scratch.sh"
	lab_scratch_begin
	m_i=0
	for m_p; do
		m_i=$((m_i + 1))
		matrix_site "l$m_i" "$m_p"
		matrix_site "r$m_i" "$m_p"
	done >"$lab_scratch/matrix.lab"
	m_code=0
	# shellcheck disable=SC2086
	setpriv --pdeathsig TERM "$here/nat-lab" up "$lab_scratch/matrix.lab" -- \
	    "$here/nat-lab" matrix $json -n "$jobs" "$@" \
	    5>"${picture:-/dev/null}" || m_code=$?
	exit "$m_code"
}

# The server, on the public host; sets cell_servers.
matrix_server() {
	(umask 077 && head -c 32 /dev/urandom | base64 >"$dir/key")
	cell_servers=$("$nat_rendezvous" key -k "$dir/key")
	cell_servers=${cell_servers#key public=}@$NET_SERVER:3478
	mkfifo "$dir/ready"
	(lab_exec='exec' && lab_on pub "$nat_rendezvousd" -k "$dir/key" \
	    -b "$NET_SERVER" -N 6 6>"$dir/ready") 2>"$dir/server.log" &
	read -r _ <"$dir/ready" || {
		cat "$dir/server.log" >&2
		die 111 "nat-rendezvousd did not start"
	}
}

# Starts what can be started: cells whose two sites are free.
matrix_start() {
	m_later=''
	for m_pair in $pairs; do
		case "$running,$busy" in
		"$jobs",* | *" l${m_pair%.*} "* | *" r${m_pair#*.} "*)
			m_later="$m_later $m_pair"
			continue
			;;
		esac
		busy="${busy}l${m_pair%.*} r${m_pair#*.} "
		running=$((running + 1)) port=$((port + 1))
		matrix_cell "$port" &
	done
	pairs=$m_later
}

# In a process of its own, whose word comes to descriptor 3 in any case.
matrix_cell() { # PORT
	measured=none method='' time_ms='' reason=internal
	trap 'echo "$m_pair $measured ${method:--} ${time_ms:--} ${reason:--}" >&3' \
	    EXIT
	mkdir "$dir/$m_pair"
	cell_run "l${m_pair%.*}" "r${m_pair#*.}" "$1" "$dir/$m_pair"
}

matrix_ended() { # PAIR
	running=$((running - 1)) left=$((left - 1))
	for m_site in "l${1%.*}" "r${1#*.}"; do
		busy="${busy%% "$m_site" *} ${busy#* "$m_site" }"
	done
}

# matrix_report PAIR MEASURED METHOD TIME_MS REASON: the record.
matrix_report() {
	m_line=$(awk -v p="$1" '$1 "" == p ""' "$dir/cells")
	echo "$m_line $2 $3 $4 $5" >>"$dir/results"
	# shellcheck disable=SC2086
	set -- $m_line "$2" "$3" "$4" "$5"
	[ "$4" = "$6" ] || wrong=$((wrong + 1))
	m_line="cell left=$2 right=$3 expected=$4 measured=$6"
	[ "$7" = - ] || m_line="$m_line method=$7"
	[ "$8" = - ] || m_line="$m_line time_ms=$8"
	[ "$9" = - ] || m_line="$m_line reason=$9"
	m_line="$m_line rule=$5"
	printf '%s\n' "$m_line" | lab_print
	[ -z "$terminal" ] || matrix_progress
}

# The triangle so far, in the place of the one before.
matrix_progress() {
	[ "$terminal" = first ] || printf '\033[%dA' "$((names + 1))" >&2
	terminal=next
	awk 'NR == FNR { line[$1] = $0; next }
	    { print $1 in line ? line[$1] : $0 }' "$dir/results" "$dir/cells" |
		triangle_text colour >&2
}

matrix_inside() {
	for m_f in net cell triangle; do
		# shellcheck disable=SC1090
		. "$lab_dir/$m_f.sh"
	done
	[ -e "/run/netns/r$#" ] || die 100 \
	    "this is in lab $lab_inside, and a matrix has its own: leave this one first (exit)"
	find_program nat-connect && nat_connect=$found
	find_program nat-rendezvous && nat_rendezvous=$found
	find_program nat-rendezvousd && nat_rendezvousd=$found
	dir=/run/matrix TMPDIR=/run/matrix names=$#
	export TMPDIR
	mkdir "$dir"
	matrix_pairs "$@" >"$dir/cells"
	: >"$dir/results"
	pairs=$(sed 's/ .*//' "$dir/cells") left=$(wc -l <"$dir/cells")
	busy=' ' running=0 port=20000 wrong=0 cells=$left terminal=''
	[ ! -t 2 ] || [ -t 1 ] || terminal=first
	matrix_server
	mkfifo "$dir/ends"
	exec 3<>"$dir/ends"
	net_ms
	m_began=$net_ms
	while [ "$left" -gt 0 ]; do
		matrix_start
		read -r m_pair m_word <&3
		matrix_ended "$m_pair"
		# shellcheck disable=SC2086
		matrix_report "$m_pair" $m_word
	done
	net_ms
	triangle_svg <"$dir/results" >&5 || die 111 "the picture could not be written"
	echo "nat-lab: info: $cells cells in $(((net_ms - m_began) / 1000)) s," \
	    "$wrong of them not as expected" >&2
	[ "$wrong" = 0 ]
}

synopsis='nat-lab matrix [-hj] [-n cells] [-o file.svg] [profile ...]'
json='' picture='' jobs=8
options='  -h  print this
  -j  JSON Lines
  -n  how many cells may run at once (8)
  -o  a file for the picture (SVG)'
while getopts :hjn:o: m_opt; do
	case $m_opt in
	h) help ;;
	j) json=-j ;;
	n)
		jobs=$OPTARG
		is_number "$jobs" || usage "-n takes a number of cells"
		[ "$jobs" -gt 0 ] || usage "-n takes 1 or more"
		;;
	o)
		picture=$OPTARG
		case $picture in
		*.svg) ;;
		*) usage "-o $picture: must end in .svg" ;;
		esac
		;;
	:) usage "-$OPTARG needs an argument" ;;
	*) usage "-$OPTARG is no option of matrix: see nat-lab(1)" ;;
	esac
done
shift $((OPTIND - 1))
if [ -n "$lab_inside" ]; then
	matrix_inside "$@" || exit 1
	exit 0
fi
matrix_outside "$@"
