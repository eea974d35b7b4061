# SPDX-License-Identifier: ISC
# What takes longer than `make check` may: many runs, long sessions.

setup_file() {
	load ../lab/lab
	export LAB_TIMEOUT=1500
	LAB_JOBS=2 lab_start soak_runs soak_tables soak_server
}

setup() {
	load ../lab/lab
}

@test "100 runs: WireGuard handshakes every time" {
	lab_result soak_runs
}

@test "ten quiet minutes, a NAT loses its table every 30 s: it comes back" {
	lab_result soak_tables
}

@test "the server is killed every 20 s: no packet lost, introductions go on" {
	lab_result soak_server
}
