# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
# nat-lab grade [-jqv] [-w seconds] -- prog args: grading.sh in new namespaces
synopsis='nat-lab grade [-hjqv] [-w seconds] -- prog [arg...]'
options='  -j    records as JSON Lines
  -w s  take so long at most for what needs long (150): REQ-5 is decided
        after 2 minutes, REQ-5c after 5, REQ-6 after the time that a mapping
        lives
  -q    say less on standard error, and keep to itself what prog says there
  -v    say more, as at a terminal'
grade_w=150 json=''
while getopts :hjqvw: letter; do
	case $letter in
	h) help ;;
	j) json=-j ;;
	q) verbosity=-1 ;;
	v) verbosity=1 ;;
	w)
		if ! is_number "$OPTARG" || [ "$OPTARG" -lt 10 ] ||
			[ "$OPTARG" -gt 500 ]; then
			usage "-w $OPTARG: give a number from 10 to 500"
		fi
		grade_w=$OPTARG ;;
	:) usage "-$OPTARG needs a value" ;;
	*) usage "-$OPTARG is no option here" ;;
	esac
done
shift $((OPTIND - 1))
[ ! -t 2 ] || [ "$verbosity" != 0 ] || verbosity=1
[ $# -gt 0 ] || usage "give the NAT program after --"
[ -z "$lab_inside" ] || die 100 \
    "this is in lab $lab_inside already: leave it first (exit)"
for p in unshare nsenter setpriv ip nft sysctl ethtool; do
	command -v "$p" >/dev/null || die 100 "$p is not installed"
done
for p in nat-stun nat-stund nat-probe; do
	find_program $p
done
new='-mnp'
[ "$(id -u)" = 0 ] || new='-Urmnp'
# shellcheck disable=SC2086
unshare $new --fork --kill-child --mount-proc true ||
	die 100 "no new namespaces may be made here"
# unshare ignores what ends others; with it all ends that is in there.
# shellcheck disable=SC2317 # a trap calls it
grade_end() { # CODE
	trap '' INT TERM HUP
	kill -9 "$child" 2>/dev/null || :
	exit "$1"
}
# shellcheck disable=SC2086
setpriv --pdeathsig KILL env PATH="$lab_path" unshare $new --fork \
    --kill-child --mount-proc sh "$lab_dir/grading.sh" "$verbosity" "$grade_w" \
    "$json" "$@" &
child=$!
trap 'grade_end 130' INT
trap 'grade_end 143' TERM HUP
code=0
wait "$child" || code=$?
exit "$code"
