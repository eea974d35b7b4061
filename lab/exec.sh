# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
# nat-lab exec [NAME/]BOX prog args
[ $# -ge 2 ] || usage "give a box and a program"
lab_find_box "$1"
shift
lab_exec='exec'
lab_on "$lab_box" "$@"
