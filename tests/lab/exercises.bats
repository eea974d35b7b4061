# SPDX-License-Identifier: ISC
# nat-lab-exercises(7): the commands of each exercise, run as they stand there,
# show what the text speaks of and the answer to its question.

bats_require_minimum_version 1.5.0

setup_file() {
	load lab
	export d=$BATS_FILE_TMPDIR
	lab_why=$(net_usable) || {
		echo "$lab_why" >"$d/skip"
		return 0
	}
	NATKIT_BUILD=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	export NATKIT_BUILD XDG_RUNTIME_DIR=$d
	local n
	for n in 1 2 3 4 5 6; do
		timeout -k 1 120 setpriv --pdeathsig KILL \
			bash "$BATS_TEST_DIRNAME/exercises.bash" \
			"$n" "$d/$n" 3>&- &
	done
	wait
}

setup() {
	[ ! -f "$d/skip" ] || skip "$(cat "$d/skip")"
	page=$BATS_TEST_DIRNAME/../../man/nat-lab-exercises.7
}

# All blocks of exercise N ran, and none failed.
exercise() { # N
	cat "$d/$1/log.$1" "$d/$1/$1"-*
	[ "$(cat "$d/$1/code.$1")" = 0 ]
	[ "$(find "$d/$1" -name "$1-*" | wc -l)" = \
		"$(grep -c "^\.\\\\\" test: $1-[^ ]*\$" "$page")" ]
}

shows() { # N-NAME PATTERN
	grep -E -e "$2" "$d/${1%%-*}/$1"
}

@test "no such exercise, and none inside another lab" {
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" exercise 7
	[[ "$output" == *'1 to 6'* ]]
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" exercise 1 -- \
		"$BATS_TEST_DIRNAME/../../bin/nat-lab" exercise 2
	[[ "$output" == *'in lab exercise'*'already'* ]]
}

@test "a program has the files of where it was called" {
	cd "$BATS_TEST_TMPDIR"
	echo 'pwd; nat-lab exec ha pwd; exit 4' >d2.sh
	run --separate-stderr -4 \
		"$BATS_TEST_DIRNAME/../../bin/nat-lab" exercise 2 -- sh d2.sh
	[ "$output" = "$PWD"$'\n'"$PWD" ]
}

@test "the shell of an exercise takes commands from a pipe, and its code counts" {
	run -3 env SHELL=/bin/sh \
		"$BATS_TEST_DIRNAME/../../bin/nat-lab" exercise 2 <<-'END'
		nat-rendezvous ping -w 1 -S "$SERVER" || echo "no way from nowhere"
		nat-lab exec ha nat-rendezvous ping -S "$SERVER"
		exit 3
	END
	[[ "$output" == *'no way from nowhere'* ]]
	[[ "$output" == *'server key='* ]]
}

@test "1: what is a mapping?" {
	exercise 1
	shows 1-ask '^mapped endpoint=198\.51\.100\.2:5000 local=192\.168\.1\.2:5000 '
	shows 1-memory 'src=192\.168\.1\.2 .*dst=198\.51\.100\.2 '
	shows 1-other '^mapped endpoint=198\.51\.100\.2:5000 local=192\.168\.1\.2:5000 server=192\.0\.2\.2'
	shows 1-other '^mapped endpoint=198\.51\.100\.2:[0-9]* local=192\.168\.1\.3:5000 '
	! shows 1-other '^mapped endpoint=198\.51\.100\.2:5000 local=192\.168\.1\.3' || false
	[ "$(grep -o 'endpoint=[^ ]*' "$d/1/1-dependent" | sort -u | wc -l)" = 2 ]
	[ "$(cat "$d/1/1-answer")" = "5
10" ]
}

@test "2: cone names" {
	exercise 2
	shows 2-behaviour '^nat axis=mapping value=endpoint-independent '
	shows 2-behaviour '^nat axis=filtering value=address-and-port-dependent '
	# Nine profiles, four words of the old program.
	[ "$(wc -l <"$d/2/2-nine")" = 9 ]
	[ "$(sed 's/.*Primary: //' "$d/2/2-nine" | sort -u | wc -l)" = 4 ]
	[ "$(tail -n 1 "$d/2/2-outside-matrix")" = 2 ]
}

@test "3: early packets" {
	exercise 3
	shows 3-early 'src=198\.51\.100\.2 dst=203\.0\.113\.2 .*UNREPLIED'
	shows 3-late 'src=192\.168\.1\.2 .*dport=[0-9]* mark='
	! shows 3-late 'dst=203\.0\.113\.2 sport=5000 dport=5000 ' || false
	shows 3-low '^hello$'
	shows 3-low 'dst=203\.0\.113\.2 sport=5000 dport=5000 '
	sed '/input=drop/q' "$d/3/3-answer" | grep 'src=192.168.1.2' |
		grep -v 'sport=5000 dport=5000 mark'
	sed '1,/input=drop/d' "$d/3/3-answer" | grep 'src=192.168.1.2' |
		grep 'dst=203.0.113.2 sport=5000 dport=5000 mark'
}

@test "4: lifetimes" {
	exercise 4
	[ "$(cat "$d/4/4-silent")" = "after 2 s
after 4 s" ]
	[ "$(cat "$d/4/4-active")" = "after 4 s
after 8 s
after 10 s" ]
}

@test "5: birthdays" {
	exercise 5
	shows 5-paper '^n=1 m=32257 about=44716$'
	shows 5-paper '^n=256 m=175 about=175$'
	shows 5-paper '^n=m=212$'
	[ "$(tail -n 1 "$d/5/5-open")" = 256 ]
	# 4 on the average; more than 16 comes once in a million times
	local hits
	hits=$(sed -n 's/^hits=\([0-9]*\) on_paper=4\.0$/\1/p' "$d/5/5-probe")
	echo "# 1000 probes at 256 of 64512 ports: $hits hits, 4.0 on paper" >&3
	[ "$hits" -le 16 ]
	shows 5-predict '^you have 400[0-9][0-9]$'
	shows 5-answer '^one at a time: 16026 hours$'
	shows 5-answer '^open for 30 s: 5\.3 hours$'
	shows 5-answer '^one guesses: 645 seconds$'
}

@test "6: only a relay" {
	exercise 6
	shows 6-measure '^pair direct=no method=relay '
	shows 6-try '^ha: failed '
	shows 6-change '^ha: direct '
	shows 6-blocked '^exit code 111$'
	shows 6-relay '^ha: relayed '
	shows 6-relay 'state=relayed endpoint=127\.0\.0\.1:'
}
