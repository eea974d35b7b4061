# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# A folder for the topology file of a verb that makes a lab of its own, by the
# labs' own rules (enter.sh): who holds its lock is at work, and what nobody
# holds is cleared away by the next nat-lab. To be sourced.

# Sets lab_scratch. Descriptor 8 holds the lock; a trap removes the folder.
lab_scratch_begin() {
	lab_states_begin
	exec 9>"$lab_states/.lock"
	flock 9
	lab_scratch=$(mktemp -d "$lab_states/made.XXXXXX") || exit 111
	exec 8>"$lab_scratch/lock"
	flock 8
	exec 9>&-
	trap 'rm -rf "$lab_scratch"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}
