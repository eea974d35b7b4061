#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-stun behaviour behind real NATs of every kind, all at once: each axis is
# named as the NAT was made.

sites='ei-ei ei-ad ei-apd ad-ei ad-ad ad-apd apd-ei apd-ad apd-apd masquerade fragile toy-icmp
    linux sequential sequential-apd parity random pool internal internal-seen
    deaf fragments-in fragments-out alg none hosts firewall6 short short-outbound'

bats_require_minimum_version 1.5.0

setup_file() {
	load lab
	load behaviour
	lab_why=$(net_usable) || skip "$lab_why"
	mkdir "$BATS_FILE_TMPDIR/daemon"
	# shellcheck disable=SC2086
	timeout -k 1 180 $NET_UNSHARE bash \
	    "$BATS_TEST_DIRNAME/behaviour-daemon.bash" \
	    "$BATS_FILE_TMPDIR/daemon" >"$BATS_FILE_TMPDIR/daemon.log" 2>&1 \
	    </dev/null 3>&- &
	daemon=$!
	# shellcheck disable=SC2086
	timeout -k 1 180 $NET_UNSHARE bash "$BATS_TEST_DIRNAME/behaviour.bash" \
	    "$BATS_FILE_TMPDIR" 1 0 0 40 $sites \
	    >"$BATS_FILE_TMPDIR/log" 2>&1 </dev/null 3>&- ||
		cat "$BATS_FILE_TMPDIR/log" >&2
	wait $daemon || cat "$BATS_FILE_TMPDIR/daemon.log" >&2
}

setup() {
	load lab
	load behaviour
}

# right SITE...
right() {
	local site ok=0
	for site in "$@"; do
		behaviour_site "$site"
		behaviour_check "$BATS_FILE_TMPDIR/$site.1" || ok=1
		[ "$(cat "$BATS_FILE_TMPDIR/$site.1.code")" = 0 ] || ok=1
	done
	return $ok
}

@test "the check finds a wrong value, a missing one, and no verdict" {
	behaviour_site deaf
	f=$BATS_TEST_TMPDIR/f
	sed 's/axis=hairpin value=no/axis=hairpin value=external/' \
	    "$BATS_FILE_TMPDIR/deaf.1" >"$f"
	run -1 behaviour_check "$f"
	run -1 behaviour_check "$f" lossy
	[[ "${lines[0]}" == *"hairpin is no, measured: external" ]]
	grep -v axis=mapping "$BATS_FILE_TMPDIR/deaf.1" >"$f"
	run -1 behaviour_check "$f" lossy
	sed 's/axis=hairpin value=no/axis=hairpin value=inconclusive/' \
	    "$BATS_FILE_TMPDIR/deaf.1" >"$f"
	run -1 behaviour_check "$f"
	run -0 behaviour_check "$f" lossy
	grep -v verdict "$BATS_FILE_TMPDIR/deaf.1" >"$f"
	run -1 behaviour_check "$f" lossy
}

@test "mapping and filtering: all nine" {
	right ei-ei ei-ad ei-apd ad-ei ad-ad ad-apd apd-ei apd-ad apd-apd
}

@test "the kernel's masquerade, without an INPUT drop" {
	right masquerade linux
}

@test "allocation: sequential by 1 and by 2, parity, random" {
	right sequential sequential-apd parity random
}

@test "pooling: arbitrary" {
	right pool
}

@test "hairpin: internal (dropped by the host, or not), none" {
	right internal internal-seen deaf
}

@test "an ICMP error that ends a mapping" {
	right fragile toy-icmp
}

@test "fragments pass one way only" {
	right fragments-in fragments-out
}

@test "an ALG that rewrites addresses" {
	right alg
}

@test "no NAT, and a firewall of IPv6" {
	right none firewall6
}

@test "a filter between hosts, whatever their ports" {
	right hosts
}

@test "mappings of 12 s: kept by inbound packets, or not" {
	right short short-outbound
}

# daemon NAME: axis values of a run on the daemon's port
daemon() {
	sed -n 's/^nat axis=\([a-z_]*\) value=\([a-z-]*\).*/\1=\2/p' \
	    "$BATS_FILE_TMPDIR/daemon/$1"
}

@test "-s: the port of a running wireguard-go, twice in a row" {
	for n in 1 2; do
		cat "$BATS_FILE_TMPDIR/daemon/$n"
		[[ "$(daemon $n)" == *mapping=endpoint-independent* ]]
		[[ "$(daemon $n)" == \
		    *filtering=address-and-port-dependent* ]]
		grep -q 'axis=mapping .* base=192.168.1.2:51820 endpoints=198.51.100.2:51820,' \
		    "$BATS_FILE_TMPDIR/daemon/$n"
		[ "$(cat "$BATS_FILE_TMPDIR/daemon/$n.code")" = 0 ]
	done
}

@test "-s: with a port forward, filtering is not that of a fresh port" {
	cat "$BATS_FILE_TMPDIR/daemon/forward"
	grep -q 'axis=filtering value=inconclusive .*reason=port-open' \
	    "$BATS_FILE_TMPDIR/daemon/forward"
	[ "$(cat "$BATS_FILE_TMPDIR/daemon/forward.code")" = 1 ]
	grep -q 'port is forwarded, or .* measure again' \
	    "$BATS_FILE_TMPDIR/daemon/forward.err"
}

@test "-s: meanwhile the tunnel loses nothing" {
	tail -n 4 "$BATS_FILE_TMPDIR/daemon/ping"
	all_answered "$BATS_FILE_TMPDIR/daemon/ping" 200
}
