# SPDX-License-Identifier: ISC
# What natkit is for: WireGuard behind two plain masquerades, every time.

setup_file() {
	load lab
	LAB_JOBS=1 lab_start naive naive_with_drop twenty
}

setup() {
	load lab
}

@test "negative control: a naive punch fails 10 times of 10" {
	lab_result naive
}

@test "the control of the control: with a WAN input drop it works 10 times" {
	lab_result naive_with_drop
}

@test "20 runs: WireGuard handshakes every time, median at most 1.5 s" {
	lab_result twenty
}
