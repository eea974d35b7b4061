# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
# nat-lab watch [-j] [[NAME/]BOX...]: all boxes of the lab unless some are named.
lab_options "$@"
shift $((OPTIND - 1))
watch_boxes=
for watch_box; do
	case $watch_box in
	-*) usage "$watch_box is no option of watch" ;;
	*/) lab_find "${watch_box%/}" ;;
	*)
		lab_find_box "$watch_box"
		watch_boxes="$watch_boxes $lab_box"
		;;
	esac
	[ "${watch_lab:=$lab_name}" = "$lab_name" ] ||
		usage "all boxes must be of one lab"
done
[ $# -gt 0 ] || lab_find ''
# shellcheck disable=SC2046
[ -n "$watch_boxes" ] || watch_boxes=$(lab_in ls /run/netns)
lab_exec='exec'
# shellcheck disable=SC2086
lab_in nat-watch $json -- $watch_boxes
