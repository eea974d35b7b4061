#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun pair: two saved results in, which way connects them out.

bats_require_minimum_version 1.5.0

setup() {
	stun=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}/nat-stun
	cd "$BATS_TEST_TMPDIR" || return
	side port 198.51.100.1 endpoint-independent address-and-port-dependent
	side sym 203.0.113.1 address-and-port-dependent \
	    address-and-port-dependent
	side open 192.0.2.9 address-and-port-dependent endpoint-independent
}

side() { # FILE ADDRESS MAPPING FILTERING
	cat >"$1" <<-END
	nat axis=translation value=nat confidence=99 sent=4 answered=4 runs=2
	nat axis=mapping value=$3 confidence=98 sent=12 answered=12 runs=2 base=192.168.1.2:4000 endpoints=$2:4000,$2:4001
	nat axis=filtering value=$4 confidence=97 sent=12 answered=4 runs=2
	nat axis=alg value=no confidence=99 sent=2 answered=2 runs=2
	verdict reaches=unknown reason=test
	END
}

pair() { # CODE args...
	local code=$1
	shift
	run --separate-stderr "$stun" pair "$@"
	echo "code $status: $output; $stderr"
	[ "$status" -eq "$code" ]
}

@test "what is no result is refused, in one line" {
	pair 100
	pair 100 port
	pair 100 port sym open
	pair 100 - -
	pair 100 -p 1 port sym
	pair 100 port nonesuch
	pair 100 port .
	: >empty
	pair 100 port empty
	[[ "$stderr" == *"empty: no nat or verdict record"*"behaviour"* ]]
	[ -z "$output" ]
	head -c 3000000 /dev/zero >zeros
	pair 100 port zeros
	[ "${#stderr_lines[@]}" -le 2 ]
}

@test "two that don't fit: no, and a relay is what is left" {
	pair 1 port sym
	[[ "$output" == "pair direct=no method=relay confidence="*" reason="* ]]
	[[ "$output" == *"B%27s%20NAT%20uses%20another%20port%20towards%20A"* ]]
	pair 1 sym sym
}

@test "two that fit: yes, by which way, and how sure that is" {
	side port2 198.51.100.2 endpoint-independent address-and-port-dependent
	pair 0 port port2
	[[ "$output" == "pair direct=yes method=punch confidence=96 reason="* ]]
	pair 0 sym open
	[[ "$output" == "pair direct=yes method=direct "* ]]
	pair 0 -j sym open
	[[ "$output" == '{"record":"pair","direct":"yes","method":"direct","confidence":'* ]]
}

@test "behind one NAT: only what is inside can tell" {
	pair 1 port port
	[[ "$output" == "pair direct=unknown method=host reason="*"same%20public%20address"* ]]
}

@test "on a terminal: the reason as a sentence, too" {
	local args
	for args in '' -q; do
		run -1 script -qec "'$stun' pair $args port sym >record" \
		    /dev/null </dev/null
		echo "$args: $output"
		[ "$(wc -l <record)" -eq 1 ]
		[ -n "$args" ] ||
		    [[ "$output" == "nat-stun: info: B's NAT uses another port towards A "* ]]
	done
	[ -z "$output" ]
	pair 1 port sym
	[ -z "$stderr" ]
}

@test "an axis that nobody could measure makes it unknown" {
	sed 's/axis=filtering value=[a-z-]*/axis=filtering value=inconclusive/' \
	    port >unsure
	pair 1 unsure sym
	[[ "$output" == "pair direct=unknown reason="*"A%27s%20filtering"* ]]
	pair 0 unsure open
}

@test "standard input, and lines that are none" {
	{ echo 'nat axis=mapping value=sideways'; echo '%%%'; cat port; } >dirty
	pair 1 - sym <dirty
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ "${stderr_lines[1]}" == *"standard input: line 2 skipped"* ]]
	pair 1 -q sym - <dirty
	[ -z "$stderr" ]
}

@test "no endless input is read for ever" {
	pair 100 port - < <(yes 'nat axis=alg value=no')
	[[ "$stderr" == *"too long"* ]]
}

@test "a line that contradicts an earlier one is told, and counts" {
	cat port sym >both
	pair 1 both sym
	[[ "$stderr" == *"both: line 7 contradicts an earlier one"* ]]
	cat port port >twice
	pair 0 twice open
	[ -z "$stderr" ]
}
