# SPDX-License-Identifier: ISC
# Two hosts whose networks let nothing out but TCP 443.

setup_file() {
	load lab
	lab_why=$(net_usable) || {
		echo "$lab_why" >"$BATS_FILE_TMPDIR/skip"
		return 0
	}
	local n
	for n in met not_met; do
		(
			code=0
			# shellcheck disable=SC2086
			timeout -k 1 60 $NET_UNSHARE \
			    bash "$BATS_TEST_DIRNAME/tcp.bash" "$n" \
			    >"$BATS_FILE_TMPDIR/$n.log" 2>&1 </dev/null || code=$?
			echo "$code" >"$BATS_FILE_TMPDIR/$n.code"
		) 3>&- &
	done
	wait
}

setup() {
	load lab
}

@test "without TCP 443 at the server, nobody meets" {
	lab_result not_met
}

@test "with it they are introduced, and go back to UDP when that is let out" {
	lab_result met
}
