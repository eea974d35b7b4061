# SPDX-License-Identifier: ISC
# What happens to a path that stands: losses, kills, changes, attacks.

setup_file() {
	load lab
	export LAB_TIMEOUT=320
	lab_start table_lost_outside table_lost_inside table_lost_a \
	    table_lost_b address_changes killed_stages \
	    killed_script vanished_interface port_changed capabilities \
	    forgeries
}

setup() {
	load lab
}

@test "a NAT loses its table, traffic from the inside: no break" {
	lab_result table_lost_inside
}

@test "a NAT loses its table, traffic from the outside first: back by itself" {
	lab_result table_lost_outside
}

@test "a NAT loses its table: back within 15 s" {
	lab_result table_lost_a
}

@test "the other NAT loses its table: back within 15 s" {
	lab_result table_lost_b
}

@test "the host's address changes: back within 5 s" {
	lab_result address_changes
}

@test "each stage killed -9: no packet lost, all comes back" {
	lab_result killed_stages
}

@test "nat-wg killed -9, or ended: nothing is left, the tunnel lives on" {
	lab_result killed_script
}

@test "the interface vanishes: a clear message, exit 111" {
	lab_result vanished_interface
}

@test "the listen port changes" {
	lab_result port_changed
}

@test "only the shells have capabilities; the rest has no_new_privs" {
	lab_result capabilities
}

@test "forged checks, forged session packets, rubbish: nothing moves" {
	lab_result forgeries
}
