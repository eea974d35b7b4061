# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What grade.bats here and in tests/soak share: cases are run at once, and a
# test looks at how one ended.

grade_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab/net.sh
. "$grade_here/../../lab/net.sh"

# grade_cases JOBS: reads lines "NAME SECONDS kernel|toy|prog WORDS..." and
# grades the kernel (a profile of lab/profile.sh), tests/tools/toy-nat, or what
# else is given.
grade_cases() {
	grade_why=$(net_usable) || {
		echo "$grade_why" >"$BATS_FILE_TMPDIR/skip"
		return 0
	}
	command -v ethtool >/dev/null || {
		echo "ethtool is not installed" >"$BATS_FILE_TMPDIR/skip"
		return 0
	}
	export NATKIT_BUILD=${NATKIT_BUILD:-$grade_here/../../build}
	xargs -P "$1" -L 1 bash "$grade_here/grade.bash" "$BATS_FILE_TMPDIR" 3>&-
}

# The child of xargs: FOLDER NAME SECONDS kernel|toy|prog WORDS...
grade_one() {
	local to=$1/$2 seconds=$3 kind=$4 code=0
	shift 4
	case $kind in
	kernel) set -- sh "$grade_here/../tools/kernel-nat.sh" "$@" ;;
	toy) set -- "$NATKIT_BUILD/tools/toy-nat" "$@" ;;
	esac
	timeout -k 1 400 "$grade_here/../../bin/nat-lab" grade -v -w "$seconds" \
	    -- "$@" >"$to.out" 2>"$to.err" </dev/null || code=$?
	echo "$code" >"$to.code"
}

# of NAME VALUE: the numbers of the requirements with that value.
of() {
	sed -n "s/^requirement number=\([^ ]*\) .* value=$2\( .*\)*\$/\1/p" \
	    "$BATS_FILE_TMPDIR/$1.out" | sort -V | paste -sd ' '
}

# graded NAME CODE FAILS UNTESTED: exactly these, and all others pass.
graded() {
	if [ -f "$BATS_FILE_TMPDIR/skip" ]; then
		skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	fi
	cat "$BATS_FILE_TMPDIR/$1.out" "$BATS_FILE_TMPDIR/$1.err"
	echo "fails:    $(of "$1" fail)"
	echo "untested: $(of "$1" untested)"
	[ "$(cat "$BATS_FILE_TMPDIR/$1.code")" = "$2" ]
	[ "$(of "$1" fail)" = "$3" ]
	[ "$(of "$1" untested)" = "$4" ]
	[ "$(wc -l <"$BATS_FILE_TMPDIR/$1.out")" = 20 ]
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	grade_one "$@"
fi
