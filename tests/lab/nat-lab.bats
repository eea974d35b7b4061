# SPDX-License-Identifier: ISC
# nat-lab: labs come, change, and leave nothing; what they are made of does
# what the topology file says. Each test in a namespace of its own.

bats_require_minimum_version 1.5.0

setup() {
	load lab
	build=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
}

scenario() {
	local why code=0
	why=$(net_usable) || skip "$why"
	# shellcheck disable=SC2086
	timeout -k 1 60 $NET_UNSHARE bash "$BATS_TEST_DIRNAME/nat-lab.bash" \
		"$1" "$(cd "$BATS_TEST_DIRNAME/../../bin" && pwd)" "$build" \
		"$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- || code=$?
	why=$(sed -n 's/^SKIP //p' "$BATS_TEST_TMPDIR/log")
	[ -z "$why" ] || skip "$why"
	[ "$code" = 0 ] || {
		echo "ended with $code"
		tail -n 40 "$BATS_TEST_TMPDIR/log"
		return 1
	}
}

@test "what is wrong in a topology file is said, with its line, and nothing made" {
	scenario topology_errors
}

@test "-h says how each verb is used, and nat-lab what there is" {
	local lab verb all
	lab=$BATS_TEST_DIRNAME/../../bin/nat-lab
	export NATKIT_BUILD=$build
	run --separate-stderr -0 "$lab" -h
	all=$output
	run --separate-stderr -100 "$lab"
	[ -z "$output" ]
	local usage=$stderr
	for verb in up down list exec nat wire watch capture ladder matrix \
	    grade exercise; do
		[[ "$usage" == *"nat-lab $verb "* ]]
		[[ "$all" == *"nat-lab $verb "*"  $verb "* ]]
		run --separate-stderr -0 "$lab" "$verb" -h
		[[ "$output" == "usage: nat-"*"$verb "*$'\n'* ]]
		[ -z "$stderr" ]
	done
}

@test "what is no ASCII is as nat-records(5) has it in JSON, too" {
	# shellcheck disable=SC2016
	run bash -c '. "$1"; json_records' - \
		"$BATS_TEST_DIRNAME/../../lab/json.sh" \
		<<<'lab boxes=3 name=007 none= path=%22%5C%C3%A9%F0%9F%98%80%FF%C3x%0A'
	[ "$output" = '{"record":"lab","boxes":3,"name":"007","path":"\"\\\u00e9\ud83d\ude00\ufffd\ufffdx\u000a"}' ]
}

@test "up, list, exec, down" {
	scenario life
}

@test "up, and nobody reads: the lab is up" {
	scenario unread
}

@test "several labs at once, of one topology as well" {
	scenario several
}

@test "a lab lives as long as its program" {
	scenario attached
}

@test "Ctrl-C ends all" {
	scenario ctrl_c
}

@test "kill -9 of any part leaves nothing" {
	scenario killed
}

@test "a NAT changes, and forgets, while it runs" {
	scenario change
}

@test "while a NAT changes, nothing passes" {
	scenario between
}

@test "a wire loses everything, and nothing" {
	scenario wires
}

@test "an ordinary user has labs, too" {
	scenario rootless
}

@test "UPnP opens a port that was shut, and shuts it" {
	scenario upnp
}

@test "1:1: each host has an address, and is reached by it" {
	scenario one_to_one
}

@test "two hosts on one LAN: own endpoints, and hairpin" {
	scenario neighbours
}

@test "IPv6: the stateful firewall lets in what was asked for" {
	scenario six
}

@test "UDP blocked, TCP 443 open" {
	scenario blocked
}
