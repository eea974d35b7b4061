# SPDX-License-Identifier: ISC
# Every kind of path, through the same candidates.

setup_file() {
	load lab
	export LAB_TIMEOUT=200
	lab_start input_drop same_lan one_public ipv6 double_nat hairpin \
	    fwmark late_punch three_peers loss blocked tried_before fresh_handshake \
	    oneshot daemon_and_hook
}

setup() {
	load lab
}

@test "NATs with a WAN input drop" {
	lab_result input_drop
}

@test "same LAN behind one NAT: by the LAN" {
	lab_result same_lan
}

@test "one side public" {
	lab_result one_public
}

@test "IPv6, a stateful firewall on both sides" {
	lab_result ipv6
}

@test "double NAT on one side" {
	lab_result double_nat
}

@test "same NAT, segments apart: by hairpin" {
	lab_result hairpin
}

@test "a fwmark with policy routing" {
	lab_result fwmark
}

@test "nat-punch runs a second late: connected all the same" {
	lab_result late_punch
}

@test "three peers at once" {
	lab_result three_peers
}

@test "30 % loss on the path to the server" {
	lab_result loss
}

@test "a host firewall that drops WireGuard only: blocked, exit 1" {
	lab_result blocked
}

@test "WireGuard had just tried: no wait; psk, keepalive, allowed IPs survive" {
	lab_result tried_before
}

@test "a young session at an endpoint of its own is left there as long as it lives" {
	lab_result fresh_handshake
}

@test "-1 ends with 0 when connected" {
	lab_result oneshot
}

@test "nat-connect with a plain UDP daemon and a hook" {
	lab_result daemon_and_hook
}
