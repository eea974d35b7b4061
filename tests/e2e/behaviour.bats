#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
# nat-stun behaviour on a host without a NAT: what good servers show, and what
# it does not believe bad ones.

bats_require_minimum_version 1.5.0

setup_file() {
	local p
	[ "$(id -u)" = 0 ] || skip "not root"
	for p in ip nft turnserver; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build} \
	    timeout 100 setpriv --pdeathsig KILL unshare -mnp --fork \
	    --kill-child --mount-proc bash \
	    "$BATS_TEST_DIRNAME/behaviour-net.bash" "$BATS_FILE_TMPDIR" \
	    >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

setup() {
	stun=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}/nat-stun
}

# ended NAME CODE: how that run ended, and shows it.
ended() {
	run=$BATS_FILE_TMPDIR/$1
	cat "$run.out" "$run.err"
	[ "$(cat "$run.code")" = "$2" ]
}

# says AXIS VALUE [REASON]
says() {
	grep -q "^nat axis=$1 value=$2 .*${3:+ reason=$3\\b}" "$run.out" || {
		echo "not $1=$2 $3"
		return 1
	}
}

@test "usage: no server, an option that is none, a mistake" {
	for args in '' '-S x' '-w 0 127.0.0.1' '127.0.0.1 127.0.0.2' \
	    '-s /nowhere -p 5 127.0.0.1'; do
		# shellcheck disable=SC2086
		run --separate-stderr "$stun" behaviour $args
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ "${stderr_lines[1]}" == "usage: nat-stun behaviour "* ]]
	done
}

@test "nobody answers: 111, and nothing on standard output" {
	ended silent 111
	[ ! -s "$run.out" ]
	grep -q 'no answer' "$run.err"
}

@test "TCP is answered, UDP is not: reaches none, 1" {
	ended tcp 1
	[ "$(cat "$run.out")" = "verdict reaches=none method=tcp reason=no-udp" ]
}

@test "a server without another address: two axes are inconclusive, 1" {
	ended one 1
	says mapping inconclusive server
	says filtering inconclusive server
	says translation none
	grep -q '^verdict reaches=unknown reason=filtering$' "$run.out"
	[ "$(wc -l <"$run.err")" -eq 1 ]
	grep -q 'no other address.*ask a server of RFC 5780' "$run.err"
}

@test "OTHER-ADDRESS with the same IP: named, and not used" {
	ended same-ip 1
	says mapping inconclusive same-ip
	says filtering inconclusive same-ip
	grep -q 'names its own address as OTHER-ADDRESS' "$run.err"
}

@test "OTHER-ADDRESS in one's own network is not asked" {
	ended stray 1
	says mapping inconclusive server
	says filtering inconclusive server
	grep -q 'names an OTHER-ADDRESS that is not asked: 192.168.1.1:53' \
	    "$run.err"
}

@test "answers from a third place are no filter" {
	ended foreign 1
	says mapping endpoint-independent
	says filtering inconclusive server
}

@test "a server that tells another endpoint each time is not believed" {
	ended fickle 0 # by its filtering
	for axis in mapping allocation pooling hairpin; do
		says $axis inconclusive unsteady
	done
}

@test "a server that tells two ports one endpoint is not believed" {
	ended constant 0 # by its filtering
	for axis in translation mapping allocation pooling hairpin; do
		says $axis inconclusive unsteady
	done
}

@test "a server that answers every second question makes no filter" {
	ended second 0
	says filtering endpoint-independent
}

@test "lifetime: a server that seldom answers RESPONSE-PORT ends no mapping" {
	ended lazy 1
	run -1 grep -c ' lifetime_s=' "$run.out"
	[ "$(grep -c '^lifetime kind=.* reason=time$' "$run.out")" -eq 2 ]
}

@test "ports in turn are not random: by hundreds, or with many others" {
	ended leaps 0
	says allocation contiguous
	grep -q 'axis=allocation .* step=100$' "$run.out"
	ended rising 0
	says allocation inconclusive disagree
	ended offset 0
	says allocation inconclusive disagree
}

@test "an address for each destination is a pool, and arbitrary" {
	ended paths 0
	says pooling arbitrary
	grep -q 'axis=pooling .*endpoints=203.0.113.1:[^ ]*,203.0.113.2:' \
	    "$run.out"
}

@test "a server that drops CHANGE-REQUEST does not make a filter of it" {
	ended deaf 1
	says mapping endpoint-independent
	says filtering inconclusive control
}

@test "a server that ignores CHANGE-REQUEST is no open filter" {
	ended ignore 1
	says filtering inconclusive server
}

@test "an other address that does not answer is no answer about mapping" {
	ended half 0
	says mapping inconclusive no-answer
}

@test "the other address was asked already, as one of the name's" {
	ended opened 1
	says filtering inconclusive opened
}

@test "RESPONSE-PORT is understood in 2 and in 4 bytes" {
	ended long 0
	says icmp inconclusive icmp
	ended right 0
	says icmp inconclusive icmp
}

@test "an answer that is not longer than its question (-A) has no PADDING" {
	ended modest 0
	says fragments_out yes
	says fragments_in inconclusive server
	says icmp inconclusive server
}

@test "forgeries of all kinds change nothing" {
	ended hostile 1
	[[ "$(cat "$run.out")" != *203.0.113* ]]
	says translation none
	says mapping inconclusive server
}

@test "little time: what was not measured is inconclusive, and it ends" {
	ended brief 0
	[ "$(grep -c '^nat axis=' "$run.out")" -eq 11 ]
	says allocation inconclusive time
	says refresh inconclusive time
	[ "$(tail -n 1 "$run.out" | cut -d ' ' -f 1)" = verdict ]
}

@test "a terminal, and records to a file: how far it is, erased at the end" {
	ended shown 0
	[[ "$(cat "$run.out")" == *" of 11 axes measured, "*" s so far"* ]]
	[ "$(tail -c 4 "$run.out" | od -An -tx1)" = " 0d 1b 5b 4b" ]
	[ "$(tail -n 1 "$run.records" | cut -d ' ' -f 1)" = verdict ]
	ended shown-q 0
	[ ! -s "$run.out" ]
}

@test "when the time is over nothing more is asked, and no endpoint made up" {
	ended hasty 0 # by its filtering
	says mapping inconclusive time
	[ "$(cat "$run.us")" -lt 12000000 ]
	! grep -q 'endpoints=-' "$run.out"
}

# open NAME: no NAT, no filter
open() {
	ended "$1" 0
	says translation none
	says mapping endpoint-independent
	says filtering endpoint-independent
	says allocation preserved
	says pooling paired
	says hairpin external
	says alg no
	says refresh inconclusive time
	[ "$(tail -n 1 "$run.out")" = \
	    "verdict reaches=any method=direct reason=no-nat" ]
}

@test "nat-stund with two addresses: all is open" {
	open good
	says fragments_out yes
	says fragments_in yes
}

@test "the same over IPv6" {
	open v6
	says fragments_out yes
	says fragments_in yes
	grep -q 'axis=mapping .* base=\[2001:db8::[12]\]:' "$run.out"
}

@test "coturn with two addresses: the same" {
	open coturn
	says fragments_out yes
}

@test "the port that nat-port lends" {
	ended lent 0
	says mapping endpoint-independent
	says filtering endpoint-independent
	port=$(sed -n 's/.*axis=mapping .* base=[^ ]*:\([0-9]*\) .*/\1/p' \
	    "$run.out")
	[ "$(grep -o "endpoints=[^ ]*" <<<"$(grep axis=mapping "$run.out")" |
	    tr , '\n' | grep -c ":$port\$")" -eq 6 ]
}

@test "-j: the same as JSON Lines" {
	ended json 0
	[ "$(grep -c '^{"record":"nat","axis":"' "$run.out")" -eq 11 ]
	grep -q '^{"record":"verdict","reaches":"any"' "$run.out"
}

@test "no more than 10 questions a second" {
	grep -q fast "$BATS_FILE_TMPDIR/busy.fault" # two clients: the check works
	for mode in deaf ignore half long right second lazy; do
		run -1 grep -c fast "$BATS_FILE_TMPDIR/$mode.fault"
	done
}

@test "at least 4 sends before silence means anything" {
	ended deaf 1
	sent=$(sed -n 's/.*axis=filtering .* sent=\([0-9]*\) .*/\1/p' "$run.out")
	[ "$sent" -ge 16 ]
}
