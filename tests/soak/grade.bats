#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-lab grade: everything that can be broken, one at a time, and in time
# enough to tell.

bats_require_minimum_version 1.5.0

setup_file() {
	load ../lab/grade
	export PATH=$PATH:/usr/sbin:/sbin
	grade_cases "${LAB_JOBS:-6}" <<-'END'
	long 150 toy
	toy-l130 150 toy -l 130
	kernel-130 150 kernel udp_timeout_s=130 stream_timeout_s=130 filtering=endpoint-independent
	toy-m 26 toy -m
	toy-a 26 toy -a
	toy-o 26 toy -o
	toy-l9 26 toy -l 9
	toy-r 26 toy -r -l 9
	toy-f 26 toy -f
	toy-p 26 toy -p
	toy-s 26 toy -s
	toy-i 26 toy -i
	toy-u 26 toy -u
	toy-b 26 toy -b
	toy-e 26 toy -e
	toy-d 26 toy -d
	toy-g 26 toy -g
	ei-ei 26 kernel profile=ei-ei
	ei-ad 26 kernel profile=ei-ad
	ei-apd 26 kernel profile=ei-apd
	ad-ei 26 kernel profile=ad-ei
	apd-apd 26 kernel profile=apd-apd
	sequential 26 kernel profile=sequential
	random 26 kernel profile=ei-ad allocation=random
	parity 26 kernel profile=parity
	pool 26 kernel profile=pool
	linux 26 kernel profile=linux
	nohairpin 26 kernel profile=ei-ad hairpin=no
	internal 26 kernel profile=ei-ad hairpin=internal
	short 26 kernel profile=ei-ad udp_timeout_s=8 stream_timeout_s=8
	fragments 26 kernel profile=ei-ad fragments=no
	alg 26 kernel profile=ei-ad alg=rewrites
	END
}

setup() {
	load ../lab/grade
}

time='REQ-5 REQ-5c REQ-6 REQ-7'

@test "two minutes and more: REQ-5 and REQ-6 are told" {
	graded long 0 '' 'REQ-5c REQ-6 REQ-7'
	graded toy-l130 0 'REQ-5c' 'REQ-7'
	graded kernel-130 0 'REQ-5c' 'REQ-7'
}

@test "mapping, pooling, overloading, port ranges: 1, 2, 3, 3a" {
	graded toy-m 1 'REQ-1 REQ-3a' "$time"
	graded toy-b 0 'REQ-3a' "$time"
	graded toy-a 0 'REQ-2' "$time"
	graded toy-o 1 'REQ-3' "$time REQ-11"
}

@test "lifetime, refresh: 5, 6" {
	graded toy-l9 1 'REQ-5 REQ-5c' 'REQ-7'
	graded toy-r 1 'REQ-5 REQ-5c REQ-6' 'REQ-7'
	graded short 1 'REQ-5 REQ-5c' 'REQ-7'
}

@test "filtering, hairpin: 8, 9, 9a" {
	graded toy-f 0 'REQ-8' "$time"
	graded toy-p 1 'REQ-9' "$time REQ-9a"
	graded toy-s 1 'REQ-9a' "$time"
	graded nohairpin 1 'REQ-9' "$time REQ-9a"
	graded internal 1 'REQ-9a' "$time"
}

@test "ICMP and fragments: 12, 12a, 12b, 13, 14" {
	graded toy-i 1 'REQ-12' "$time"
	graded toy-u 1 'REQ-12' "$time"
	graded toy-e 0 'REQ-12a REQ-12b' "$time REQ-12"
	graded toy-d 1 'REQ-13' "$time"
	graded toy-g 1 'REQ-14' "$time"
	graded fragments 1 'REQ-14' "$time"
}

@test "kernel: mapping and filtering" {
	graded ei-ei 0 '' "$time"
	graded ei-ad 0 '' "$time"
	graded ei-apd 0 'REQ-8' "$time"
	graded ad-ei 1 'REQ-1 REQ-3a REQ-4' "$time"
	graded apd-apd 1 'REQ-1 REQ-3a REQ-4 REQ-8' "$time"
}

@test "kernel: ports, pools, payloads" {
	graded sequential 1 'REQ-1 REQ-3a REQ-4 REQ-8' "$time"
	graded random 0 'REQ-3a REQ-4' "$time"
	graded parity 0 'REQ-3a' "$time"
	graded pool 0 'REQ-2 REQ-3a REQ-4' "$time"
	graded linux 1 'REQ-3 REQ-8 REQ-9 REQ-11' "$time REQ-9a"
	# what it rewrites has a FINGERPRINT, which is wrong then
	graded alg 0 'REQ-10' \
	    'REQ-3 REQ-3a REQ-4 REQ-5 REQ-5c REQ-6 REQ-7 REQ-11'
}
