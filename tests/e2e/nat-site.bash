# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# For nat-dial and nat-ssh: the .bats runs the .bash of its name once, in
# namespaces of its own, and says what it makes of each check there.

# ---- in the .bats ----

# run_site NAME
run_site() {
	[ "$(id -u)" -eq 0 ] || return 0
	cd "$BATS_TEST_DIRNAME" || return 1
	NATKIT_BUILD=${NATKIT_BUILD:-../../build} timeout -k 1 120 \
	    setpriv --pdeathsig KILL \
	    unshare -mnp --fork --kill-child --mount-proc \
	    bash "$1.bash" "$BATS_FILE_TMPDIR" \
	    >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

# checks NAME...: they went well
checks() {
	local name
	[ "$(id -u)" -eq 0 ] || skip 'needs root for users and namespaces'
	for name; do
		[ "$(cat "$BATS_FILE_TMPDIR/$name.code")" = 0 ] || {
			cat "$BATS_FILE_TMPDIR/$name.out"
			return 1
		}
	done
}

# ---- in the .bash, where /run/out is the .bats' folder ----

# host: its addresses, 198.51.100.1 for all the world
host() {
	ip link set lo up
	ip link add name both type veth peer name other
	ip addr add 198.51.100.1/24 dev both
	ip link set both up
	ip link set other up
}

# within PROG ARGS: tries until it succeeds, at most 400 times.
within() {
	local _
	for _ in {1..400}; do
		"$@" 2>/dev/null && return 0
		sleep 0.02
	done
	echo "never came true: $*"
	exit 99
}

# literal PAGE MARK: as a reader of the formatted page sees it
literal() {
	awk -v mark=".\\\\\" $2" '
		$0 == mark { wanted = 1 }
		/^\.Ed/ { if (inside) exit }
		inside { print }
		/^\.Bd -literal/ { inside = wanted }' "$1" |
		sed -e 's/^\\&//' -e 's/\\e/\\/g'
}

# check NAME: runs check_NAME
check() {
	local got=0
	(
		trap '[ $? = 0 ] || tail -n 20 ./*.err ./*.log 2>/dev/null' EXIT
		set -ex
		check_"$1"
	) >"/run/out/$1.out" 2>&1 </dev/null &
	wait $! || got=$? # in a list, set -e would not count
	echo "$got" >"/run/out/$1.code"
}
