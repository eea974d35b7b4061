# SPDX-License-Identifier: ISC
# nat-lab-exercises(7): what takes minutes.

setup() {
	load ../lab/lab
	why=$(net_usable) || skip "$why"
	NATKIT_BUILD=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	export NATKIT_BUILD XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
	d=$BATS_TEST_TMPDIR/out
}

@test "4: nat-stun lifetime finds both times" {
	setpriv --pdeathsig KILL bash "$BATS_TEST_DIRNAME/../lab/exercises.bash" \
		4 "$d" long 3>&-
	cat "$d"/log.4 "$d"/4-*
	[ "$(cat "$d/code.4")" = 0 ]
	grep '^lifetime kind=silent lifetime_s=6 .*keepalive_s=4' "$d/4-answer"
	grep '^lifetime kind=active lifetime_s=12 .*keepalive_s=9' "$d/4-answer"
}

@test "6: four of the nine can be joined with apd-apd" {
	setpriv --pdeathsig KILL bash "$BATS_TEST_DIRNAME/../lab/exercises.bash" \
		6 "$d" long 3>&-
	cat "$d"/log.6 "$d"/6-outside-matrix
	[ "$(cat "$d/code.6")" = 0 ]
	[ "$(grep -c '^direct ' "$d/6-outside-matrix")" = 4 ]
	[ "$(grep -c '^none ' "$d/6-outside-matrix")" = 5 ]
}
