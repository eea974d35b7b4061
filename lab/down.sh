# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2016
# nat-lab down [NAME...]: pid 1 of the lab goes, and all else with it.

lab_down() {
	# Those that only look on end as they do by Ctrl-C.
	lab_in sh -c 'pkill -x "nat-watch|nat-capture" || exit 0
		n=0
		while [ $n -lt 500 ] && pgrep -x "nat-watch|nat-capture"; do
			n=$((n + 1))
			sleep 0.02
		done' >/dev/null 2>&1 || :
	tries=0
	while lab_up "$lab_name"; do
		[ $tries -gt 0 ] || kill -9 "$lab_pid"
		tries=$((tries + 1))
		[ $tries -lt 500 ] || die 111 "lab $lab_name does not end"
		sleep 0.02
	done
	rm -rf "${lab_states:?}/$lab_name"
}

[ -z "$lab_inside" ] || die 100 "this is in lab $lab_inside: leave it first (exit)"
if [ $# = 0 ]; then
	lab_find ''
	lab_down
	exit 0
fi
code=0
for lab_name; do
	(lab_find "$lab_name" && lab_down) || code=$?
done
exit "$code"
