# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What the lab tests share. A .bats file calls lab_start with the names of
# scenarios (functions of scenarios.bash); each runs in a lab of its own,
# LAB_JOBS at once, for LAB_TIMEOUT seconds at most, and lab_result in a test shows how one ended.

lab_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab/net.sh
. "$lab_here/../../lab/net.sh"

# all_answered FILE [LEAST]: what ping -i has printed. What it had under way when
# it was ended it takes for lost, and we don't; but that is not much.
all_answered() {
	awk -v least="${2:-1}" '
		/ bytes from / { n++; sub(/.*icmp_seq=/, ""); last = $1 }
		/ packets transmitted/ { sent = $1 }
		END { exit n < least || n != last || sent - n > 20 }' "$1"
}

lab_start() {
	lab_why=$(net_usable) || {
		echo "$lab_why" >"$BATS_FILE_TMPDIR/skip"
		return 0
	}
	# shellcheck disable=SC2016
	printf '%s\n' "$@" |
		xargs -P "${LAB_JOBS:-3}" -I '{}' bash -c '
			timeout -k 1 ${LAB_TIMEOUT:-120} $4 bash "$1/scenarios.bash" "$2" \
			    >"$3/$2.log" 2>&1 </dev/null
			echo "$?" >"$3/$2.code"' \
			- "$lab_here" '{}' "$BATS_FILE_TMPDIR" \
			"$NET_UNSHARE" 3>&-
}

lab_result() {
	if [ -f "$BATS_FILE_TMPDIR/skip" ]; then
		skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	fi
	local code
	code=$(cat "$BATS_FILE_TMPDIR/$1.code")
	if [ "$code" != 0 ]; then
		echo "scenario $1 ended with $code"
		tail -n 90 "$BATS_FILE_TMPDIR/$1.log"
		return 1
	fi
	# The figures of the run are worth seeing: they become TAP comments.
	sed -n 's/^FIGURE /# /p' "$BATS_FILE_TMPDIR/$1.log" >&3
}
