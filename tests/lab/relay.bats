#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The relay: every pair of sites talks, at once, and those that can be direct
# are; nothing that is killed or lost costs more than it must.

bats_require_minimum_version 1.5.0

setup_file() {
	load lab
	lab_why=$(net_usable) || skip "$lab_why"
	mkdir "$BATS_FILE_TMPDIR/grid"
	# shellcheck disable=SC2086
	timeout -k 1 200 $NET_UNSHARE bash \
	    "$BATS_TEST_DIRNAME/relay-grid.bash" "$BATS_FILE_TMPDIR/grid" \
	    >"$BATS_FILE_TMPDIR/grid.log" 2>&1 </dev/null 3>&- &
	grid=$!
	LAB_JOBS=2 lab_start relay_moves relay_killed relay_rendezvous_killed \
	    relay_only relay_other_mapping relay_no_tunnel_in_tunnel \
	    relay_direct_is_blocked
	wait $grid || cat "$BATS_FILE_TMPDIR/grid.log" >&2
}

setup() {
	load lab
	cells=$BATS_FILE_TMPDIR/grid/cells
}

# cells_where CONDITION: of awk; prints them.
cells_where() {
	awk "{ left = \$1; right = \$2; expected = \$3; measured = \$4
		first = \$5; direct = \$6; relayed = \$7; through = \$8 }
		$1" "$cells"
}

@test "the grid: each of 28 pairs exchanges WireGuard traffic, direct where that is possible" {
	[ "$(wc -l <"$cells")" = 28 ]
	run -0 cells_where 'measured != expected'
	[ "$output" = "" ]
}

@test "the grid: the first packet within 1.5 s of the later start, in the median" {
	cells_where 'first != "-" { print first }' | sort -n >"$BATS_TEST_TMPDIR/ms"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ms")" = 28 ]
	median=$(sed -n 14p "$BATS_TEST_TMPDIR/ms")
	echo "# first packet: median $median ms, worst $(tail -n 1 "$BATS_TEST_TMPDIR/ms") ms" >&3
	[ "$median" -le 1500 ]
}

@test "the grid: what can be direct is direct within 5 s" {
	run -0 cells_where 'expected == "direct" && (direct == "-" || direct > 5000)'
	[ "$output" = "" ]
}

@test "the grid: the relay's counters and a capture say the same of each pair" {
	run -0 cells_where 'expected == "direct" && (relayed >= 20 || through != 0)'
	[ "$output" = "" ]
	run -0 cells_where 'expected == "relayed" && relayed < 20'
	[ "$output" = "" ]
	# a pair of which both have UDP is seen four times: in and out, to and fro
	run -0 cells_where 'expected == "relayed" && left != "udp-blocked" &&
	    right != "udp-blocked" && through != 80'
	[ "$output" = "" ]
}

@test "200 packets a second while the path goes relay, direct, relay, direct" {
	lab_result relay_moves
}

@test "the relay is killed: its pairs are on the second one within 3 s" {
	lab_result relay_killed
}

@test "the rendezvous is killed: nothing that is connected notices" {
	lab_result relay_rendezvous_killed
}

@test "nat-wg -r stays relayed where it could be direct, -d never uses the relay" {
	lab_result relay_only
}

@test "a NAT with another mapping for the server than for all others: direct, as the relay sees it" {
	lab_result relay_other_mapping
}

@test "what is reached through the tunnel is no way to put the tunnel on" {
	lab_result relay_no_tunnel_in_tunnel
}

@test "a direct way that drops WireGuard's packets: back to the relay, and never said to be direct" {
	lab_result relay_direct_is_blocked
}
