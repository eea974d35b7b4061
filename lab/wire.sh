# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# nat-lab wire [NAME/]BOX [key=value...]: what nat-link's control socket takes
[ $# -ge 1 ] || usage "give a box that has a wire"
lab_find_box "$1"
shift
lab_in test -S "/run/lab/wire.$lab_box" ||
	die 100 \
	    "$lab_box has no wire in lab $lab_name: add a line to its topology file: wire $lab_box"
answer=$(if [ $# -gt 0 ]; then
	echo "set $*"
else
	echo show
fi | lab_in socat -t 5 - "UNIX-CONNECT:/run/lab/wire.$lab_box") ||
	die 111 "nat-link does not answer"
printf '%s\n' "$answer" | sed '/^end /d'
case $answer in
*'end status=ok') ;;
*)
	record_decode "${answer##*reason=}"
	die 100 "nat-link refuses: $R_REASON" ;;
esac
