# SPDX-License-Identifier: ISC
# nat-lab matrix over all profiles.

@test "every pair of all profiles, as expected" {
	load ../lab/lab
	why=$(net_usable) || skip "$why"
	local code=0
	XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR setpriv --pdeathsig KILL \
		"$BATS_TEST_DIRNAME/../../bin/nat-lab" matrix \
		-o "$BATS_TEST_TMPDIR/matrix.svg" >"$BATS_TEST_TMPDIR/cells" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- || code=$?
	cat "$BATS_TEST_TMPDIR/err"
	sed -n 's/^nat-lab: info: /# /p' "$BATS_TEST_TMPDIR/err" >&3
	awk '{ for (i in f) delete f[i]
		for (i = 2; i <= NF; i++) { split($i, kv, "="); f[kv[1]] = kv[2] }
		if (f["expected"] != f["measured"]) print }' \
		"$BATS_TEST_TMPDIR/cells"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/cells")" -ge 78 ]
	[ "$code" = 0 ]
}
