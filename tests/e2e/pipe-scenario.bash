# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# For pipe.bats and pipe-words.bats: their scenarios.

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

# scenario NAME: runs that of $scenarios in a network of its own.
scenario() {
	local unshare=(setpriv --pdeathsig KILL unshare -mnp --fork
		--kill-child --mount-proc) p
	[ "$(id -u)" = 0 ] || skip "not root"
	"${unshare[@]}" true 2>/dev/null || skip "no new namespaces here"
	for p in ip ss socat tcpdump script curl; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
	run timeout 60 "${unshare[@]}" \
	    bash "$BATS_TEST_DIRNAME/$scenarios" "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "$1: fine" ]
}
