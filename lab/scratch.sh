# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# A folder for the topology file of a verb that makes a lab of its own, by the
# labs' own rules (enter.sh): who holds its lock is at work, and what nobody
# holds is cleared away by the next nat-lab. To be sourced.

# Sets lab_scratch. Descriptor 8 holds the lock; a trap removes the folder.
lab_scratch_begin() {
	lab_states_begin
	lab_scratch=$(mktemp -d "$lab_states/made.XXXXXX") || exit 111
	trap 'rm -rf "$lab_scratch"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# Named when it is locked: nobody ever sees it without a holder.
	exec 8>"$lab_scratch/new"
	flock 8
	mv "$lab_scratch/new" "$lab_scratch/lock"
}
