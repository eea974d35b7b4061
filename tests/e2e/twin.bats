#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154
# nat-stund -O: two machines that lend each other their address, in the
# networks of twin-net.bash.

bats_require_minimum_version 1.5.0

setup() {
	B=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	D=$B/nat-stund
	cd "$BATS_TEST_TMPDIR" || return 1
	KEY=$(wg genkey | tee key | wg pubkey)
	chmod 600 key
	OTHER=$(wg genkey | wg pubkey)
}

# net SCENE
net() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for network namespaces'
	fi
	run setpriv --pdeathsig KILL unshare -mnp --fork --kill-child \
		--mount-proc bash "$BATS_TEST_DIRNAME/twin-net.bash" "$B" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "all is well" ]
}

# refused TEXT OPTION...
refused() {
	local text=$1
	shift
	run -100 --separate-stderr "$D" -b 127.0.0.1 "$@"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "nat-stund: fatal: $text"* ]]
}

@test "options that make no twin are refused, each with what to do" {
	refused '-O wants -k' -O "$OTHER@127.0.0.2:3478"
	refused '-k is for -O' -k key
	refused '-O x: give KEY@host:port' -k key -O x
	refused '-O '"$OTHER"'@127.0.0.2: give KEY@host:port' -k key \
		-O "$OTHER@127.0.0.2"
	refused "-O $KEY@127.0.0.2:3478: this is our own key" -k key \
		-O "$KEY@127.0.0.2:3478"
	refused "-O $OTHER@127.0.0.2:4000: the twin must have our ports" \
		-k key -O "$OTHER@127.0.0.2:4000"
	refused '-O wants one -b of a family' -b 127.0.0.2 -k key \
		-O "$OTHER@127.0.0.3:3478"
	refused '-O wants ports that the twin has' -p 0 -k key \
		-O "$OTHER@127.0.0.2:3478"
	refused 'nokey: No such file' -k nokey -O "$OTHER@127.0.0.2:3478"
	echo short > bad
	refused 'bad: not one private key' -k bad -O "$OTHER@127.0.0.2:3478"
	refused '-O AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.2:3478: this key is weak' \
		-k key -O 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.2:3478'
}

@test "a key that is too open is warned of, and never shown" {
	chmod 644 key
	run -100 --separate-stderr "$D" -vv -b 203.0.113.77 -k key \
		-O "$OTHER@127.0.0.2:3478"
	[[ $stderr == *'key: others may read this key; chmod 600 it'* ]]
	[[ $stderr != *"$(cat key)"* ]]
}

@test "two hosts answer as one host with both addresses does" {
	net same
}

@test "without its twin a host serves as one address, until it is back" {
	net down
}

@test "a third machine, and what is replayed or changed, gets nothing" {
	net enemy
}
