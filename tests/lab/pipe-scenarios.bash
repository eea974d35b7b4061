# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios of nat-pipe; read by scenarios.bash. All of one scenario goes
# between one pair of keys.

# shellcheck source=tests/lab/pipe-parts.bash
. "$here/pipe-parts.bash"

# Everything at once. all_of_it SCP_MIB SECONDS [most of the game that is lost]
all_of_it() {
	local lost
	: >going
	start_work session
	start_work game "$2"
	start_work http
	start_work scp "$1"
	start_work rsync 200
	start_work git
	start_work stdio 8
	start_work reverse 1000000
	start_work many 200 200000
	finish_work http many reverse stdio git rsync
	start_work iperf3 3 20
	finish_work iperf3 scp game
	rm going
	finish_work session
	lost=$(game_lost)
	[ "$lost" -le "${3:-0}" ] || fail "$lost of the game were lost"
	[ "$(grep -c end=complete known.hb)" = 200 ] || fail "not all 200 came"
	! grep -v end=complete known.hb known.ha || fail "not all came"
}

scenario_pipe_direct() {
	pipe_sites 1
	pipe_up
	within 20 both_paths direct || fail "not direct"
	all_of_it 64 15
	both_paths direct || fail "not direct any more"
}

scenario_pipe_relayed() {
	pipe_sites 1
	pipe_up -r
	all_of_it 64 15
	both_paths relayed || fail "not relayed any more"
}
