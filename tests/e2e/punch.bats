#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-punch from the outside: over loopback, through ports that nat-port -o
# lends, fed from files as nat-rendezvous agent would write them.

bats_require_minimum_version 1.5.0

PA=aaaaaaaaaaaaaaaaaaaaaaaa
PB=bbbbbbbbbbbbbbbbbbbbbbbb

setup() {
	B=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	B=$(cd "$B" && pwd)
	# not BATS_TEST_TMPDIR: other users must be able to reach the sockets
	T=$(mktemp -d /tmp/natkit-punch.XXXXXX)
	chmod 755 "$T"
	pids=
	for n in 1 2 3 4; do
		key[n]=$(printf '%032d' "$n" | base64)
	done
}

teardown() {
	for p in $pids; do
		kill -KILL "$p" 2>/dev/null || true
		wait "$p" 2>/dev/null || true
	done
	rm -rf "$T"
}

# lend name: nat-port -o on a port of the system's choice; sets $name_port and
# $name_pid. Its socket is $T/name.
lend() {
	mkfifo "$T/$1.ready"
	"$B/nat-port" -o -1 -N 5 0 "$T/$1" >"$T/$1.record" 2>"$T/$1.log" \
	    3>&- 5>"$T/$1.ready" &
	eval "$1_pid=$!"
	pids="$pids $!"
	read -t 10 -r _ <"$T/$1.ready" || { cat "$T/$1.log"; return 1; }
	eval "$1_port=$(sed -n 's/^port port=\([0-9]*\) .*/\1/p' \
	    "$T/$1.record")"
}

# waiting n | remote n port | introduced n role me peer [count] | go n
waiting() { echo "peer key=${key[$1]} state=waiting"; }
remote() {
	echo "remote key=${key[$1]} generation=1 type=host" \
	    "endpoint=127.0.0.1:$2 priority=2130706431"
}
introduced() {
	eval "mine=\$P$3 theirs=\$P$4"
	echo "peer key=${key[$1]} state=introduced generation=1" \
	    "count=${5:-1} role=$2 user=user${3}${3}${3}${3} password=$mine" \
	    "peer_user=user${4}${4}${4}${4} peer_password=$theirs"
}
go() { echo "go key=${key[$1]} generation=1 age_ms=0 skew_ms=5"; }
all() { waiting "$1"; remote "$1" "$2"; introduced "$1" "$3" "$4" "$5"; go "$1"; }

# wait_for file pattern: until a line of the file matches.
wait_for() {
	for _ in $(seq 400); do
		grep -qE "$2" "$1" 2>/dev/null && return 0
		sleep 0.05
	done
	echo "no '$2' in $1:"
	cat "$1"
	return 1
}

# punch name args...: in the background, from $T/name.in.
punch() {
	name=$1
	shift
	"$B/nat-punch" "$@" <"$T/$name.in" >"$T/$name.out" 2>"$T/$name.err" \
	    3>&- &
	eval "${name}_pid=$!"
	pids="$pids $!"
}

code_of() {
	rc=0
	wait "$1" || rc=$?
}

@test "usage errors end with 100, one clear line, and the usage" {
	for args in -x '-p 0' '-p 70000' '-p x' '-w 0' '-s a -p 5' record -s; do
		# shellcheck disable=SC2086
		run --separate-stderr "$B/nat-punch" $args </dev/null
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 2 ]
		[[ ${stderr_lines[0]} == "nat-punch: fatal: "* ]]
		[[ ${stderr_lines[1]} == "usage: nat-punch "* ]]
	done
	run --separate-stderr "$B/nat-punch" -h
	[ "$status" -eq 0 ]
	[[ $output == "usage: nat-punch "* ]]
}

@test "no nat-port: 111, and says so" {
	run --separate-stderr "$B/nat-punch" -s "$T/none" </dev/null
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ $stderr == *"is nat-port running?"* ]]
}

@test "nobody asked for: 111" {
	run --separate-stderr "$B/nat-punch" -1 </dev/null
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ $stderr == *"no peer record came"* ]]
}

@test "never introduced: 111, at once when the input ends" {
	waiting 1 >"$T/in"
	run --separate-stderr "$B/nat-punch" -1 <"$T/in"
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ $stderr == *"peer ${key[1]}: no introduction"* ]]
}

@test "the time-out says what is missing, per peer" {
	lend silent
	mkfifo "$T/in"
	exec 7<>"$T/in"
	{
		waiting 1
		waiting 2
		remote 2 "$silent_port"
		introduced 2 controlling A B
		waiting 3
		remote 3 "$silent_port"
		introduced 3 controlling A B
		go 3
	} >&7
	run --separate-stderr "$B/nat-punch" -1 -w 1 <"$T/in" 7>&-
	exec 7>&-
	[ "$status" -eq 111 ]
	[[ $stderr == *"peer ${key[1]}: no introduction"* ]]
	[[ $stderr == *"peer ${key[2]}: no go"* ]]
	[[ $stderr == *"peer ${key[3]}: no answer to checks"* ]]
}

@test "a wrong password: failed with a reason, and exit 1" {
	lend a
	lend b
	all 2 "$b_port" controlling A B >"$T/pa.in"
	PA=xxxxxxxxxxxxxxxxxxxxxxxx
	all 1 "$a_port" controlled B A >"$T/pb.in"
	punch pa -1 -v -s "$T/a"
	punch pb -1 -v -s "$T/b"
	code_of "$pa_pid"
	[ "$rc" -eq 1 ]
	code_of "$pb_pid"
	[ "$rc" -eq 1 ]
	[ "$(tail -n 1 "$T/pa.out")" = \
	    "path key=${key[2]} state=failed reason=no-answer" ]
	run ! grep direct "$T/pa.out" "$T/pb.out"
	grep -qE ' [1-9][0-9]* forged$' "$T/pa.err"
}

@test "gone and no candidates: exit 1 with the reason" {
	{ waiting 1; echo "gone key=${key[1]} reason=withdrawn"; } >"$T/in"
	run "$B/nat-punch" -1 <"$T/in"
	[ "$status" -eq 1 ]
	[ "$output" = "path key=${key[1]} state=failed reason=gone" ]
	introduced 1 controlled A B 0 >"$T/in"
	run "$B/nat-punch" -1 <"$T/in"
	[ "$status" -eq 1 ]
	[ "${lines[1]}" = \
	    "path key=${key[1]} state=failed reason=no-candidates" ]
}

@test "direct on both sides, and exit 0" {
	lend a
	lend b
	all 2 "$b_port" controlling A B >"$T/pa.in"
	all 1 "$a_port" controlled B A >"$T/pb.in"
	punch pa -1 -s "$T/a"
	punch pb -1 -s "$T/b"
	code_of "$pa_pid"
	[ "$rc" -eq 0 ]
	code_of "$pb_pid"
	[ "$rc" -eq 0 ]
	[ "$(head -n 1 "$T/pa.out")" = "path key=${key[2]} state=checking" ]
	[[ $(sed -n 2p "$T/pa.out") =~ ^path\ key=${key[2]//+/\\+}\ state=direct\ endpoint=127.0.0.1:$b_port\ rtt_us=[0-9]+\ local=127.0.0.1:$a_port\ method=host$ ]]
	grep -q " endpoint=127.0.0.1:$a_port " "$T/pb.out"
	[ "$(wc -l <"$T/pa.out")" -eq 2 ]
	[ ! -s "$T/pa.err" ]
}

# bound n port: the peer itself, as a relay would pass its datagrams on.
bound() {
	echo "candidate type=relay endpoint=127.0.0.1:$2 priority=16777215" \
	    "server=127.0.0.1:3478 key=${key[$1]} state=bound"
}

@test "-r without a relay: 111, and says so; direct checks get no answer" {
	lend a
	lend b
	all 2 "$b_port" controlling A B >"$T/pa.in"
	all 1 "$a_port" controlled B A >"$T/pb.in"
	mkfifo "$T/hold"
	exec 7<>"$T/hold"
	cat "$T/pa.in" >&7
	"$B/nat-punch" -1 -r -w 2 -s "$T/a" <"$T/hold" >"$T/pa.out" \
	    2>"$T/pa.err" 3>&- 7>&- &
	pa_pid=$!
	pids="$pids $!"
	punch pb -1 -w 2 -s "$T/b" 7>&-
	code_of "$pa_pid"
	exec 7>&-
	[ "$rc" -eq 111 ]
	grep -q "peer ${key[2]}: no relay is bound" "$T/pa.err"
	code_of "$pb_pid"
	[ "$rc" -eq 111 ]
	run ! grep -E 'direct|relayed' "$T/pa.out" "$T/pb.out"
}

@test "-r with a relay: relayed, and exit 0" {
	lend a
	lend b
	{ bound 2 "$b_port"; all 2 9 controlling A B; } >"$T/pa.in"
	{ all 1 9 controlled B A; bound 1 "$a_port"; } >"$T/pb.in"
	punch pa -1 -r -s "$T/a"
	punch pb -1 -r -s "$T/b"
	code_of "$pa_pid"
	[ "$rc" -eq 0 ]
	code_of "$pb_pid"
	[ "$rc" -eq 0 ]
	[[ $(tail -n 1 "$T/pa.out") =~ ^path\ key=${key[2]//+/\\+}\ state=relayed\ endpoint=127.0.0.1:$b_port\ rtt_us=[0-9]+\ local=127.0.0.1:$a_port\ method=relay\ reason=relay-only$ ]]
	run ! grep -E 'direct|failed' "$T/pa.out" "$T/pb.out"
}

@test "bad records get one warning each and lose nothing" {
	lend a
	lend b
	{
		echo "peer"
		printf '%02000d\n' 0
		printf 'remote \001 key=x\n'
		waiting 2
		remote 2 "$b_port" | sed 's/priority=.*//'
		echo "from=the future"
		echo "path key=${key[2]} state=direct"
		remote 2 "$b_port"
		introduced 2 controlling A B
		echo "go key=${key[2]} generation=99 age_ms=0 skew_ms=0"
		go 2
	} >"$T/pa.in"
	all 1 "$a_port" controlled B A >"$T/pb.in"
	punch pa -1 -s "$T/a"
	punch pb -1 -s "$T/b"
	code_of "$pa_pid"
	[ "$rc" -eq 0 ]
	grep -q state=direct "$T/pa.out"
	cat "$T/pa.err"
	[ "$(grep -c 'record skipped' "$T/pa.err")" -eq 6 ]
	[ "$(wc -l <"$T/pa.err")" -eq 6 ]
}

@test "three peers at once in one process, as JSON Lines" {
	lend a
	lend b
	lend c
	lend d
	PC=cccccccccccccccccccccccc
	PD=dddddddddddddddddddddddd
	{
		all 2 "$b_port" controlling A B
		all 3 "$c_port" controlled A C
		all 4 "$d_port" controlling A D
	} >"$T/pa.in"
	all 1 "$a_port" controlled B A >"$T/pb.in"
	all 1 "$a_port" controlling C A >"$T/pc.in"
	all 1 "$a_port" controlled D A >"$T/pd.in"
	punch pa -1 -j -s "$T/a"
	for n in b c d; do
		punch "p$n" -1 -s "$T/$n"
	done
	for p in "$pa_pid" "$pb_pid" "$pc_pid" "$pd_pid"; do
		code_of "$p"
		[ "$rc" -eq 0 ]
	done
	for n in 2 3 4; do
		grep -F "\"key\":\"${key[n]}\"" "$T/pa.out" |
		    grep -q '"state":"direct"'
	done
	for n in b c d; do
		eval "port=\$${n}_port"
		grep -qF "\"endpoint\":\"127.0.0.1:$port\"" "$T/pa.out"
	done
	run ! grep -v '^{.*}$' "$T/pa.out"
}

@test "one of two fails: exit 1, and the other is direct all the same" {
	lend a
	lend b
	{
		all 2 "$b_port" controlling A B
		introduced 3 controlling A B 0
	} >"$T/pa.in"
	all 1 "$a_port" controlled B A >"$T/pb.in"
	punch pa -1 -s "$T/a"
	punch pb -1 -s "$T/b"
	code_of "$pa_pid"
	[ "$rc" -eq 1 ]
	grep -q "key=${key[2]} state=direct" "$T/pa.out"
	grep -q "key=${key[3]} state=failed" "$T/pa.out"
}

@test "without -1 it goes on until its input ends" {
	lend a
	lend b
	mkfifo "$T/pa.in"
	exec 7<>"$T/pa.in"
	punch pa -s "$T/a" 7>&-
	all 1 "$a_port" controlled B A >"$T/pb.in"
	punch pb -1 -s "$T/b" 7>&-
	all 2 "$b_port" controlling A B >&7
	code_of "$pb_pid"
	[ "$rc" -eq 0 ]
	wait_for "$T/pa.out" state=direct
	kill -0 "$pa_pid"
	exec 7>&-
	code_of "$pa_pid"
	[ "$rc" -eq 0 ]
}

@test "nat-port ends: 111, and says so" {
	lend a
	mkfifo "$T/pa.in"
	exec 7<>"$T/pa.in"
	punch pa -s "$T/a" 7>&-
	{ waiting 1; introduced 1 controlled A B 0; } >&7
	wait_for "$T/pa.out" no-candidates
	kill "$a_pid"
	code_of "$pa_pid"
	exec 7>&-
	[ "$rc" -eq 111 ]
	grep -q 'the port socket is gone' "$T/pa.err"
}

@test "nobody reads the records: it ends" {
	mkfifo "$T/in" "$T/out"
	exec 7<>"$T/in" 8<>"$T/out"
	"$B/nat-punch" <"$T/in" >"$T/out" 2>/dev/null 3>&- 7>&- 8>&- &
	pid=$!
	pids="$pids $pid"
	introduced 1 controlled A B 0 >&7
	read -t 10 -r _ <&8
	exec 8>&-
	code_of "$pid"
	exec 7>&-
	[ "$rc" -eq 111 ]
}
