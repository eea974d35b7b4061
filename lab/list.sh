# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# nat-lab list [-j] [NAME]
lab_options "$@"
shift $((OPTIND - 1))
lab_list() {
	lab_in cat /run/lab/lab /run/lab/boxes | lab_print
}

[ $# -le 1 ] || usage "give one name at most"
if [ -n "${1:-$lab_inside}" ]; then
	lab_find "${1:-}"
	lab_list
	exit 0
fi
lab_states_begin
labs=$(lab_names)
if [ -z "$labs" ]; then
	[ ! -t 2 ] || echo "nat-lab: info: no lab is up: nat-lab up home makes one" >&2
	exit 1
fi
for lab_name in $labs; do
	# It may end meanwhile.
	! lab_up "$lab_name" || lab_list
done
