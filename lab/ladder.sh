# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# nat-lab ladder ...: what nat-ladder(1) takes
PATH=$lab_path exec nat-ladder "$@"
