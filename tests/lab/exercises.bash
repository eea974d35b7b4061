# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The blocks of nat-lab-exercises(7), run as they stand there: all of exercise
# N, in order, by one shell in its lab; what each prints goes to DIR/NAME.
# usage: exercises.bash N DIR [long]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
page=$here/man/nat-lab-exercises.7
n=$1 d=$2 long=${3:-}

# The block after `.\" test: NAME`, as a reader of the formatted page sees it.
block() { # NAME
	awk -v name="$1" '
		/^\.\\" test: / { wanted = $3 == name }
		/^\.Ed/ { if (inside) exit }
		inside { print }
		/^\.Bd -literal/ { inside = wanted }' "$page" |
		sed -e 's/^\\&//' -e 's/\\e/\\/g' -e "s/\\\\(aq/'/g"
}

# names PATTERN LONG: LONG is empty, or " long"
names() {
	sed -n "s/^\.\\\\\" test: \($1\)$2\$/\1/p" "$page"
}

run_inside() { # NAME...: for the shell of the lab
	local name
	echo 'cd /run/exercise' >"$d/script.$n"
	for name; do
		echo "exec >'$d/$name' 2>&1"
		block "$name"
	done >>"$d/script.$n"
}

run_outside() { # NAME...
	local name
	for name; do
		[ "$code" = 0 ] || break
		block "$name" >"$d/script.$name"
		(cd "$d" && PATH=$here/bin:$PATH &&
			sh -eu "script.$name" >"$name" 2>&1) || code=$?
	done
}

mkdir -p "$d"
code=0
# shellcheck disable=SC2046
run_inside $(names "$n-[a-z]*" '') ${long:+$(names "$n-[a-z]*" ' long')}
"$here/bin/nat-lab" exercise "$n" -- sh -eu "$d/script.$n" \
	>"$d/log.$n" 2>&1 </dev/null || code=$?
# shellcheck disable=SC2046
run_outside $(names "$n-outside-[a-z]*" "${long:+ long}")
echo "$code" >"$d/code.$n"
