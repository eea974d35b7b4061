#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The EXAMPLES of the man pages, run as they stand there: every block after a
# comment line `.\" test: NAME`, in a network namespace in which the example
# host names are a real nat-rendezvousd, with a new folder as the current one.

bats_require_minimum_version 1.5.0

setup_file() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for a network namespace'
	fi
	build=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	cd "$BATS_TEST_DIRNAME"
	unshare -mnp --fork --kill-child --mount-proc \
		sh examples.sh "$build" "$BATS_FILE_TMPDIR" \
		>"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

# Every example of a page has ended with 0, and there was at least one.
page() {
	local example n=0
	for example in "$BATS_FILE_TMPDIR/$1".*/code; do
		n=$((n + 1))
		if [ "$(cat "$example")" != 0 ]; then
			cat "${example%code}script" "${example%code}output"
			return 1
		fi
	done
	[ "$n" -gt 0 ]
}

# printed PAGE.EXAMPLE PATTERN: its output has a line that matches
printed() {
	grep -E "$2" "$BATS_FILE_TMPDIR/$1/output" || {
		cat "$BATS_FILE_TMPDIR/$1/output"
		return 1
	}
}

@test "a failing example is seen as one" {
	[ "$(cat "$BATS_FILE_TMPDIR/control/code")" = 3 ]
	run ! page nonesuch.1
}

@test "nat-stun(1)" {
	page nat-stun.1
	printed nat-stun.1.mapped '^mapped endpoint=198\.51\.100\.1:'
	printed nat-stun.1.script '^198\.51\.100\.1:[0-9]+$'
	printed nat-stun.1.json '^\{"record":"mapped",'
	printed nat-stun.1.behaviour '^verdict reaches=any method=direct'
	printed nat-stun.1.gather '^candidates generation=1 count='
	printed nat-stun.1.check '^stun endpoint=198\.51\.100\.1:3478 .*reply=right'
	printed nat-stun.1.check '^stun\.example\.net: 111$'
	printed nat-stun.1.pair '^pair direct=yes method=punch confidence=97 '
	printed nat-stun.1.lent '^candidate type=host endpoint=198\.51\.100\.1:40001'
}

@test "nat-port(8)" {
	page nat-port.8
	printed nat-port.8.daemon '^mapped endpoint=198\.51\.100\.1:51820'
	printed nat-port.8.own '^port port=51820 path='
}

@test "nat-rendezvous(1)" {
	page nat-rendezvous.1
}

@test "nat-rendezvousd(8)" {
	page nat-rendezvousd.8
}

@test "nat-stund(8)" {
	page nat-stund.8
	printed nat-stund.8.two '^mapped endpoint=127\.0\.0\.1:'
	printed nat-stund.8.two '^NAT with Endpoint Independent Mapping'
	printed nat-stund.8.twin '^NAT with Endpoint Independent Filtering'
	printed nat-stund.8.control '^stats name=answered value=1$'
	printed nat-stund.8.listen '^mapped endpoint='
}

@test "nat-punch(1)" {
	page nat-punch.1
}

@test "nat-connect(1)" {
	page nat-connect.1
	printed nat-connect.1.key '^key public='
	printed nat-connect.1.both '^direct 198\.51\.100\.1:27015$'
}

@test "nat-records(5)" {
	page nat-records.5
	printed nat-records.5.fields '^192\.0\.2\.7:51820$'
}

@test "nat-link(1)" {
	page nat-link.1
	printed nat-link.1.wire '^3 packets transmitted, 3 received'
	printed nat-link.1.wire '^link from=to-left to=to-right delay_ms=20 jitter_ms=0 loss=50 '
	printed nat-link.1.wire '^traffic from=to-left to=to-right frames=[0-9]+ '
}

@test "nat-lab(1)" {
	page nat-lab.1
	printed nat-lab.1.home '^box lab=home name=na kind=nat addresses=198\.51'
	printed nat-lab.1.home ' 0% packet loss'
	printed nat-lab.1.own '^mapped endpoint=198\.51\.100\.2:5000 '
	printed nat-lab.1.own '^mapped endpoint=198\.51\.100\.2:40000 '
	printed nat-lab.1.matrix '^cell left=cgnat right=linux expected=direct measured=direct '
	printed nat-lab.1.upnp ':4000 UDP is redirected to internal'
}

@test "nat-relayd(8)" {
	page nat-relayd.8
	printed nat-relayd.8.turn ' tot_send_msgs=20, tot_recv_msgs=20'
	printed nat-relayd.8.tls 'subject=CN *= *relay.example.org'
	printed nat-relayd.8.control '^stats name=pairs value=0$'
	printed nat-relayd.8.control '^natkit_relay_pairs_max 1024$'
}

@test "nat-relay(1)" {
	page nat-relay.1
	printed nat-relay.1.turn '^allocation .* relayed=127\.0\.0\.1:.* state=up '
	printed nat-relay.1.turn '^allocation .* state=down '
	printed nat-relay.1.pair '^candidate type=relay .* state=bound$'
}

@test "nat-probe(1)" {
	page nat-probe.1
	printed nat-probe.1.loopback '^probe question=fragments value=yes '
	printed nat-probe.1.loopback '^probe question=silent value=yes after_s=3 '
}

@test "nat-watch(1), nat-capture(1), nat-ladder(1)" {
	page nat-watch.1
	printed nat-watch.1.drop '^drop box=na .* reason=no-mapping rule=ip/nat/in/'
	printed nat-watch.1.drop 'drop comment "drop no-mapping" # handle'
	page nat-capture.1
	printed nat-capture.1.ping 'na: 198\.51\.100\.2:[0-9]+ > 192\.0\.2\.1:'
	page nat-ladder.1
	printed nat-ladder.1.early 'nb takes it itself: filtering$'
}

@test "nat-pipe(1)" {
	page nat-pipe.1
	printed nat-pipe.1.key '^key public='
	printed nat-pipe.1.serve '^by QUIC, (direct|relayed)$'
	printed nat-pipe.1.serve '^the other port: 1$'
	printed nat-pipe.1.serve '^tunnel key=.* name=right path=.* state=up '
	printed nat-pipe.1.routes '^route .* forward=-L%208080:.* state=listening '
}
