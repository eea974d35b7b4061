#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-dial: the doors of its page, with curl, a web server and a real
# nat-rendezvousd (nat-dial.bash), and its command line.

bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/nat-site.bash"

setup_file() {
	run_site nat-dial
}

setup() {
	dial=$BATS_TEST_DIRNAME/../../bin/nat-dial
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
}

# refused CODE PATTERN args: nothing on stdout, one line that helps
refused() {
	local want=$1 pattern=$2
	shift 2
	run -"$want" --separate-stderr "$dial" "$@"
	echo "$stderr"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} =~ ^nat-dial:\ fatal:\ $pattern ]]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "nat-dial: usage errors are one clear line and 100" {
	refused 100 'give the peer'
	refused 100 'give one -L or -D' -L 1 -D 2 pi
	refused 100 '-L x: give port' -L x pi
	refused 100 '-L 127.0.0.1: give port' -L 127.0.0.1 pi
	refused 100 '-L /a:b: a path with' -L /a:b pi
	refused 100 '-D /run/x: SOCKS needs a port' -D /run/x pi
	refused 100 'host:1: with -D' -D 1080 pi host:1
	refused 100 '18080: give host:port, ' pi 18080
	refused 100 'h:x: give host:port' pi h:x
	refused 100 'h:: give host:port' pi h:
	refused 100 ':80: give host:port' pi :80
	refused 100 '::1:80: give host:port, ' pi ::1:80
	refused 100 '1:h:80: give host:port' pi 1:h:80
	refused 100 'true: a command comes after --' pi host:1 true
	refused 100 'give the command after --' pi --
	refused 100 'give either -d or -r' -dr pi
	refused 100 '-k: options come before the peer' pi -k
	refused 100 '-x a b is no interface' -x 'a b' pi
	refused 127 'the command /nosuch' pi -- /nosuch
	run -0 "$dial" --help
}

@test "nat-dial: curl by a port, a Unix socket, a proxy, any port" {
	checks port socket socks any
}

@test "nat-dial: what a command gets, and its code" {
	checks command
}

@test "nat-dial: the record, without a command" {
	checks record
}

@test "nat-dial: a signal ends the command, too" {
	checks signal
}

@test "nat-dial: Ctrl-C ends the command, and then nat-dial" {
	checks interrupt
}

@test "nat-dial: no command without a door" {
	checks fatal
}

@test "nat-dial: a port that is taken, a peer that is not known" {
	checks busy
}
