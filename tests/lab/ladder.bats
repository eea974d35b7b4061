# SPDX-License-Identifier: ISC
# nat-lab watch, capture and ladder: what a NAT does with packets, why it drops
# one, and the picture of it. Each test in a namespace of its own.

bats_require_minimum_version 1.5.0

setup() {
	load lab
	build=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
}

scenario() {
	local why code=0
	why=$(net_usable) || skip "$why"
	# shellcheck disable=SC2086
	timeout -k 1 60 $NET_UNSHARE bash "$BATS_TEST_DIRNAME/ladder.bash" \
		"$1" "$(cd "$BATS_TEST_DIRNAME/../../bin" && pwd)" "$build" \
		"$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- || code=$?
	why=$(sed -n 's/^SKIP //p' "$BATS_TEST_TMPDIR/log")
	[ -z "$why" ] || skip "$why"
	[ "$code" = 0 ] || {
		echo "ended with $code"
		tail -n 60 "$BATS_TEST_TMPDIR/log"
		return 1
	}
}

@test "what can't be done is said, with what to do" {
	scenario refusals
}

@test "watch leaves no rule behind, even when killed" {
	scenario traces_go
}

@test "an early packet poisons: the NAT's own entry, then a clash" {
	scenario poison
}

@test "each profile's drop has its reason and its rule" {
	scenario reasons
}

@test "capture gives the program's exit code, and refuses to mix captures" {
	scenario captures
}

@test "an ordinary user captures, too" {
	scenario rootless
}

@test "a ladder shows each packet before and after translation" {
	scenario translated
}

@test "the pictures in a browser: well-formed, and the slider hides rows" {
	scenario pictures
}
