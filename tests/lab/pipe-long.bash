# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
#
# The scenarios of nat-pipe that take longer (tests/soak/pipe.bats); read by
# pipe-scenarios.bash.

scenario_pipe_direct_long() {
	scenario_pipe_direct 1024 60
}

scenario_pipe_relayed_long() {
	scenario_pipe_relayed 1024 60
}

scenario_pipe_lossy_long() {
	scenario_pipe_lossy 32
}

scenario_pipe_lossy_relayed() {
	scenario_pipe_lossy 8 -r
}

scenario_pipe_killed_often() {
	scenario_pipe_killed 5
}

# Nothing goes to and fro for three minutes; then what is typed is answered at
# once, and by the same connection.
scenario_pipe_idle() {
	local in out at said
	pipe_sites 1
	pipe_up
	within 20 both_paths direct || fail "not direct"
	coproc S { an_ssh hb 'while read -r l; do echo "$l"; done'; }
	in=${S[0]} out=${S[1]}
	echo first >&"$out"
	read -r -t 20 said <&"$in"
	sleep 180 # this silence is what is tested
	net_ms
	at=$net_ms
	echo second >&"$out"
	read -r -t 5 said <&"$in" || fail "no answer"
	[ "$said" = second ] || fail "another answer"
	echo "FIGURE $scenario: 180 s without a byte, then answered in $(spent "$at") ms"
	both_paths direct || fail "not direct any more: $(paths)"
	[ "$(control_of ha stats |
		sed -n 's/^stats name=connections value=//p')" = 1 ] ||
		fail "it was connected anew"
}

# The path is lost ten times, in each of the ways, under streams.
scenario_pipe_disturbed_often() {
	local i at=2
	begin_disturbed 1 direct 120
	for i in $(seq 10); do
		case $((i % 3)) in
		0) disturbed "round $i, the NAT of ha flushed" 2400 net_flush na ;;
		1) disturbed "round $i, the NAT of hb flushed" 2400 net_flush nb ;;
		2)
			disturbed "round $i, another address of ha" 5000 \
			    net_readdress ha "192.168.1.$at" \
			    "192.168.1.$((79 - at))" 192.168.1.1
			at=$((79 - at))
			;;
		esac
		sleep 3
	done
	finish_flow
	finish_work game
}
