#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-records(5) against what the programs print: a real pipeline between two
# ports of one host, every stage's records collected, and each held against
# the page: its type is there, its keys are there, and in that order.

bats_require_minimum_version 1.5.0

setup_file() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'needs root for a network namespace'
	fi
	cd "$BATS_TEST_DIRNAME"
	unshare -mnp --fork --kill-child --mount-proc \
		sh records.sh "${NATKIT_BUILD:-../../build}" \
		"$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
}

setup() {
	records=$BATS_FILE_TMPDIR/records
	page=$BATS_FILE_TMPDIR/page
	# "type key key ..." a line, as the page has them
	awk '/^\.It Sy / { if (t) print t; t = $3 }
		/^\.It Cm / { t = t " " $3 }
		END { print t }' "$BATS_TEST_DIRNAME/../../man/nat-records.5" \
		>"$page"
}

# Prints what is wrong with the records of standard input.
faults() {
	awk -v page="$page" '
	BEGIN {
		while ((getline line < page) > 0) {
			n = split(line, w, " ")
			known[w[1]] = 1
			for (i = 2; i <= n; i++)
				place[w[1], w[i]] = i
		}
	}
	length($0) > 511 { print "too long: " $0 }
	!($1 in known) { print "type is not in the page: " $0; next }
	{
		last = 0
		for (i = 2; i <= NF; i++) {
			key = substr($i, 1, index($i, "=") - 1)
			if (!(($1, key) in place))
				print "key " key " is not in the page: " $0
			else if (place[$1, key] <= last)
				print "key " key " is out of order: " $0
			else
				last = place[$1, key]
			if (substr($i, index($i, "=") + 1) !~ \
			    /^([A-Za-z0-9._:\/@+=,\[\]-]|%[0-9A-F][0-9A-F])+$/)
				print "bad value: " $0
		}
	}'
}

@test "the checker finds an unknown type, an unknown key, a wrong order" {
	run -0 faults <<-'END'
		nonsense key=1
		mapped endpoint=1.2.3.4:5 colour=red
		mapped local=1.2.3.4:5 endpoint=1.2.3.4:5
		mapped endpoint=a;b
		mapped endpoint=1.2.3.4:5 local=192.0.2.1:1 rtt_us=1
	END
	[ "${#lines[@]}" -eq 4 ]
}

@test "every record that the programs printed is as the page says" {
	[ "$(wc -l <"$records")" -gt 30 ]
	run -0 faults <"$records"
	echo "$output"
	[ -z "$output" ]
}

@test "every type of the page was printed" {
	# printed only where a mapping or WireGuard is: the lab sees those
	run -0 sh -c 'cut -d" " -f1 "$1" | grep -vxE "nat|requirement|status" | while read -r type
		do
			grep -q "^$type " "$2" || echo "$type"
		done' - "$page" "$records"
	echo "$output"
	[ -z "$output" ]
}
