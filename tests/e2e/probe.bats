#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-probe over a loopback of its own; tests/lab/grade.bats has the NATs.

bats_require_minimum_version 1.5.0

setup() {
	export PATH=$PATH:/usr/sbin:/sbin
	probe=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)/nat-probe
}

# inside SCRIPT: in a network of its own, with a server at 10.0.0.9.
inside() {
	[ "$(id -u)" = 0 ] || skip "not root"
	unshare -n true 2>/dev/null || skip "no new namespaces here"
	# shellcheck disable=SC2016
	run --separate-stderr setpriv --pdeathsig KILL unshare -mnp --fork \
	    --kill-child --mount-proc timeout 30 sh -euc '
		ip link set lo up
		ip addr add 10.0.0.9/32 dev lo
		cd "$2"
		mkfifo ready
		"$1" -b 10.0.0.9 -N 5 5>ready &
		server=$!
		read -r _ <ready
		eval "$3"' - "$probe" "$BATS_TEST_TMPDIR" "$1"
	echo "$status: $output / $stderr"
}

@test "usage errors end with 100 and say what to do" {
	for words in '' 'big' 'nonsense 10.0.0.9' 'big ::1' 'big 10.0.0.x' \
	    '-w 3 silent 10.0.0.9' '-b ::1' '-b 10.0.0.9 big' '-z'; do
		# shellcheck disable=SC2086
		run --separate-stderr "$probe" $words
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ "$stderr" == *"usage: nat-probe "* ]]
	done
}

@test "nobody answers: no, and exit code 1" {
	# shellcheck disable=SC2016
	inside '"$1" big 10.0.0.9:7001'
	[ "$status" -eq 1 ]
	[ "$output" = 'probe question=big value=no sent=4' ]
}

@test "where no NAT is, what does not need one is answered with yes" {
	# shellcheck disable=SC2016
	inside '"$1" fragments 10.0.0.9; "$1" big 10.0.0.9
	    "$1" unreachable 10.0.0.9; "$1" -j -w 4 silent 10.0.0.9'
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == 'probe question=fragments value=yes sent='* ]]
	[[ "${lines[1]}" == 'probe question=big value=yes sent='* ]]
	[[ "${lines[2]}" == 'probe question=unreachable value=yes from=10.0.0.9 sent='* ]]
	[ "${lines[3]}" = '{"record":"probe","question":"silent","value":"yes","after_s":3,"sent":1}' ]
}

@test "a server that is sent anything goes on, without privileges" {
	# shellcheck disable=SC2016
	inside 'for n in 1 2 3 4 5 6 7 8; do
		head -c $((n * 200)) /dev/urandom |
		    socat -u - UDP:10.0.0.9:7000
	done
	for text in call "call -1" "call 99999999999999999999" "call x" count; do
		echo "$text" | socat -u - UDP:10.0.0.9:7000
	done
	"$1" big 10.0.0.9
	grep ^CapEff "/proc/$server/status"
	kill "$server"
	wait "$server"'
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == 'probe question=big value=yes sent='* ]]
	[ "${lines[1]}" = 'CapEff:	0000000000000000' ]
}
