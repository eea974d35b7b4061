# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2016
# nat-lab nat [NAME/]BOX flush | key=value...
[ $# -ge 2 ] || usage "give a box, and flush or key=value"
for word; do
	case $word in
	*[!A-Za-z0-9._:/@+=,-]*) usage "$word is no key=value of a profile" ;;
	esac
done
lab_find_box "$1"
shift
# One at a time: what a box does and what it is said to do are two files.
lab_in flock /run/lab/lock sh -euc '
	for f in net profile gate; do . "$1/$f.sh"; done
	shift
	pf_who="nat-lab: fatal"
	gate_change "$@"' - "$lab_dir" "$lab_box" "$@" || exit 100
