# SPDX-License-Identifier: ISC
# nat-connect, nat-wg: their command lines, and the parser of records that
# scripts share. What they do stands in tests/lab.

bats_require_minimum_version 1.5.0

setup() {
	bin=$BATS_TEST_DIRNAME/../../bin
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	unset NATKIT_SERVER
	key=GDg5cdLXcECghxvfGDg5cdLXcECghxvfGDg5cdLXcEs=
	server=$key@192.0.2.1:3478
	printf '%s\n' "$key" >"$BATS_TEST_TMPDIR/key"
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
}

# refused CODE PATTERN prog args: nothing on stdout, one line that helps.
refused() {
	local want=$1 pattern=$2 code=0
	shift 2
	"$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || code=$?
	cat "$BATS_TEST_TMPDIR/err"
	[ "$code" = "$want" ]
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
	head -n 1 "$BATS_TEST_TMPDIR/err" | grep -qE "^nat-[a-z-]+: fatal: $pattern"
	[ -z "$(ls -A "$TMPDIR")" ]
}

# Parses a line under set -euf and prints what came of it.
parse() {
	sh -c 'set -efu
	. "$1"
	record_parse "$2" || { echo no record; exit; }
	printf "%s|%s|%s|%s|%s\n" "$R_TYPE" "$R_STATE" "$R_ENDPOINT" \
	    "$R_REASON" "$R_CODE"' parse "$bin/natkit-records.sh" "$1"
}

@test "nat-wg: usage errors are one clear line and 100" {
	refused 100 'give one WireGuard interface' "$bin/nat-wg" -S "$server"
	refused 100 'no server' "$bin/nat-wg" wg0
	refused 100 '-w needs -1' "$bin/nat-wg" -w 3 -S "$server" wg0
	refused 100 '-w takes whole seconds' "$bin/nat-wg" -1 -w x -S "$server" wg0
	refused 100 '.* is no name of an interface' "$bin/nat-wg" -S "$server" 'w g'
	refused 100 '-Z is no option' "$bin/nat-wg" -Z
	refused 100 '-S needs an argument' "$bin/nat-wg" -S
	refused 100 '-1: options come before the interface' \
	    "$bin/nat-wg" -S "$server" wg0 -1
	refused 100 'give either -d or -r' "$bin/nat-wg" -dr -S "$server" wg0
	refused 100 'give either -d or -r' \
	    "$bin/nat-connect" -r -d -S "$server" 7000 "$key"
}

@test "nat-wg status: usage errors, and nobody runs" {
	refused 100 'give one WireGuard interface, or none' \
	    "$bin/nat-wg" status wg0 wg1
	refused 100 '-x is no option' "$bin/nat-wg" status -x
	refused 100 '.* is no name of an interface' "$bin/nat-wg" status ../x
	run -1 --separate-stderr "$bin/nat-wg" status nosuch0
	[ -z "$output" ]
	[[ $stderr == "nat-wg: error: nat-wg does not run on nosuch0"* ]]
	run -0 "$bin/nat-wg" status -h
}

@test "nat-wg: an interface that is not there" {
	refused 100 'no interface nosuch0; WireGuard interfaces here: ' \
	    "$bin/nat-wg" -S "$server" nosuch0
	NATKIT_SERVER=$server refused 100 'no interface nosuch0' \
	    "$bin/nat-wg" nosuch0
	refused 100 'lo is no WireGuard interface' "$bin/nat-wg" -S "$server" lo
}

@test "-S: the reason why it is refused" {
	local prog host
	for prog in nat-wg nat-connect; do
		prog=$bin/$prog
		refused 100 'server short@h: the key has 5 characters, not 44' \
		    "$prog" -S short@h lo
		refused 100 'server .*: the key is no base64 of 32 bytes' \
		    "$prog" -S "${key%=}A@h" lo
		refused 100 'server h has no @' "$prog" -S h lo
		refused 100 'server .* has no host' "$prog" -S "$key@" lo
		for host in ::1 '[::1'; do
			refused 100 'server .*: an IPv6 address stands in' \
			    "$prog" -S "$key@$host" lo
		done
		for host in h: h:0 h:65536 h:x '[::1]:0'; do
			refused 100 'server .*: the port is a number' \
			    "$prog" -S "$key@$host" lo
		done
	done
	NATKIT_SERVER=short@h refused 100 'server short@h: the key has 5' \
	    "$bin/nat-wg" lo
}

@test "-S: the port is 3478 when none is given" {
	sh -c 'set -efu; . "$1"; shift
	for s; do server_parse "$s"; echo "${server#*@}"; done' sh \
	    "$bin/natkit-records.sh" "$key@h" "$key@[::1]" "$key@h:1" \
	    "$key@[::1]:2" >"$BATS_TEST_TMPDIR/out"
	printf '%s\n' h:3478 '[::1]:3478' h:1 '[::1]:2' |
		diff - "$BATS_TEST_TMPDIR/out"
}

@test "nat-wg-apply: by hand it says what it is" {
	refused 100 'give one WireGuard interface' "$bin/nat-wg-apply"
	refused 100 'NATKIT_WG_DIR is not set' "$bin/nat-wg-apply" wg0
}

@test "a link to a script finds what the script needs" {
	ln -s "$bin/nat-connect" "$BATS_TEST_TMPDIR/linked"
	run -0 "$BATS_TEST_TMPDIR/linked" -h
}

@test "nat-connect: usage errors are one clear line and 100" {
	local c="$bin/nat-connect" k="$BATS_TEST_TMPDIR/key"
	refused 100 'no server' "$c" -k "$k" 7000 "$key"
	refused 100 'no key' "$c" -S "$server" 7000 "$key"
	refused 100 'server nokey@h:1: the key has 5 characters' \
	    "$c" -k "$k" -S nokey@h:1 7000 "$key"
	refused 100 '-S is malformed' "$c" -k "$k" -S "$key@h:1 -x" 7000 "$key"
	refused 100 '70000 is not a UDP port' "$c" -k "$k" -S "$server" 70000 "$key"
	refused 100 'sock is not a UDP port, nor the path' \
	    "$c" -k "$k" -S "$server" sock "$key"
	refused 100 '-m and -o are nat-port.s: ./sock is served already' \
	    "$c" -o -k "$k" -S "$server" ./sock "$key"
	refused 100 'short is not a public key' "$c" -k "$k" -S "$server" 7000 short
	refused 100 'give the daemon' "$c" -k "$k" -S "$server" 7000
	refused 100 'give the public key' "$c" -k "$k" -S "$server" 7000 -- true
	refused 100 '-m or -x is malformed' \
	    "$c" -m '1;id' -k "$k" -S "$server" 7000 "$key"
	refused 100 'the key file .* can.t be read: it isn.t there' \
	    "$c" -k /nonexistent -S "$server" 7000 "$key"
	refused 100 'the key file .* is empty' \
	    "$c" -k /dev/null -S "$server" 7000 "$key"
	refused 100 '-o: options come before the port' \
	    "$c" -k "$k" -S "$server" 7000 "$key" -o
	refused 127 'the hook ./nosuch isn.t there' \
	    "$c" -k "$k" -S "$server" 7000 "$key" -- ./nosuch
	echo nonsense >"$k"
	refused 100 '.* does not hold a private key' \
	    "$c" -k "$k" -S "$server" 7000 "$key"
	! grep -q nonsense "$BATS_TEST_TMPDIR/err"
}

@test "-h and --help: synopsis and options on standard output, and 0" {
	local prog option
	for prog in nat-wg nat-connect nat-wg-apply; do
		for option in -h --help; do
			run -0 --separate-stderr "$bin/$prog" "$option"
			[[ $output == usage:\ $prog\ * ]]
			[ -z "$stderr" ]
		done
	done
	run -0 "$bin/nat-wg" -h
	[[ $output == *"  -w  with -1: seconds"* ]]
}

@test "records: fields, unknown ones skipped" {
	[ "$(parse 'path new=1 state=direct endpoint=[2001:db8::1]:5')" = \
	    'path|direct|[2001:db8::1]:5||' ]
	[ "$(parse 'stage name=agent code=111')" = 'stage||||111' ]
}

@test "records: what is none, or could hurt, is refused" {
	for line in '' ' path' 'path state=$(id)' 'path state=`id`' 'path state=a;b' \
	    'path key=short' 'path endpoint=evil.example:1' 'path code=1x' \
	    'path code=99999999999' $'path\tstate=direct' 'path rtt_us=-1' 'path *'; do
		[ "$(parse "$line")" = 'no record' ]
	done
}

@test "records: %XX is decoded where it is plain text, and once" {
	[ "$(parse 'path reason=no%20route%3B%20%25%41')" = 'path|||no route; %A|' ]
	[ "$(parse 'path reason=%2541')" = 'path|||%41|' ]
	[ "$(parse 'path reason=a%0Ab%1b%7F%zz%2')" = 'path|||a%0Ab%1b%7F%zz%2|' ]
}

# Runs the rest of the line in a process space of its own, which ends with it.
alone() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -p --fork --kill-child --mount-proc true 2>/dev/null ||
		skip "no namespaces here"
	timeout -k 1 300 unshare -p --fork --kill-child --mount-proc "$@"
}

@test "children: a script that was killed takes its own along, and no others" {
	# A number that a child had goes to somebody else's process.
	cat >"$BATS_TEST_TMPDIR/script" <<-'SCRIPT'
		set -efu
		. "$1"
		children_begin
		child gone /dev/null /dev/null /bin/true
		gone=$!
		read -r _ <&3
		children_stop gone
		child stays /dev/null "$2/stays" /bin/sh -c 'echo $$; exec sleep 100'
		echo "$gone"
		read -r _ <&3
	SCRIPT
	alone bash -c 'set -eu
		sh "$1/script" "$2" "$1" >"$1/gone" &
		script=$!
		for _ in $(seq 100); do
			! [ -s "$1/gone" ] || ! [ -s "$1/stays" ] || break
			sleep 0.05
		done
		read -r gone <"$1/gone"
		read -r stays <"$1/stays"
		echo $((gone - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 100 &
		[ $! = "$gone" ]
		kill -9 "$script"
		for _ in $(seq 100); do
			[ -n "$(ls -A "$TMPDIR")" ] || break
			sleep 0.05
		done
		[ -z "$(ls -A "$TMPDIR")" ]
		for _ in $(seq 100); do
			kill -0 "$stays" 2>/dev/null || break
			sleep 0.05
		done
		! kill -0 "$stays" || exit 1
		kill -0 "$gone"' \
	    alone "$BATS_TEST_TMPDIR" "$bin/natkit-records.sh"
}

# Four at a time: a shell that is ended before it knows its program's number would
# wait for that program, and the script for the shell.
@test "children: a child that is ended at once is ended" {
	cat >"$BATS_TEST_TMPDIR/script" <<-'SCRIPT'
		set -efu
		. "$1"
		children_begin
		i=0
		while [ "$i" -lt 800 ]; do
			child x /dev/null /dev/null /bin/sleep 100
			children_stop x
			i=$((i + 1))
		done
	SCRIPT
	alone bash -c 'for _ in 1 2 3 4; do
			sh "$1/script" "$2" &
			all="$all $!"
		done
		for pid in $all; do
			wait "$pid" || exit 1
		done' alone "$BATS_TEST_TMPDIR" "$bin/natkit-records.sh"
}

# A signal at any of the moments in which nat-connect starts its stages. With
# KILL a folder may stay: who would remove it does not run yet.
@test "children: a script that is ended while it starts leaves nothing" {
	for how in 'TERM ' 'HUP -' 'KILL '; do
		alone bash -c 'set -u
			for ms in 00{00..99} 0{10..79}; do
				env --default-signal=HUP setsid "$3" -o -k "$4" \
				    -S "$5@127.0.0.1:9" 0 "$5" \
				    >/dev/null 2>&1 </dev/null 3>&- &
				sleep "0.$ms"
				until kill -"$1" -- "$2$!" 2>/dev/null; do
					[ -d "/proc/$!" ] || exit 1
				done
				wait $! 2>/dev/null
			done
			for _ in {1..100}; do
				grep -qsx nat-connect /proc/[0-9]*/comm || exit 0
				sleep 0.05
			done
			cat /proc/[0-9]*/cmdline | tr "\0" " "
			exit 1' alone ${how% *} "${how#* }" "$bin/nat-connect" \
		    "$BATS_TEST_TMPDIR/key" "$key" || return 1
		[ "$how" = 'KILL ' ] || [ -z "$(ls -A "$TMPDIR")" ]
	done
}

# child_of_ours PROG: sets child to /proc/PID of the one that this test started.
child_of_ours() {
	for child in /proc/[0-9]*; do
		[ "$(cat "$child/comm" 2>/dev/null)" = "$1" ] || continue
		! tr '\0' '\n' 2>/dev/null <"$child/environ" |
			grep -qxF "TMPDIR=$TMPDIR" || return 0
	done
	return 1
}

@test "nat-connect: no stage inherits the key" {
	secret=mine "$bin/nat-connect" -o -k /dev/fd/5 \
	    -S "$key@127.0.0.1:9" 0 "$key" >/dev/null 2>&1 </dev/null 3>&- \
	    5<"$BATS_TEST_TMPDIR/key" &
	pid=$!
	for _ in $(seq 200); do
		! child_of_ours nat-punch || break
		sleep 0.05
	done
	tr '\0' '\n' <"$child/environ" >"$BATS_TEST_TMPDIR/env" || true
	ls -l "$child/fd" >"$BATS_TEST_TMPDIR/fds" || true
	kill "$pid"
	wait "$pid" || true
	cat "$BATS_TEST_TMPDIR/fds"
	grep -q "^TMPDIR=" "$BATS_TEST_TMPDIR/env"
	! grep -F "$key" "$BATS_TEST_TMPDIR/env" || false
	grep -q ' 0 -> ' "$BATS_TEST_TMPDIR/fds"
	! grep -F "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/fds" || false
}

@test "nat-connect: what is missing when the time is up, by peer" {
	run -111 --separate-stderr "$bin/nat-connect" -1 -w 1 -q -o \
	    -k "$BATS_TEST_TMPDIR/key" -S "$key@127.0.0.1:9" 0 "$key" 3>&-
	grep -qxF "path key=$key state=waiting" <<<"$output"
	[ "$stderr" = "nat-connect: fatal: not done within 1 s: peer $key: waiting for it at the server" ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "nat-connect: that no server answers is said, in a record and at the end" {
	run -111 --separate-stderr "$bin/nat-connect" -1 -w 15 -q -o \
	    -k "$BATS_TEST_TMPDIR/key" -S "$key@127.0.0.1:9" 0 "$key" \
	    -- echo hook 3>&-
	[ "$output" = "path key=$key state=waiting
path key=$key state=waiting reason=no-server" ]
	[ "$stderr" = "nat-connect: fatal: not done within 15 s: peer $key: no rendezvous server answers here" ]
}

@test "nat-connect: ended by TERM or Ctrl-C, it says nothing of that" {
	local how before
	for how in TERM INT TERM INT; do
		# A process group of its own gets Ctrl-C as from a terminal.
		env --default-signal=INT setsid "$bin/nat-connect" -o \
		    -k "$BATS_TEST_TMPDIR/key" -S "$key@127.0.0.1:9" 0 "$key" \
		    >/dev/null 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
		pid=$!
		for _ in $(seq 200); do
			! child_of_ours nat-punch || break
			sleep 0.05
		done
		before=$(wc -l <"$BATS_TEST_TMPDIR/err")
		if [ "$how" = INT ]; then
			kill -INT -- "-$pid"
		else
			kill "$pid"
		fi
		wait "$pid"
		cat "$BATS_TEST_TMPDIR/err"
		! tail -n "+$((before + 1))" "$BATS_TEST_TMPDIR/err" | grep . || false
		[ -z "$(ls -A "$TMPDIR")" ]
	done
}

# unproven SIGNAL [lost]: a path that WireGuard has not used yet (or that is
# lost, and parked) when nat-wg ends by that signal. Runs in namespaces.
unproven() {
	local peer self dir=''
	within() {
		for _ in $(seq 200); do
			[ "$("$@" 2>/dev/null)" != "$want" ] || return 0
			sleep 0.05
		done
		echo "$*: $("$@"), not $want"
		exit 1
	}
	endpoint() { wg show wg0 endpoints | cut -f 2; }
	hook() {
		NATKIT_WG_DIR=$dir NATKIT_WG_SELF=$self NATKIT_KEY=$peer \
		    NATKIT_STATE=$1 NATKIT_ENDPOINT=127.0.0.1:7002 \
		    NATKIT_METHOD=host "$bin/nat-wg-apply" wg0 >/dev/null
	}
	mount -t tmpfs none /run
	ip link set lo up
	LOG_LEVEL=silent wireguard-go wg0
	peer=$(wg genkey | wg pubkey)
	wg genkey >"$BATS_TEST_TMPDIR/private"
	self=$(wg pubkey <"$BATS_TEST_TMPDIR/private")
	wg set wg0 private-key "$BATS_TEST_TMPDIR/private" listen-port 7000 \
	    peer "$peer" endpoint 127.0.0.1:7001 allowed-ips 10.9.0.2/32
	ip link set wg0 up
	"$bin/nat-wg" -q -S "$key@127.0.0.1:9" wg0 >/dev/null 3>&- &
	for _ in $(seq 200); do
		dir=$(ls -d "$TMPDIR"/nat-wg.* 2>/dev/null) || dir=''
		[ -z "$dir" ] || [ ! -p "$dir/life" ] || break
		sleep 0.05
	done
	hook direct
	want=127.0.0.1:7002 within endpoint
	if [ -n "${2:-}" ]; then
		hook lost
		want=127.0.0.1:9 within endpoint
	fi
	kill "-$1" %+
	want='' within ls -A "$TMPDIR"
	want=127.0.0.1:7001 within endpoint
	want=off within eval 'wg show wg0 persistent-keepalive | cut -f 2'
}

@test "nat-wg: an endpoint that is not proven does not outlive it" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -mnp true 2>/dev/null || skip "no namespaces here"
	export -f unproven
	export bin key BATS_TEST_TMPDIR
	for how in TERM KILL 'TERM lost' 'KILL lost'; do
		echo "$how"
		unshare -mnp --fork --kill-child --mount-proc \
		    bash -euc "unproven $how"
	done
}

# A relayed path's worker is held up when WireGuard has its handshake, and comes
# to speak only when the direct path has had its word. Runs in namespaces.
last_word() {
	local peer self dir=$BATS_TEST_TMPDIR/words wg i
	wg=$(command -v wg)
	mount -t tmpfs none /run
	ip link set lo up
	mkdir "$dir" "$BATS_TEST_TMPDIR/bin"
	mkfifo "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/go"
	for i in 0 1; do
		LOG_LEVEL=silent wireguard-go wg$i
		(umask 077 && wg genkey >"$BATS_TEST_TMPDIR/private$i")
		wg set wg$i private-key "$BATS_TEST_TMPDIR/private$i" \
		    listen-port 700$i
		ip link set wg$i up
	done
	self=$(wg show wg0 public-key) peer=$(wg show wg1 public-key)
	wg set wg1 peer "$self" allowed-ips 10.9.0.1/32 persistent-keepalive 1
	wg set wg0 peer "$peer" allowed-ips 10.9.0.2/32
	# wg itself, but for a wait when the handshake has been seen
	cat >"$BATS_TEST_TMPDIR/bin/wg" <<-END
	#!/bin/sh
	if [ "\$*" = 'show wg0 persistent-keepalive' ] && [ "\$HOLD" = 1 ] &&
	    "$wg" show wg0 latest-handshakes | grep -q '	[1-9]'; then
		echo >$BATS_TEST_TMPDIR/there
		read -r _ <$BATS_TEST_TMPDIR/go
	fi
	exec "$wg" "\$@"
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/wg"
	hook() { # STATE ENDPOINT METHOD
		PATH=$BATS_TEST_TMPDIR/bin:$PATH NATKIT_WG_DIR=$dir \
		    NATKIT_WG_SELF=$self NATKIT_KEY=$peer NATKIT_STATE=$1 \
		    NATKIT_ENDPOINT=$2 NATKIT_METHOD=$3 \
		    "$bin/nat-wg-apply" wg0 >>"$BATS_TEST_TMPDIR/words.out" 3>&-
	}
	HOLD=1 hook relayed 127.0.0.2:7001 relay
	read -r _ <"$BATS_TEST_TMPDIR/there"
	HOLD=0 hook direct 127.0.0.1:7001 host
	until grep -q 'state=connected .*method=host' \
	    "$BATS_TEST_TMPDIR/words.out"; do
		sleep 0.05
	done
	echo >"$BATS_TEST_TMPDIR/go"
	while pgrep -f "^/bin/sh $bin/nat-wg-apply" >/dev/null; do sleep 0.05; done
	cat "$BATS_TEST_TMPDIR/words.out"
	grep -q 'method=host' <(tail -n 1 "$BATS_TEST_TMPDIR/words.out")
}

@test "nat-wg: the last word is on the latest path" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -mnp true 2>/dev/null || skip "no namespaces here"
	export -f last_word
	export bin BATS_TEST_TMPDIR
	timeout 60 unshare -mnp --fork --kill-child --mount-proc \
	    bash -euc last_word
}

# What nat-wg says of a peer that has not come. Runs in namespaces.
status() {
	local peer out=''
	mount -t tmpfs none /run
	ip link set lo up
	LOG_LEVEL=silent wireguard-go wg0
	peer=$(wg genkey | wg pubkey)
	wg genkey >"$BATS_TEST_TMPDIR/private"
	wg set wg0 private-key "$BATS_TEST_TMPDIR/private" listen-port 7000 \
	    peer "$peer" allowed-ips 10.9.0.2/32
	ip link set wg0 up
	"$bin/nat-wg" -q -S "$key@127.0.0.1:9" wg0 >/dev/null 3>&- &
	for _ in $(seq 200); do
		out=$("$bin/nat-wg" status 2>/dev/null) || out=''
		[ -z "$out" ] || break
		sleep 0.05
	done
	echo "$out"
	[[ $out =~ ^"status interface=wg0 key=$peer state=waiting since_s="[0-9]+$ ]]
	[ "$(stat -c %a /run/nat-wg.wg0.*.peers)" = 600 ]
	script -qec "$bin/nat-wg status wg0" /dev/null </dev/null |
		tee "$BATS_TEST_TMPDIR/table"
	grep -q '^wg0  *path  *endpoint  *round trip  *since' \
	    "$BATS_TEST_TMPDIR/table"
	grep -q "^${peer:0:8}  *waiting  .*the rendezvous server is being asked for it" \
	    "$BATS_TEST_TMPDIR/table"
	for _ in $(seq 200); do
		out=$("$bin/nat-wg" status)
		[[ $out != *reason=* ]] || break
		sleep 0.1
	done
	[[ $out =~ ^"status interface=wg0 key=$peer state=waiting reason=no-server since_s="[0-9]+$ ]]
	script -qec "$bin/nat-wg status wg0" /dev/null </dev/null |
		grep -q "^${peer:0:8}  *waiting  .*no rendezvous server answers this host"
	# What is left behind is not taken for what is.
	kill -KILL %+
	wait %+ || true
	for _ in $(seq 200); do
		"$bin/nat-wg" status wg0 || exit 0
		sleep 0.1
	done
	exit 1
}

@test "nat-wg status: each peer of the one that runs, and of none that does not" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -mnp true 2>/dev/null || skip "no namespaces here"
	export -f status
	export bin key BATS_TEST_TMPDIR
	unshare -mnp --fork --kill-child --mount-proc bash -euc status
}

# What it says of each path, in words. Runs in namespaces.
words() {
	local lock record second want
	mount -t tmpfs none /run
	lock=/run/nat-wg.wg0.$(stat -Lc %i /proc/self/ns/net)
	exec 5>"$lock"
	flock 5
	while IFS='|' read -r record second want; do
		printf '%s path key=%s %s\n%s\n' "$(date +%s)" "$key" \
		    "$record" "${second:+path key=$key $second}" >"$lock.peers"
		script -qec "$bin/nat-wg status" /dev/null </dev/null |
			tr -d '\r' | sed -n 's/.* [0-9]* s  //p' >"$BATS_TEST_TMPDIR/said"
		echo "$record: $(cat "$BATS_TEST_TMPDIR/said")"
		[ "$(cat "$BATS_TEST_TMPDIR/said")" = "$want" ]
	done <<-END
	state=checking||the direct ways are being tried
	state=checking method=relay||a relay is awaited; with -r nothing else is tried
	state=direct endpoint=192.0.2.7:1 method=srflx|state=connected endpoint=192.0.2.7:1|
	state=direct endpoint=192.0.2.7:1||direct, and WireGuard's handshake is awaited
	state=direct endpoint=192.0.2.7:1|state=blocked endpoint=192.0.2.7:1 reason=no-handshake|the path works, but WireGuard does not shake hands there
	state=relayed endpoint=192.0.2.2:1 method=relay reason=no-answer|state=connected endpoint=192.0.2.2:1|no direct way lets packets through: the NATs, or a firewall
	state=relayed endpoint=192.0.2.2:1 method=relay reason=lost|state=connected endpoint=192.0.2.2:1|the direct path has stopped answering; it is tried again
	state=relayed endpoint=192.0.2.2:1 method=relay reason=denied|state=connected endpoint=192.0.2.2:1|a firewall on this host forbids it
	state=relayed endpoint=192.0.2.2:1 method=relay reason=relay-only|state=connected endpoint=192.0.2.2:1|nat-wg was told so, with -r
	state=relayed endpoint=192.0.2.2:1 method=relay reason=peer-relay-only|state=connected endpoint=192.0.2.2:1|the peer takes relays only, with -r
	state=relayed endpoint=127.0.0.1:1 method=relay reason=checking|state=connected endpoint=127.0.0.1:1|over TCP: the direct ways are being tried
	state=relayed endpoint=127.0.0.1:1 method=relay reason=no-answer|state=connected endpoint=127.0.0.1:1|over TCP: no UDP gets through from here, not even to a relay
	state=lost endpoint=192.0.2.7:1 reason=no-answer||the path has stopped answering
	state=failed reason=no-answer||no direct way lets packets through: the NATs, or a firewall; and no relay carries it
	state=failed reason=denied||a firewall on this host forbids it; and no relay carries it
	state=failed reason=gone||the peer has left the rendezvous server
	state=failed method=relay reason=no-relay||no relay takes us; with -r nothing else is tried
	state=failed method=relay reason=no-answer||the peer does not answer through a relay; with -r nothing else is tried
	END
}

@test "nat-wg status: why a peer is not direct, in words" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -mnp true 2>/dev/null || skip "no namespaces here"
	export -f words
	export bin key BATS_TEST_TMPDIR
	unshare -mnp --fork --kill-child --mount-proc bash -euc words
}

# WireGuard lists peers in any order. Runs in namespaces.
any_order() {
	local ticks='' tick
	mount -t tmpfs none /run
	ip link set lo up
	LOG_LEVEL=silent wireguard-go wg0
	wg genkey >"$BATS_TEST_TMPDIR/private"
	for _ in 1 2 3 4 5 6 7 8; do
		set -- "$@" peer "$(wg genkey | wg pubkey)"
	done
	wg set wg0 private-key "$BATS_TEST_TMPDIR/private" listen-port 7000 "$@"
	ip link set wg0 up
	"$bin/nat-wg" -S "$key@127.0.0.1:9" wg0 >/dev/null \
	    2>"$BATS_TEST_TMPDIR/log" 3>&- &
	for _ in $(seq 400); do
		for tick in $(pgrep -x sleep -a | sed -n 's/ sleep 2$//p'); do
			case $ticks in *" $tick "*) ;; *) ticks="$ticks $tick " ;; esac
		done
		# shellcheck disable=SC2086
		set -- $ticks
		[ $# -lt 5 ] || break
		sleep 0.05
	done
	[ $# -ge 5 ]
	cat "$BATS_TEST_TMPDIR/log"
	! grep 'other settings' "$BATS_TEST_TMPDIR/log" || exit 1
	wg set wg0 peer "$(wg genkey | wg pubkey)"
	for _ in $(seq 200); do
		! grep 'other settings' "$BATS_TEST_TMPDIR/log" || exit 0
		sleep 0.05
	done
	exit 1
}

@test "nat-wg: starts again for another peer, not for another order" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -mnp true 2>/dev/null || skip "no namespaces here"
	export -f any_order
	export bin key BATS_TEST_TMPDIR
	unshare -mnp --fork --kill-child --mount-proc bash -euc any_order
}
