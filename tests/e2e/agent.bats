#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2030,SC2031,SC2154
# nat-rendezvous (agent, key, ping) against real servers on loopback.

bats_require_minimum_version 1.5.0

setup_file() {
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	export PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	r=$NATKIT_BUILD/nat-rendezvous
	d=$NATKIT_BUILD/nat-rendezvousd
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=
	for who in s s2 a b c; do
		(umask 077 && head -c 32 /dev/urandom | base64 >$who.key)
		"$r" key -k $who.key | cut -d= -f2- >$who.pub
	done
}

teardown() {
	local p
	for p in $pids; do
		kill "$p" 2>/dev/null || :
	done
	for p in $pids; do
		wait "$p" || :
	done
	if [ -z "$BATS_TEST_COMPLETED" ]; then
		tail -n 30 ./*.out ./*.err
	fi
}

# await FILE PATTERN [COUNT]: until the file has so many lines that match.
await() {
	local tries=0
	until [ "$(grep -c -e "$2" "$1")" -ge "${3:-1}" ]; do
		tries=$((tries + 1))
		[ $tries -lt 250 ] || return 1
		sleep 0.1
	done 2>/dev/null
}

count() {
	grep -c -e "$2" "$1" || :
}

# serve NAME PORT [option...]: a server; $port is where, $pid who.
serve() {
	local name=$1
	rm -f "$name.out"
	"$d" -1 -k "$1.key" -b 127.0.0.1 -p "$2" "${@:3}" \
	    >"$1.out" 2>>"$1.err" 3>&- &
	pid=$!
	pids="$pids $pid"
	await "$name.out" ^listen
	port=$(sed -n 's/^listen endpoint=.*:\([0-9]*\).*/\1/p' "$name.out")
}

# agent NAME option...: candidates come from NAME.in, a FIFO.
agent() {
	local name=$1
	rm -f "$name.out"
	[ -p "$name.in" ] || mkfifo "$name.in"
	"$r" agent -k "$name.key" "${@:2}" \
	    <"$name.in" >"$name.out" 2>"$name.err" 3>&- &
	pid=$!
	pids="$pids $pid"
	case $name in
	a) exec 5>"$name.in" ;;
	b) exec 6>"$name.in" ;;
	c) exec 7>"$name.in" ;;
	esac
}

# offer PORT: a generation of one candidate
offer() {
	echo "candidate type=host endpoint=127.0.0.1:$1 base=127.0.0.1:$1" \
	    "priority=2130706431"
	echo "candidates generation=1 count=1"
}

pub() {
	cat "$1.pub"
}

field() {
	sed -n "s/.* $3=\([^ ]*\).*/\1/p" <<<"$(grep -e "$2" "$1" | tail -n 1)"
}

@test "usage errors end with 100 and say what to do" {
	local server
	server=$(pub s)@127.0.0.1:1
	usage() {
		run --separate-stderr timeout 5 "$r" "$@" </dev/null
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ "${stderr_lines[0]}" == "nat-rendezvous: "*": "* ]]
		[[ "${stderr_lines[1]}" == "usage: nat-rendezvous "* ]]
	}
	usage
	usage frobnicate
	usage agent
	usage agent -k a.key "$(pub b)"
	usage agent -k a.key -S "$server"
	usage agent -S "$server" "$(pub b)"
	usage agent -z -k a.key -S "$server" "$(pub b)"
	usage agent -t 0 -k a.key -S "$server" "$(pub b)"
	usage agent -t 1x -k a.key -S "$server" "$(pub b)"
	usage agent -p 65536 -k a.key -S "$server" "$(pub b)"
	usage agent -s path -p 1 -k a.key -S "$server" "$(pub b)"
	usage agent -k a.key -S 127.0.0.1:1 "$(pub b)"
	usage agent -k a.key -S "$(pub s)@127.0.0.1" "$(pub b)"
	usage agent -k a.key -S "$server" -S "$server" "$(pub b)"
	[[ "${stderr_lines[0]}" == *"given twice"* ]]
	usage agent -k a.key -S "$server" short
	usage agent -k a.key -S "$server" "$(pub b)" "$(pub b)"
	[[ "${stderr_lines[0]}" == *"given twice"* ]]
	usage agent -k a.key -S "$server" "$(pub a)"
	[[ "${stderr_lines[0]}" == *"the key of -k"* ]]
	usage agent -k - -S "$server" "$(pub b)"
	[[ "${stderr_lines[0]}" == *"/dev/fd/3"* ]]
	usage ping
	usage ping -S "$server" more
	usage ping -S "$server" -S "$(pub s2)@127.0.0.1:1"
	usage key
	usage key -k a.key more
}

@test "the zero key and the other low-order points are refused" {
	local key
	for key in 00 01 \
	    ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f \
	    e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800 \
	    5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157; do
		while [ ${#key} -lt 64 ]; do key=${key}00; done
		key=$(basenc --base16 -d <<<"${key^^}" | base64 -w 0)
		run --separate-stderr "$r" agent -k a.key \
		    -S "$(pub s)@127.0.0.1:1" "$key" </dev/null
		[ "$status" -eq 100 ]
		run --separate-stderr "$r" agent -k a.key \
		    -S "$key@127.0.0.1:1" "$(pub b)" </dev/null
		[ "$status" -eq 100 ]
	done
}

# waits NAME [REASON]: what is said last of peer b.
waits() {
	await "$1.out" "^peer key=$(pub b) state=waiting${2:+ reason=$2}$" "${3:-1}"
	[ "$(grep "^peer key=$(pub b) " "$1.out" | tail -n 1)" = \
	    "peer key=$(pub b) state=waiting${2:+ reason=$2}" ]
}

@test "why a peer is waited for: no server, then itself; then no more of it" {
	serve s 0
	kill "$pid"
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	offer 1001 >&5
	waits a no-server
	serve s "$port"
	waits a '' 2
	waits a absent
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1002 >&6
	await a.out "^go key=$(pub b) "
	kill "$pid"
	await a.out "^gone key=$(pub b) "
	[ "$(count a.out state=waiting)" -eq 4 ]
}

@test "why a peer is waited for: another key, or ours is not allowed" {
	pub s >allowed
	serve s 0 -a allowed
	agent a -S "$(pub s2)@127.0.0.1:$port" "$(pub b)"
	agent c -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	waits a wrong-key
	waits c refused
}

@test "why a peer is waited for: of several servers what one can do most about" {
	pub s >allowed
	serve s 0 -a allowed
	agent a -S "$(pub s)@127.0.0.1:$port" -S "$(pub s2)@127.0.0.1:9" "$(pub b)"
	await a.out "^session server=$(pub s2) .*state=down"
	waits a refused
}

@test "why a peer is waited for: the server is full" {
	serve s 0 -n 1
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	await a.out state=up
	agent c -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	waits c full
}

@test "64 peers are taken, 65 are too many" {
	local peers=()
	while [ ${#peers[@]} -lt 65 ]; do
		peers+=("$(head -c 32 /dev/urandom | base64)")
	done
	run --separate-stderr "$r" agent -k a.key -S "$(pub s)@127.0.0.1:1" \
	    "${peers[@]}" </dev/null
	[ "$status" -eq 100 ]
	[[ "${stderr_lines[0]}" == *"at most 64"* ]]
	run --separate-stderr timeout 3 "$r" agent -k a.key \
	    -S "$(pub s)@127.0.0.1:1" "${peers[@]:1}" </dev/null
	[ "$(grep -c state=waiting <<<"$output")" -eq 64 ]
}

@test "-h explains each command on standard output" {
	for verb in agent key ping; do
		run --separate-stderr "$r" $verb -h
		[ "$status" -eq 0 ]
		[[ "$output" == "usage: nat-rendezvous $verb "* ]]
		[ -z "$stderr" ]
	done
}

@test "key prints the public half; a bad file is a clear error" {
	if command -v wg >/dev/null; then
		[ "$(pub a)" = "$(wg pubkey <a.key)" ]
	fi
	[ "$("$r" key -k - <a.key)" = "key public=$(pub a)" ]
	[ "$("$r" key -j -k a.key)" = \
	    "{\"record\":\"key\",\"public\":\"$(pub a)\"}" ]
	for text in "" short "$(cat a.key b.key)"; do
		(umask 077 && printf %s "$text" >bad.key)
		run --separate-stderr "$r" key -k bad.key
		[ "$status" -eq 100 ]
		[ -z "$output" ]
		[[ "$stderr" == *"bad.key: not one private key"* ]]
	done
	run --separate-stderr "$r" key -k none.key
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"none.key: No such file"* ]]
	chmod 644 a.key
	run --separate-stderr "$r" key -k a.key
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"others may read this key"* ]]
}

@test "ping: the pinned key, another key, nobody" {
	command -v socat >/dev/null || skip "socat is not installed"
	serve s 0 -c control
	run --separate-stderr "$r" ping -S "$(pub s)@127.0.0.1:$port"
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^server\ key=$(pub s | sed 's/[+]/\\+/g')\ endpoint=127\.0\.0\.1:$port\ rtt_us=[0-9]+\ mapped=127\.0\.0\.1:[0-9]+$ ]]
	run --separate-stderr "$r" ping -k a.key -4 -S "$(pub s)@127.0.0.1:$port"
	[ "$status" -eq 0 ]
	run --separate-stderr "$r" ping -w 2 -S "$(pub s2)@127.0.0.1:$port"
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ "$stderr" == *": fatal: "*"not with the key given"* ]]
	run --separate-stderr "$r" ping -w 1 -6 -S "$(pub s)@127.0.0.1:$port"
	[ "$status" -eq 111 ]
	# none of these registered a key
	run socat -t 5 - UNIX-CONNECT:control <<<"peers"
	[ "$output" = "end status=ok" ]
	kill "$pid"
	wait "$pid" || :
	run --separate-stderr "$r" ping -w 1 -S "$(pub s)@127.0.0.1:$port"
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ "$stderr" == *": fatal: "*"no answer"* ]]
}

@test "a server that is down, or has another key, is told, with what to do" {
	local server_pid
	serve s 0
	server_pid=$pid
	agent a -S "$(pub s2)@127.0.0.1:$port" "$(pub b)"
	await a.out "^session server=$(pub s2) endpoint=127.0.0.1:$port state=down reason=wrong-key$"
	[ "$(cat a.err)" = "nat-rendezvous: warning: 127.0.0.1:$port: a server answers there, but not with the key given with -S" ]
	kill "$server_pid"
	wait "$server_pid" || :
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	await b.out "^session server=$(pub s) endpoint=127.0.0.1:$port state=down reason=no-answer$"
	[ "$(cat b.err)" = "nat-rendezvous: warning: 127.0.0.1:$port: no answer; is nat-rendezvousd running there, and UDP or TCP open? try: nat-rendezvous ping -S $(pub s)@127.0.0.1:$port" ]
	serve s "$port" # and it is tried again
	await b.out " state=up "
}

@test "a peer that is not there is named, once" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)" "$(pub c)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	await a.err "not met yet"
	[ "$(cat a.err)" = "nat-rendezvous: warning: peer $(pub c): not met yet: it must run with the same server, and want our key $(pub a)" ]
	agent c -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1003 >&7
	await a.out "^go key=$(pub c) "
	[ "$(wc -l <a.err)" -eq 1 ]
	[ ! -s b.err ]
}

# met NAME PEER PORT [COUNT]: NAME has all that it needs of PEER.
met() {
	await "$1.out" "^go key=$(pub "$2") generation=1 age_ms="
	[ "$(count "$1.out" "^peer key=$(pub "$2") state=waiting$")" -eq 1 ]
	grep -q "^remote key=$(pub "$2") generation=1 type=host endpoint=127.0.0.1:$3 priority=2130706431$" "$1.out"
	[ "$(count "$1.out" "^peer key=$(pub "$2") state=introduced generation=1 count=${4:-1} role=")" -eq 1 ]
	[ "$(count "$1.out" "^go ")" -eq 1 ]
}

@test "two agents meet; each has the other's credentials and its own role" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	offer 1001 >&5
	# the session is there, and nothing more is told of a peer that is not
	await a.out "^session server=$(pub s) endpoint=127.0.0.1:$port state=up rtt_us=[0-9]* mapped=127.0.0.1:"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1002 >&6
	met a b 1002
	met b a 1001
	[ "$(field a.out introduced user)" = "$(field b.out introduced peer_user)" ]
	[ "$(field a.out introduced password)" = \
	    "$(field b.out introduced peer_password)" ]
	[ "$(field b.out introduced password)" = \
	    "$(field a.out introduced peer_password)" ]
	run sort <<<"$(field a.out introduced role) $(field b.out introduced role)"
	[[ "$output" = "controlling controlled" || \
	    "$output" = "controlled controlling" ]]
}

@test "a session is up before there are candidates, a want goes out after" {
	command -v socat >/dev/null || skip "socat is not installed"
	serve s 0 -c control
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1002 >&6
	await a.out state=up
	await b.out state=up
	run "$r" ping -S "$(pub s)@127.0.0.1:$port" # something later went through
	[ "$(count b.out ^remote)" -eq 0 ]
	echo "candidates generation=1 count=0" >&5
	await a.out "^go "
	await b.out "state=introduced generation=1 count=0 "
	[ "$(count b.out ^remote)" -eq 0 ]
}

@test "a new generation reaches the peer, and has its own go" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	met b a 1001
	offer 2001 >&5
	await b.out "^remote .*generation=2 .*endpoint=127.0.0.1:2001"
	await b.out "^go key=$(pub a) generation=2 "
	await a.out "^go key=$(pub b) generation=1 " 2
	[ "$(count a.out ^remote)" -eq 1 ]
	[ "$(count b.out ^remote)" -eq 2 ]
}

@test "who is not wanted learns nothing" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	agent c -S "$(pub s)@127.0.0.1:$port" "$(pub a)" "$(pub b)"
	offer 1003 >&7
	await c.out state=up
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	met b a 1001
	[ "$(count c.out '^remote\|introduced\|^go\|^gone')" -eq 0 ]
	[ "$(count a.out "$(pub c)")" -eq 0 ]
}

@test "a server with another key than the pinned one gets nothing out of us" {
	serve s 0
	agent a -t 1 -S "$(pub s2)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	await b.out state=up
	[ "$(count a.out ^session)" -eq 0 ]
	[ "$(count b.out '^remote')" -eq 0 ]
}

@test "a server that does not allow the key is reported, once" {
	pub b >allow
	serve s 0 -a allow
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	offer 1001 >&5
	await a.out "^session server=$(pub s) endpoint=127.0.0.1:$port state=refused reason=forbidden$"
	grep -q "refuses this key" a.err
	kill -0 "$pid"
}

@test "two servers: either is enough, one that dies and returns costs nothing" {
	local first second second_pid
	serve s2 0
	second=$port second_pid=$pid
	serve s 0
	first=$port
	kill -9 "$second_pid"
	agent a -t 1 -S "$(pub s2)@127.0.0.1:$second" \
	    -S "$(pub s)@127.0.0.1:$first" "$(pub b)"
	agent b -t 1 -S "$(pub s)@127.0.0.1:$first" \
	    -S "$(pub s2)@127.0.0.1:$second" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	met b a 1001
	serve s2 "$second"
	await a.out "server=$(pub s2) .*state=up"
	await b.out "server=$(pub s2) .*state=up"
	kill -9 "$(awk '{print $2}' <<<"$pids")" # the first
	offer 2001 >&5
	await b.out "^remote .*endpoint=127.0.0.1:2001"
	await b.out "^go .*generation=2 "
	await a.out "server=$(pub s) .*state=down reason=timeout"
	[ "$(count a.out ^gone)" -eq 0 ]
	[ "$(count a.out introduced)" -eq 1 ]
	[ "$(count b.out introduced)" -eq 2 ]
}

@test "kill -9 and a restart: registered again within a keepalive, untouched" {
	command -v socat >/dev/null || skip "socat is not installed"
	serve s 0
	agent a -t 2 -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -t 2 -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	met b a 1001
	kill -9 "$(awk '{print $1}' <<<"$pids")"
	serve s "$port" -c control
	await a.out state=up 2
	await b.out state=up 2
	run socat -t 5 - UNIX-CONNECT:control <<<"peers"
	[[ "$output" == *"$(pub a)"*"$(pub b)"* || \
	    "$output" == *"$(pub b)"*"$(pub a)"* ]]
	# what was said once is not said again; what is new passes
	offer 2002 >&6
	await a.out "^go .*generation=2 "
	[ "$(count a.out introduced)" -eq 2 ]
	[ "$(count a.out "^go ")" -eq 2 ]
	[ "$(count a.out "state=down")" -eq 0 ]
	[ "$(count a.out ^gone)" -eq 0 ]
}

@test "a peer that restarts is met anew; one that ends is gone" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	kill -9 "$pid"
	wait "$pid" || :
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	offer 2002 >&6
	await a.out "^remote .*generation=1 .*endpoint=127.0.0.1:2002"
	await a.out "^go " 2
	await b.out "^go "
	[ "$(count a.out ^gone)" -eq 0 ]
	[ "$(field a.out introduced peer_user)" = \
	    "$(field b.out introduced user)" ]
	kill "$pid"
	wait "$pid"
	await a.out "^gone key=$(pub b) reason=left$"
}

@test "bad lines get one warning each and lose nothing" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	{
		echo "nat axis=mapping value=endpoint-independent"
		echo "candidate type=host endpoint=nonsense priority=1"
		printf 'bin\001ary\377 =\n'
		head -c 5000 /dev/zero | tr '\0' x
		echo
		echo "candidate type=what endpoint=127.0.0.1:1 priority=1"
		offer 1001
	} >&5
	offer 1002 >&6
	met a b 1002
	met b a 1001
	grep -q "line 2: a candidate needs endpoint=" a.err
	grep -q "line 3: not a record" a.err
	grep -q "a line is too long" a.err
	grep -q "a candidate needs type=" a.err
	# the fifth: two of three candidates could not be read
	[ "$(count a.err "warning")" -eq 5 ]
	LC_ALL=C run grep -c -P '[^\x20-\x7e]' a.err
	[ "$output" = 0 ]
}

@test "end of input keeps the last candidates; a file is input, too" {
	serve s 0
	offer 1001 >a.file
	"$r" agent -k a.key -S "$(pub s)@127.0.0.1:$port" "$(pub b)" \
	    <a.file >a.out 2>a.err 3>&- &
	pids="$pids $!"
	"$r" agent -k b.key -S "$(pub s)@127.0.0.1:$port" "$(pub a)" \
	    </dev/null >b.out 2>b.err 3>&- &
	pids="$pids $!"
	await b.out "^remote .*endpoint=127.0.0.1:1001"
	await a.out "introduced generation=1 count=0"
	await a.out "^go "
	[ "$(count b.err "ended before a candidates record")" -eq 1 ]
	[ ! -s a.err ]
}

@test "when nobody reads any more it ends with 111" {
	serve s 0
	mkfifo out
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	"$r" agent -v -k c.key -S "$(pub s)@127.0.0.1:$port" "$(pub b)" \
	    <a.in >out 2>c.err 3>&- &
	pid=$!
	head -n 2 <out >lines
	[ "$(wc -l <lines)" -eq 2 ]
	wait "$pid" && code=0 || code=$?
	[ "$code" -eq 111 ]
	grep -q "info: nobody reads" c.err
}

@test "SIGTERM and SIGINT end it with 0" {
	serve s 0
	for sig in TERM INT; do
		agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
		await a.out state=up
		kill -$sig "$pid"
		wait "$pid"
		[ ! -s a.err ]
	done
}

@test "over a port socket; when nat-port goes it ends with 111" {
	[ -x "$NATKIT_BUILD/nat-port" ] || skip "nat-port is not built"
	local agent_pid port_pid
	serve s 0
	"$NATKIT_BUILD/nat-port" -1 -o 0 "$PWD/p" >p.out 2>p.err 3>&- &
	port_pid=$!
	pids="$pids $port_pid"
	await p.out ^port
	agent a -s "$PWD/p" -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	agent_pid=$pid
	agent b -S "$(pub s)@127.0.0.1:$port" "$(pub a)"
	await a.out ' state=up ' # else that word makes a second generation
	offer 1001 >&5
	offer 1002 >&6
	met a b 1002
	# the server's word completes what was fed, where the port is shared
	met b a 1001 2
	grep -q "^remote .* type=srflx endpoint=127.0.0.1:$(field p.out ^port port) " b.out
	grep -q "mapped=127.0.0.1:$(field p.out ^port port)\$" a.out
	kill "$port_pid"
	wait "$agent_pid" && code=0 || code=$?
	[ "$code" -eq 111 ]
	grep -q "nat-port" a.err
}

@test "no port socket there: 111" {
	run --separate-stderr "$r" agent -s "$PWD/none" -k a.key \
	    -S "$(pub s)@127.0.0.1:1" "$(pub b)" </dev/null
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	[[ "$stderr" == *"is nat-port running?"* ]]
}

@test "a name that does not resolve is a warning, and is tried again" {
	agent a -S "$(pub s)@no.such.name.invalid:3478" "$(pub b)"
	await a.err "no.such.name.invalid:3478: .*; trying again"
	kill -0 "$pid"
}

@test "it holds no capability and can get none" {
	serve s 0
	agent a -S "$(pub s)@127.0.0.1:$port" "$(pub b)"
	await a.out state=up
	grep -q "^CapEff:	0*$" "/proc/$pid/status"
	grep -q "^CapPrm:	0*$" "/proc/$pid/status"
	grep -q "^NoNewPrivs:	1$" "/proc/$pid/status"
}

@test "the key may come from another descriptor, and records as JSON" {
	serve s 0
	"$r" agent -j -k /dev/fd/9 -S "$(pub s)@127.0.0.1:$port" "$(pub b)" \
	    </dev/null >a.out 2>a.err 9<a.key 3>&- &
	pids="$pids $!"
	await a.out "^{\"record\":\"peer\",\"key\":\"$(pub b)\",\"state\":\"waiting\"}$"
	await a.out '"state":"up","rtt_us":[0-9]*,"mapped":"127.0.0.1:[0-9]*"}$'
}
