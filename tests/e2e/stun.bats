#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# nat-stun and its gather, against coturn and against liars.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	stun=$NATKIT_BUILD/nat-stun
}

# scenario NAME: runs it in a network of its own.
scenario() {
	local unshare=(unshare -mnp --fork --kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip nft nsenter conntrack turnserver turnutils_stunclient; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run --separate-stderr timeout 60 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/stun-net.bash" "$@"
	echo "exit code $status; stdout:"
	echo "$output"
	echo "stderr:"
	echo "$stderr"
}

usage() {
	run --separate-stderr "$stun" "$@"
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "${stderr_lines[0]}" == "nat-stun: "*": "* ]]
	[[ "${stderr_lines[1]}" == "usage: nat-stun "* ]]
}

@test "usage errors end with 100 and say what to do" {
	usage
	usage one two
	usage -z server
	usage -w
	usage -w 0 server
	usage -w 1x server
	usage -p 65536 server
	usage -p -1 server
	usage -s path -p 1 server
	usage 'a server'
	usage server:0
	usage '[::1'
	usage -S server
	usage -j gather -S server
	usage gather
	usage gather server
	usage gather -t 0 -S server
	usage -j gather
	usage gather -S ''
	[[ "${stderr_lines[0]}" == *"host:port"* ]]
	# shellcheck disable=SC2046
	run "$stun" gather $(printf -- '-S 127.0.0.%d ' {1..17})
	[ "$status" -eq 100 ]
}

@test "a command that is none: its name, and those that are" {
	for args in 'behavior 127.0.0.1' 'behavior -w 1 x y'; do
		# shellcheck disable=SC2086
		usage $args
		[[ "${stderr_lines[0]}" == *"no such command: behavior"*"behaviour, check, gather, lifetime, pair" ]]
	done
	usage -j lifetime 127.0.0.1
	[[ "${stderr_lines[0]}" == *"the options of lifetime come after it" ]]
}

@test "-h prints the usage on stdout" {
	run --separate-stderr "$stun" -h
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: nat-stun ["* ]]
	[ -z "$stderr" ]
	for command in behaviour check gather lifetime pair; do
		[[ "$output" == *$'\n'"  $command "* ]]
	done
	run --separate-stderr "$stun" gather -h
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: nat-stun gather ["* ]]
}

@test "no port socket at -s: one line, 111" {
	run --separate-stderr "$stun" -s "$BATS_TEST_TMPDIR/none" 127.0.0.1
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ "$stderr" == *"nat-port"* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

# failed CODE PATTERN: empty stdout, one line of the reason.
failed() {
	[ "$status" -eq "$1" ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ "$stderr" == *$2* ]]
}

@test "no answer: 111, and says time-out" {
	scenario timeout_silent
	failed 111 time-out
}

@test "no route: 111 at once, and says unreachable" {
	scenario unreachable
	failed 111 "can't send to 192.0.2.1:3478"
}

@test "no name server: 111, and says so" {
	scenario no_dns
	failed 111 "name servers"
}

@test "no such name: 111, and says so" {
	scenario no_such_name
	failed 111 "no such name"
}

@test "a name of the DNS: IPv6 first, -4, and gather asks both" {
	scenario dns_both
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "mapped endpoint=[::1]:4444 "* ]]
	[[ "${lines[1]}" == "mapped endpoint=127.0.0.1:4444 "* ]]
	[[ "$output" == *"candidate type=srflx endpoint=127.0.0.1:4444 "* ]]
	[[ "$output" == *"candidate type=srflx endpoint=[::1]:4444 "* ]]
	[ "${lines[4]}" = "candidates generation=1 count=2" ]
}

@test "gather -f: a name that could not be looked up is tried again" {
	scenario dns_late
	[ "$status" -eq 0 ]
}

@test "an address of the other family: 111" {
	scenario wrong_family
	failed 111 family
}

@test "mapped, IPv4" {
	scenario mapped_v4
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^mapped\ endpoint=127.0.0.1:4444\ local=127.0.0.1:4444\ server=127.0.0.1:3478\ rtt_us=[0-9]+$ ]]
	[ -z "$stderr" ]
}

@test "mapped, IPv6" {
	scenario mapped_v6
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^mapped\ endpoint=\[::1\]:4444\ local=\[::1\]:4444\ server=\[::1\]:3478\ rtt_us=[0-9]+$ ]]
}

@test "mapped, by a name of /etc/hosts" {
	scenario mapped_name
	[ "$status" -eq 0 ]
	[[ "$output" == "mapped endpoint=127.0.0.1:4444 "* ]]
}

@test "-j gives the same as JSON" {
	scenario mapped_json
	[ "$status" -eq 0 ]
	[[ "$output" =~ \"endpoint\":\"127.0.0.1:4444\",\"local\":\"127.0.0.1:4444\",\"server\":\"127.0.0.1:3478\",\"rtt_us\":[0-9]+\}$ ]]
	[ "${#lines[@]}" -eq 1 ]
}

@test "behind a NAT it sees what coturn's own client sees" {
	scenario cross_check
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "mapped endpoint=198.51.100.2:"*" local=192.168.1.2:"* ]]
	[[ "${lines[1]}" == "client 198.51.100.2:"* ]]
}

@test "forged and malformed answers are ignored, the right one is taken" {
	scenario forged
	[ "$status" -eq 0 ]
	[[ "$output" == "mapped endpoint=127.0.0.1:4444 "* ]]
	[ "${#lines[@]}" -eq 1 ]
}

@test "nothing but forgeries is a time-out" {
	scenario forged_only
	failed 111 time-out
}

@test "an error response: 1, with its number" {
	scenario refused
	failed 1 "error 500"
}

@test "through nat-port: the lent port is what is seen" {
	scenario lent_port
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "mapped endpoint=127.0.0.1:4444 local=127.0.0.1:4444 "* ]]
	[[ "${lines[1]}" == "candidate type=srflx endpoint=127.0.0.1:4444 base=127.0.0.1:4444 "* ]]
	[ "${lines[2]}" = "candidates generation=1 count=1" ]
}

@test "gather: a dead server costs a warning" {
	scenario some_dead
	[ "$status" -eq 0 ]
	[[ "$stderr" == "nat-stun: warning: server 127.0.0.1:9 skipped: no answer" ]]
	[[ "${lines[0]}" == "candidate type=srflx endpoint=127.0.0.1:4444 "*" server=127.0.0.1:3478" ]]
	[ "${lines[1]}" = "candidates generation=1 count=1" ]
	[ "${#lines[@]}" -eq 2 ]
}

@test "gather: nothing to offer is 1, with empty stdout" {
	scenario all_dead
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ "$stderr" == *"no candidates"* ]]
	[[ "$stderr" == *"server [2001:db8::1]:1 skipped: can't be reached"* ]]
}

@test "gather: one address under three names is asked once" {
	scenario asked_once
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ "$output" != *"nat axis=mapping"* ]]
}

@test "gather: a lying server adds no candidate" {
	scenario gather_forged
	[ "$status" -eq 0 ]
	[[ "$output" != *203.0.113.66* ]]
	[ "${lines[1]}" = "candidates generation=1 count=1" ]
}

@test "gather: host candidates, IPv6 first, no down or deprecated ones" {
	scenario hosts
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "candidate type=host endpoint=[2001:db8::5]:5000 base=[2001:db8::5]:5000 priority=2130706431" ]
	[ "${lines[1]}" = "candidate type=host endpoint=10.0.0.1:5000 base=10.0.0.1:5000 priority=2122317823" ]
	[ "${lines[2]}" = "candidate type=host endpoint=10.0.0.2:5000 base=10.0.0.2:5000 priority=2122317567" ]
	[ "${lines[3]}" = "candidate type=host endpoint=172.16.0.1:5000 base=172.16.0.1:5000 priority=2122317311" ]
	[ "${lines[4]}" = "candidates generation=1 count=4" ]
}

@test "gather -x leaves an interface's addresses out" {
	scenario hosts_excluded
	[ "$status" -eq 0 ]
	[[ "$output" != *172.16* ]]
	[ "${lines[3]}" = "candidates generation=1 count=3" ]
}

@test "gather -x leaves out what was seen through that interface, too" {
	scenario hosts_excluded_base
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "candidate type=host endpoint=172.16.0.1:5000 "* ]]
	[ "${lines[1]}" = "candidates generation=1 count=1" ]
}

@test "gather -6 leaves IPv4 out" {
	scenario hosts_v6
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "candidate type=host endpoint=[2001:db8::5]:5000 "* ]]
	[ "${lines[1]}" = "candidates generation=1 count=1" ]
	[[ "$stderr" == *"server 10.0.0.9 skipped"* ]]
}

@test "gather: plain masquerade maps endpoint-independently" {
	scenario nat
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "candidate type=host endpoint=192.168.1.2:5000 "* ]]
	[[ "${lines[1]}" == "candidate type=srflx endpoint=198.51.100.2:5000 base=192.168.1.2:5000 priority="*" server=192.0.2.1:3478" ]]
	[ "${lines[2]}" = "nat axis=mapping value=endpoint-independent base=192.168.1.2:5000 endpoints=198.51.100.2:5000,198.51.100.2:5000 servers=192.0.2.1:3478,192.0.2.2:3478" ]
	[ "${lines[3]}" = "candidates generation=1 count=2" ]
}

@test "gather: a random masquerade maps endpoint-dependently" {
	scenario nat_random
	[ "$status" -eq 0 ]
	[[ "${lines[3]}" == "nat axis=mapping value=endpoint-dependent base=192.168.1.2:5000 endpoints=198.51.100.2:"*",198.51.100.2:"*" servers=192.0.2.1:3478,192.0.2.2:3478" ]]
	[ "${lines[4]}" = "candidates generation=1 count=3" ]
}

@test "gather -f: an address comes and goes, one generation each" {
	scenario follow_address
	[ "$status" -eq 0 ]
}

@test "gather -f: no generation when nothing changed" {
	scenario follow_nothing
	[ "$status" -eq 0 ]
}

@test "gather -f: an excluded interface changes nothing" {
	scenario follow_excluded
	[ "$status" -eq 0 ]
}

@test "gather -f: a keepalive sees a new mapping, one generation" {
	scenario follow_mapping
	[ "$status" -eq 0 ]
}

@test "gather -f: a server that dies is named, its candidate goes and comes back" {
	scenario follow_dead_server
	[ "$status" -eq 0 ]
}

@test "gather -f: where nobody answers, the first generation does not wait" {
	scenario follow_blocked
	[ "$status" -eq 0 ]
}

@test "gather -f: nothing to offer is an empty generation" {
	scenario follow_empty
	[ "$status" -eq 0 ]
}

@test "gather -f ends when nobody reads" {
	scenario reader_gone
	[ "$status" -eq 0 ]
}

@test "gather -f ends with 111 when nat-port goes away" {
	scenario port_gone
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"the port socket is gone"* ]]
}

@test "gather holds no capability and can gain none" {
	scenario unprivileged
	[ "$status" -eq 0 ]
	[[ "$output" == *"NoNewPrivs:	1"* ]]
	[[ "$output" == *"CapEff:	0000000000000000"* ]]
	[[ "$output" == *"CapPrm:	0000000000000000"* ]]
}
