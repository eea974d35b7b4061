# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2016,SC2094,SC2154
#
# The scenarios of pipe.bats: `bash pipe-net.bash NAME`, run in namespaces of its
# own. Hosts a, b and c are keys at 198.51.100.1; a rendezvous server is at its
# port 3478.

set -Eeu
trap 'echo "pipe-net: line $LINENO: $BASH_COMMAND" >&2' ERR
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
export NATKIT_BUILD=$build PATH=$here/../../bin:$PATH
unset NATKIT_DIR NATKIT_SERVER XDG_RUNTIME_DIR
[ $$ = 1 ] || exit 100
mount -t tmpfs -o mode=755 none /run
mkdir /run/t
cd /run/t
export HOME=/run/t TMPDIR=/run/t
ip link set lo up
ip link add name both type veth peer name other
ip addr add 198.51.100.1/24 dev both
ip link set both up
ip link set other up
for who in s a b c; do
	(umask 077 && head -c 32 /dev/urandom | base64 >$who.key)
	"$build/nat-rendezvous" key -k $who.key | cut -d= -f2- >$who.pub
	declare $who="$(cat $who.pub)"
done
server=$s@198.51.100.1:3478
pipe=$build/nat-pipe
printf '%s\n' "a $a" "b $b server=$server" "c $c" >peers
export NATKIT_LINGER=1

fail() {
	echo "pipe-net: $*"
	tail -n 20 ./*.err 2>/dev/null || :
	exit 99
}

# within PROG ARGS: tries until it succeeds, at most 1000 times.
within() {
	local _
	for _ in {1..1000}; do
		"$@" 2>/dev/null && return 0
		sleep 0.02
	done
	fail "never came true: $*"
}

same() { # WHAT GOT WANTED
	[ "$2" = "$3" ] || fail "$1: got '$2', not '$3'"
}

# ready NAME PROG ARGS: runs it, with what is at descriptor 4 as standard input;
# it writes a newline to descriptor 5.
ready() {
	local name=$1
	shift
	[ -p "$name.ready" ] || mkfifo "$name.ready"
	"$@" 5>"$name.ready" <"${input:-/dev/null}" >"$name.out" \
	    2>>"$name.err" &
	pid=$!
	read -r _ <"$name.ready" || fail "$name did not start"
}

rendezvous() {
	ready rendezvousd "$build/nat-rendezvousd" -N 5 -k s.key
}

# As the pipeline would do it, at once: b is at port 7002, a at 7001, c at 7003.
# wired WHO: the options for that.
wired() {
	local port='' peer n=7001
	for peer in "$a" "$b" "$c"; do
		echo "path key=$peer state=direct endpoint=198.51.100.1:$n"
		n=$((n + 1))
	done >"$1.paths"
	case $1 in a) port=7001 ;; b) port=7002 ;; c) port=7003 ;; esac
	options=(-k "$1.key" -P peers -p "$port" -s "$1.lend" -i "$1.paths")
}

# serve NAME ARGS: b's nat-pipe -l
serve() {
	local options
	wired b
	ready "$1" "$pipe" "${options[@]}" -N 5 -l -a allow "${@:2}"
	b_pid=$pid
}

# client ARGS: a's nat-pipe
client() {
	local options
	wired a
	"$pipe" "${options[@]}" "$@"
}

# code WANTED PROG ARGS
code() {
	local got=0
	"${@:2}" || got=$?
	same "exit code of ${*:2}" $got "$1"
}

# start_client FIFO ARGS: in the background; its standard input is descriptor 7.
start_client() {
	local options
	wired a
	[ -p "$1" ] || mkfifo "$1"
	"$pipe" "${options[@]}" "${@:2}" <"$1" >out 2>err &
	client_pid=$!
	exec 7>"$1"
}

answers() { # COMMAND: of the control socket of b
	echo "$1" | socat -t 5 - UNIX-CONNECT:"${2:-b.key.ctl}"
}

scenario_rendezvous() {
	rendezvous
	head -c 3000000 /dev/urandom >data
	echo "allow $a" >allow
	ready b "$pipe" -N 5 -k b.key -P peers -S "$server" -l -a allow
	b_pid=$pid
	code 0 "$pipe" -k a.key -P peers b <data 2>a.err
	code 0 wait $b_pid
	cmp data b.out
	# with a program, for many streams, whose output comes back
	ready b "$pipe" -N 5 -k b.key -P peers -S "$server" -l -a allow \
	    sh -c 'echo $PROTO $NATKIT_PEER; sha256sum'
	b_pid=$pid
	# a forward alone, without any other nat-pipe of its key
	ready f "$pipe" -N 5 -k c.key -P peers -L 9001:127.0.0.1:8001 b
	kill $pid
	code 0 wait $pid
	within test ! -e c.key.sock
	# the server at two places: it takes one session of a key
	NATKIT_SERVER="$server $s@127.0.0.1:3478" \
	    "$pipe" -k a.key -P peers "$b" <data >out 2>>a.err ||
		fail "exit code $?"
	printf '%s\n' "QUIC $a" "$(sha256sum <data)" | cmp - out
	# the pipeline ends with the engine
	kill $b_pid
	code 0 wait $b_pid
	within gone nat-connect
}

children_of() { # PID NAME
	local p all
	read -ra all <"/proc/$1/task/$1/children" || :
	for p in "${all[@]}"; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != "$2" ] || echo "$p"
	done
}

another() { # PID NAME NOT: it has a child of this name, which is another one
	local p
	p=$(children_of "$1" "$2")
	[ -n "$p" ] && [ "$p" != "$3" ]
}

arguments() { # PID NAME PATTERN
	tr '\0' '\n' <"/proc/$(children_of "$1" "$2")/cmdline" | grep -q -e "$3"
}

scenario_pipeline() {
	local first client_pid
	rendezvous
	echo "allow $a" >allow
	ready b "$pipe" -N 5 -k b.key -P peers -S "$server" -l -a allow cat
	b_pid=$pid
	mkfifo hold
	"$pipe" -k a.key -P peers b <hold >out 2>err &
	client_pid=$!
	exec 7>hold
	echo one >&7
	within grep -q one out
	# the pipeline ends by itself: said, started again, and the stream goes on
	first=$(children_of $b_pid nat-connect)
	kill -9 "$first"
	within grep -q 'nat-pipe: warning: the pipeline ended with code 128' b.err
	echo two >&7
	within grep -q two out
	within another $b_pid nat-connect "$first"
	# another peer: the pipeline is told, and the stream goes on
	first=$(children_of $b_pid nat-connect)
	echo "allow $c" >>allow
	kill -HUP $b_pid
	within another $b_pid nat-connect "$first"
	within arguments $b_pid nat-connect "^$c"
	echo three >&7
	within grep -q three out
	first=$(children_of $b_pid nat-connect)
	kill -HUP $b_pid # nothing new
	same 'one more' "$("$pipe" -k c.key -P peers b <<<hello)" hello
	same pipeline "$(children_of $b_pid nat-connect)" "$first"
	# a packet that is none of ours does not bother the engine
	printf 'open to=nonsense' | socat -t 5 - UNIX-CONNECT:b.key.sock,type=5 |
		grep -q 'end end=failed'
	head -c 20000 /dev/urandom |
		socat -t 5 -b 7000 - UNIX-CONNECT:b.key.sock,type=5 >garbage || :
	# however nat-pipe ends, nothing of the pipeline is left
	exec 7>&-
	code 0 wait $client_pid
	kill -9 $b_pid
	wait $b_pid 2>/dev/null || :
	within gone nat-connect
	within gone nat-punch
}

gone() { # PROGRAM: none is left (a's engine ends by itself)
	local p
	for p in /proc/[0-9]*; do
		[ "$(cat "$p/comm")" = "$1" ] && return 1
	done
	return 0
}

scenario_bytes() {
	local n
	head -c 5000000 /dev/urandom >data
	echo "allow $a" >allow
	# who ends first: the client
	serve b1 sh -c 'cat; cat data'
	client b <data >out
	cat data data | cmp - out
	# the program: its end comes while we could still send
	kill $b_pid
	wait $b_pid || :
	serve b2 sh -c 'cat data; exec >&-; cat >got; echo x >over'
	: >out
	{ within cmp -s data out; cat data; } | client b >>out
	within test -s over
	cmp data out
	cmp data got
	# both at once, many of them
	kill $b_pid
	wait $b_pid || :
	serve b3 cat
	for n in 1 2 3 4 5 6 7 8; do
		client b <data >out$n 2>err$n &
	done
	for n in 1 2 3 4 5 6 7 8; do
		wait -n || fail "one of eight failed: $(cat err?)"
	done
	for n in 1 2 3 4 5 6 7 8; do
		cmp data out$n
	done
	# one socket for both directions, as ssh gives it
	socat -u OPEN:data EXEC:"$pipe -k a.key -P peers b" >out
	cmp data out
	socat -t 10 - EXEC:"$pipe -k a.key -P peers b" <data >out
	cmp data out
	same 'an empty stream' "$(client b </dev/null)" ''
	# standard input and output at both ends: both end, and end well
	kill $b_pid
	wait $b_pid || :
	for n in 1 2; do
		input=data serve b4
		client b <data >out
		code 0 wait $b_pid
		cmp data out
		cmp data b4.out
	done
	input=data serve b4
	same 'nothing there' "$(client b </dev/null | cmp - data)" ''
	code 0 wait $b_pid
}

scenario_codes() {
	printf '%s\n' "permit $a 127.0.0.1:9" "permit $c 127.0.0.1:10" >allow
	serve b
	code 1 client -W 127.0.0.1:9 b </dev/null 2>err
	grep -q '^nat-pipe: fatal: b: .*refused the connection' err
	code 1 client -W 127.0.0.1:10 b </dev/null 2>err
	same message "$(cat err)" "nat-pipe: fatal: b does not permit 127.0.0.1:10: add 'permit $a 127.0.0.1:10' to its allow file"
	code 1 client -W /run/x b </dev/null 2>err
	grep -qF "add 'permit $a /run/x' to its allow file" err
	code 1 client b </dev/null 2>err
	grep -qF "add 'allow $a' to its allow file" err
	# nobody is at 7003
	code 111 client -w 1 c </dev/null 2>err
	grep -q '^nat-pipe: fatal: no way to c within 1 s: there is a path (direct 198.51.100.1:7003), but no nat-pipe' err
	# the peer's process ends in the middle: that is no end of file
	kill $b_pid
	wait $b_pid || :
	echo "allow $a" >allow
	serve b sh -c 'echo half; exec sleep 100'
	start_client hold b
	within grep -q half out
	kill -9 $b_pid
	serve b2 cat
	echo more >&7 # what b does not know it resets
	code 111 wait $client_pid
	grep -q '^nat-pipe: fatal: b: ' err
}

# Own faults first, and at once what does not mend by itself.
scenario_faults() {
	local n client_pid
	echo "allow $a" >allow
	code 127 "$pipe" -k b.key -P peers -S "$server" -l -a allow nosuchprog 2>err
	same missing "$(cat err)" "nat-pipe: fatal: the program nosuchprog isn't there"
	code 126 "$pipe" -k b.key -P peers -S "$server" -l -a allow ./allow 2>err
	grep -q "the program ./allow can't be run" err
	# who reads us goes: nothing of ours failed
	serve b sh -c 'while echo line; do :; done'
	n=0
	set +e
	client b </dev/null 2>err | head -n 1 >out
	n=${PIPESTATUS[0]}
	set -e
	same 'exit code' "$n" 141
	grep -qx 'nat-pipe: fatal: standard output was closed by its reader' err
	code 111 client b </dev/null >/dev/full 2>err
	same message "$(cat err)" "nat-pipe: fatal: standard output can't be written to"
	# as ssh does it with its ProxyCommand: killed as soon as its output ends
	mkfifo proxy
	for n in 1 2 3 4 5 6; do
		client -W 127.0.0.1:9 b </dev/null >proxy 2>err &
		client_pid=$!
		cat proxy
		kill -9 $client_pid 2>/dev/null || :
		wait $client_pid 2>/dev/null || :
		grep -q 'b does not permit 127.0.0.1:9' err ||
			fail "nothing was said: $(cat err)"
	done
	kill $b_pid
	within test ! -e a.key.sock
	# the pipeline can't work: said at once, with its code
	chown 1000 a.key
	code 100 timeout 20 "$pipe" -k a.key -P peers -w 60 b 2>err </dev/null
	grep -q '^nat-pipe: fatal: no way to b: the pipeline ended with code 100: .*a.key can.t be read' err
	within test ! -e a.key.sock
	chown 0 a.key
	# a server that is another one, or that is not there at all
	rendezvous
	code 111 "$pipe" -k a.key -P peers -S "$c@198.51.100.1:3478" -w 12 c \
	    2>err1 </dev/null &
	n=$!
	code 111 "$pipe" -k b.key -P peers -S "$s@nosuch.invalid:3478" -w 12 a \
	    2>err2 </dev/null &
	# the peer may be at either
	code 111 "$pipe" -k c.key -P peers -S "$a@198.51.100.1:3478" -w 13 b \
	    2>err3 </dev/null
	wait $n
	wait $!
	grep -q "^nat-pipe: fatal: no way to c within 12 s: the rendezvous server 198.51.100.1:3478 has another key" err1 ||
		fail "$(cat err1)"
	grep -q "^nat-pipe: fatal: no way to a within 12 s: the rendezvous server nosuch.invalid:3478 can't be found" err2 ||
		fail "$(cat err2)"
	grep -q "^nat-pipe: fatal: no way to b within 13 s: it has not come .* And the rendezvous server 198.51.100.1:3478 has another key" err3 ||
		fail "$(cat err3)"
}

scenario_usage() {
	local k=(-k a.key -P peers)
	usage() { # PATTERN ARGS
		code 100 "$pipe" "${@:2}" >out 2>err </dev/null
		[ ! -s out ] || fail "usage error prints: $(cat out)"
		head -n 1 err | grep -qE -e "^nat-pipe: fatal: .*$1" ||
			fail "no '$1' in $(cat err)"
	}
	usage 'give the peer'
	same 'lines of a usage error' "$(wc -l <err)" 2
	usage 'nobody is neither|no such|nobody' "${k[@]}" nobody
	usage 'our own key' "${k[@]}" a
	usage 'no rendezvous server' "${k[@]}" c
	usage 'there is no key yet; make one' b
	usage '-W .*host:port' "${k[@]}" -W 22 b
	usage '-W .*host:port' "${k[@]}" -W h:0 b
	usage '-W goes with' "${k[@]}" -l -W h:1
	usage 'one operand too many' "${k[@]}" b c
	usage '-L: options come before' "${k[@]}" b -L 1:h:2
	usage '-L 1:2:' "${k[@]}" -L 1:2: b
	usage 'give the peer, by' "${k[@]}" -L 1:h:2
	usage 'either -d or -r' "${k[@]}" -dr b
	usage '--nosuch is no option' "${k[@]}" --nosuch b
	usage 'routes: give the file' "${k[@]}" routes
	usage 'nosuch' "${k[@]}" -S "$server" routes nosuch
	usage 'allow.*who may come' "${k[@]}" -S "$server" -l
	usage '-i -: standard input' "${k[@]}" -i - b
	usage '-S .*give KEY@host:port' "${k[@]}" -S host b
	usage 'plain file' -k /dev/null -P peers b
	echo "allow nobody" >allow
	usage 'allow:1: ' "${k[@]}" -S "$server" -l -a allow
	echo "# none" >allow
	usage 'names no key' "${k[@]}" -S "$server" -l -a allow
	chmod 666 allow
	usage 'allow: ' "${k[@]}" -S "$server" -l -a allow
	code 100 env NATKIT_SERVER=x "$pipe" "${k[@]}" b 2>err
	grep -q 'NATKIT_SERVER x: give KEY@host' err
	code 0 "$pipe" -h >out
	grep -q '^usage: nat-pipe' out
	code 0 "$pipe" --help >out
	grep -q -- --progress out
	code 1 "$pipe" "${k[@]}" status >out 2>err
	grep -q 'no nat-pipe runs' err
}

scenario_stranger() {
	echo "allow $c" >allow
	serve b cat
	# a's path leads to b, who does not know a: not a packet comes back
	tcpdump -i lo -nU -Q out udp src port 7002 >heard 2>tcpdump.err &
	within grep -q listening tcpdump.err
	code 111 client -w 1 b </dev/null 2>err
	grep -q 'no nat-pipe that knows our key answers' err
	same 'packets of b' "$(wc -l <heard)" 0
	same 'peers of b' "$(answers stats | grep -c 'name=up value=0')" 1
	# who is taken from the allow file is a stranger again
	echo "allow $a" >>allow
	kill -HUP $b_pid
	same allowed "$(echo hello | client -w 10 b)" hello
	echo "allow $c" >allow
	kill -HUP $b_pid
	within one_peer
	code 111 client -w 1 b </dev/null 2>/dev/null
}

one_peer() {
	answers stats | grep -q 'name=peers value=1'
}

scenario_shared() {
	echo "allow $a" >allow
	serve b cat
	local n clients=()
	mkfifo h1 h2
	wired a
	for n in 1 2; do # at once, and no engine is there
		"$pipe" "${options[@]}" b <h$n >out$n 2>err$n &
		clients+=($!)
	done
	exec 7>h1 8>h2
	echo one >&7
	echo two >&8
	within grep -q one out1
	within grep -q two out2
	# one engine has both streams
	same streams "$(answers streams a.key.ctl | grep -c '^stream .*to=program state=open')" 2
	# a killed client takes its stream with it, and no other
	kill -9 "${clients[0]}"
	wait "${clients[0]}" 2>/dev/null || :
	within one_stream
	echo more >&8
	within grep -q more out2
	# a foreground engine does not take the key away from a stream
	code 111 "$pipe" "${options[@]}" -L 0:127.0.0.1:9 b 2>err
	grep -qE 'fatal: nat-pipe [0-9]+, which has this key, is busy: end it first \(kill [0-9]+\), .*; what ends with it: 1 stream$' err
	exec 8>&- 7>&-
	code 0 wait "${clients[1]}"
	# but it may from one that only lingers
	NATKIT_LINGER=600 client b </dev/null
	ready fore "$pipe" "${options[@]}" -N 5 -L 0:127.0.0.1:9 b
	same 'a client of it' "$(echo hello | client b)" hello
	kill $pid
	code 0 wait $pid
	[ ! -e a.key.sock ] || fail 'its socket is still there'
	# a stale socket is replaced; the engine ends when nobody comes
	NATKIT_LINGER=600 client b </dev/null
	local engine
	engine=$(ss -xlp | grep -o 'a.key.sock.*pid=[0-9]*' | sed 's/.*pid=//')
	kill -9 "$engine"
	[ -S a.key.sock ] || fail 'no stale socket'
	same 'after a crash' "$(echo again | client b)" again
	within test ! -e a.key.sock
}

engine_of() { # KEYFILE
	ss -xlp | grep -o "$1.sock .*pid=[0-9]*" | sed 's/.*pid=//'
}

# What says which paths are used is not disregarded, whoever has started the
# engine, nor kept for the next one.
scenario_options() {
	echo "allow $a" >allow
	serve b cat
	local first n
	start_client hold b
	echo one >&7
	within grep -q one out
	first=$(engine_of a.key)
	for n in -d -r '-x lo' '-p 7009' '-m 65' '-n 9' -G '-s other'; do
		# shellcheck disable=SC2086
		code 111 "$pipe" -k a.key -P peers $n b 2>err </dev/null
		grep -qE "^nat-pipe: fatal: nat-pipe $first, which has this key, was started without $n.*: end it first \(kill $first\); what ends with it: 1 stream$" err ||
			[ "$n" = '-s other' ] || fail "$n: $(cat err)"
	done
	grep -q 'without -s /run/t/other: ' err
	# what it has is taken
	same 'its own port' "$(echo x | "$pipe" -k a.key -P peers -p 7001 -m 64 b)" x
	echo two >&7
	within grep -q two out
	exec 7>&-
	code 0 wait $client_pid
	# one that only lingers is started again as it is wanted, and again without
	export NATKIT_LINGER=600
	client b </dev/null
	first=$(engine_of a.key)
	same 'with -d' "$(echo x | client -d b)" x
	n=$(engine_of a.key)
	[ "$n" != "$first" ] || fail 'an engine without -d'
	same 'with -d again' "$(echo x | client -d b)" x
	same 'the same engine' "$(engine_of a.key)" "$n"
	# forwards, too
	attach f1 -d -L 9001:127.0.0.1:8001 b
	first=$pid
	code 111 client -r b 2>err </dev/null
	grep -q 'without -r: .*; what ends with it: 1 forward$' err
	same 'it serves who does not care' "$(echo x | client b)" x
	kill $first
	code 0 wait $first
	same 'without' "$(echo x | client b)" x
	[ "$(engine_of a.key)" != "$n" ] || fail 'it still has -d'
	# one in the foreground says so
	echo "allow $b" >allow.a
	wired a
	ready l "$pipe" "${options[@]}" -N 5 -l -a allow.a cat
	code 111 "$pipe" -k a.key -P peers -d b 2>err </dev/null
	grep -q "nat-pipe $pid, .* without -d: .*; what ends with it: what it serves (-l)$" err
	kill $pid
	code 0 wait $pid
}

one_stream() {
	[ "$(answers streams a.key.ctl | grep -c ^stream)" = 1 ]
}

# echo_server PORT|PATH TEXT
echo_server() {
	local at=TCP-LISTEN:$1,bind=127.0.0.1,fork,reuseaddr
	case $1 in /*) at=UNIX-LISTEN:$1,fork ;; esac
	socat "$at" SYSTEM:"echo $2; cat" &
	case $1 in
	/*) within test -S "$1" ;;
	*) within listens "$1" ;;
	esac
}

ask() { # ADDRESS TEXT: what comes back
	echo "$2" | socat -t 5 - "$1"
}

scenario_routes() {
	printf '%s\n' "permit $a 127.0.0.1:8001" "permit $a 127.0.0.1:8002" \
	    "permit $a 127.0.0.1:8004" "permit $a /run/t/unix" "permit $a 127.0.0.1:8003/udp" \
	    "listen $a 9004" >allow
	serve b
	echo_server 8001 one
	echo_server 8002 two
	echo_server /run/t/unix three
	cat >http <<-'END'
		while IFS= read -r line && [ ${#line} -gt 1 ]; do :; done
		printf 'HTTP/1.0 200 OK\r\n\r\nfour'
	END
	socat TCP-LISTEN:8004,bind=127.0.0.1,fork,reuseaddr EXEC:'sh http' &
	within listens 8004
	socat UDP-LISTEN:8003,bind=127.0.0.1,fork EXEC:cat &
	within bound 8003
	wired a
	printf '%s\n' 'b -L 9001:127.0.0.1:8001' 'b -L /run/t/l:/run/t/unix' \
	    'b -D 9003' 'b -U 9005:127.0.0.1:8003' \
	    'b -R 9004:127.0.0.1:8002' >routes
	ready routes "$pipe" "${options[@]}" -N 5 routes routes
	local routes=$pid
	same TCP "$(ask TCP:127.0.0.1:9001 x)" $'one\nx'
	same Unix "$(ask UNIX-CONNECT:/run/t/l x)" $'three\nx'
	echo u | socat -t 9 - UDP:127.0.0.1:9005 >udp &
	within grep -qx u udp
	same SOCKS "$(curl -s --socks5-hostname 127.0.0.1:9003 \
	    http://127.0.0.1:8004/)" four
	code 97 curl -s --socks5-hostname 127.0.0.1:9003 http://127.0.0.1:8009/
	within grep -q 'forward=-R%209004.* state=listening' routes.out
	same 'records of -L' "$(grep -c 'forward=-L%209001' routes.out)" 1
	same remote "$(ask TCP:127.0.0.1:9004 x)" $'two\nx'
	# SIGHUP: one is new, one is gone, one stays, with its connection
	mkfifo hold
	socat -t 60 - TCP:127.0.0.1:9001 <hold >held &
	exec 7>hold
	echo before >&7
	within grep -q before held
	printf '%s\n' 'b -L 9001:127.0.0.1:8001' 'b -L 9002:127.0.0.1:8002' \
	    >routes
	kill -HUP $routes
	within listens 9002
	same new "$(ask TCP:127.0.0.1:9002 x)" $'two\nx'
	listens 9003 && fail '9003 is still there'
	echo after >&7
	within grep -q after held
	same routes "$(answers routes a.key.ctl | grep -c ^route)" 2
	# a mistake changes nothing
	echo 'b -L nonsense' >>routes
	kill -HUP $routes
	within grep -q 'routes:3: .*stays as it was' routes.err
	listens 9002 || fail '9002 is gone'
	kill $routes
	code 0 wait $routes
}

# attach NAME ARGS: a nat-pipe of a's key with forwards, which are whatever
# engine's that the key has; its pid goes to pid.
attach() {
	local name=$1
	shift
	: >"$name.err"
	ready "$name" "$pipe" -k a.key -P peers -N 5 "$@" 7>&-
}

no_more() { # PORT
	! listens "$1"
}

scenario_forwards() {
	local f1 f2 held n many=() options
	printf '%s\n' "allow $a" "permit $a 127.0.0.1:8001" \
	    "permit $a 127.0.0.1:8002" "listen $a 9004" >allow
	serve b cat
	echo_server 8001 one
	echo_server 8002 two
	# next to a stream, in its engine
	start_client hold b
	echo x >&7
	within grep -q x out
	attach f1 -L 9001:127.0.0.1:8001 -R 9004:127.0.0.1:8002 b
	f1=$pid
	same 'one record' "$(grep -c 'forward=-L%209001:127.0.0.1:8001 state=listening port=9001 open=0' f1.out)" 1
	same TCP "$(ask TCP:127.0.0.1:9001 x)" $'one\nx'
	within grep -q 'forward=-R%209004.* state=listening' f1.out
	same remote "$(ask TCP:127.0.0.1:9004 x)" $'two\nx'
	# another one at the same time
	attach f2 -j -L /run/t/l:127.0.0.1:8002 -D 0 b
	f2=$pid
	same Unix "$(ask UNIX-CONNECT:/run/t/l x)" $'two\nx'
	same mode "$(stat -c %a l)" 600
	same JSON "$(grep -c '^{"record":"route","key":".*"state":"listening"' f2.out)" 2
	same routes "$(answers routes a.key.ctl | grep -c ^route)" 4
	# a port that is taken, by the engine's own
	code 100 "$pipe" -k a.key -P peers -L 9002:127.0.0.1:8001 \
	    -L 9001:127.0.0.1:8002 b >taken 2>err
	same message "$(cat err)" "nat-pipe: fatal: -L 9001:127.0.0.1:8002: can't listen there: Address already in use"
	within no_more 9002
	# one that wants an engine of its own does not get the key
	code 111 "$pipe" -k a.key -P peers -m 64 -L 9002:127.0.0.1:8001 b 2>err
	grep -q 'which has this key, is busy: .*; what ends with it: [0-9]* streams*, 4 forwards$' err
	# the end of one: its listeners and connections go, the others stay
	mkfifo hold2
	socat - TCP:127.0.0.1:9001 <hold2 >held &
	held=$!
	exec 8>hold2
	within grep -q one held
	kill $f1
	code 0 wait $f1
	within no_more 9001
	within no_more 9004
	wait $held || :
	exec 8>&-
	kill -9 $f2
	wait $f2 2>/dev/null || :
	within test ! -e l
	echo y >&7
	within grep -q y out
	# what one packet does not hold
	for n in {1..64}; do
		many+=(-L "0:$(printf 'a%.0s' {1..60}).$(printf 'b%.0s' {1..60}).$(printf 'c%.0s' {1..60}).example:80")
	done
	attach f3 "${many[@]}" b
	same many "$(grep -c state=listening f3.out)" 64
	kill -HUP $pid
	code 0 wait $pid
	# the engine stays for forwards without a stream, and goes after them
	attach f4 -L 9001:127.0.0.1:8001 b
	exec 7>&-
	code 0 wait $client_pid
	code 124 timeout 3 tail --pid=$pid -f /dev/null
	same stays "$(ask TCP:127.0.0.1:9001 x)" $'one\nx'
	kill $pid
	code 0 wait $pid
	within test ! -e a.key.sock
	# an engine in the foreground runs them, too, and tells its own records
	echo "allow $b" >allow.a
	wired a
	ready l "$pipe" "${options[@]}" -N 5 -l -a allow.a cat
	n=$pid
	attach f5 -L 9001:127.0.0.1:8001 b
	same 'by -l' "$(ask TCP:127.0.0.1:9001 x)" $'one\nx'
	[ ! -s l.out ] || fail "-l prints $(cat l.out)"
	kill $n
	code 0 wait $n
	code 111 wait $pid
	grep -q '^nat-pipe: fatal: b: the nat-pipe that has our key ended$' f5.err
}

bound() {
	ss -uln | grep -q "127.0.0.1:$1 "
}

listens() {
	ss -tln | grep -q "127.0.0.1:$1 "
}

grep_status() { # KEYFILE PATTERN
	"$pipe" -k "$1" status | grep -qE "$2"
}

scenario_control() {
	local options n
	echo "allow $a" >allow
	serve b cat
	echo watch | socat -t 60 - UNIX-CONNECT:b.key.ctl >watched &
	start_client hold b
	echo x >&7
	within grep -q x out
	answers hello | grep -qxF "hello version=1 key=$b pid=$b_pid kind=listen"
	answers hello a.key.ctl | grep -qE 'pid=[0-9]+ kind=background$'
	answers status >status
	grep -q "^tunnel key=$a name=a path=direct endpoint=198.51.100.1:7001 rtt_us=[0-9]* since_s=[0-9]* state=up streams=1 " status
	answers streams | grep -q "^stream number=1 key=$a name=a opener=peer to=program state=open "
	answers stats | grep -qx 'stats name=streams value=1'
	same nonsense "$(answers nonsense | grep -c 'end status=error')" 1
	within grep -q '^stream number=.*state=open' watched
	"$pipe" -k b.key status >records
	grep -q "^tunnel key=$a " records
	"$pipe" -j -c b.key.ctl status | grep -q '^{"record":"tunnel"'
	script -qc "'$pipe' -k b.key status" /dev/null </dev/null >table
	head -n 1 table | grep -qF "nat-pipe $b_pid, with -l; our key is $b"
	grep -qE '^peer +path +endpoint +round trip +since ' table
	grep -qE '^a +direct +198.51.100.1:7001 .* 1 ' table
	exec 7>&-
	within grep -q '^stream number=[0-9]* state=closed' watched
	# the progress line, for a terminal alone
	mkfifo slow
	wired a
	script -qfc "'$pipe' ${options[*]} --progress b <slow >out" tty \
	    </dev/null >/dev/null &
	exec 7>slow
	head -c 2000000 /dev/zero >&7
	within grep -qE '3.8 MiB  [0-9.]+ MiB/s  direct 198.51.100.1:7002  [0-9.]+ ms' tty
	exec 7>&-
	within grep -q 'Script done\|COMMAND_EXIT' tty
	# it stays, on a line of its own; so it does when it is interrupted
	grep -qE '3.8 MiB .* ms.$' tty
	script -qfc "'$pipe' ${options[*]} --progress b <slow >out2 & echo \$! >pid; wait; echo next" tty2 \
	    </dev/null >/dev/null &
	exec 7>slow
	within grep -q 'direct 198.51.100.1:7002' tty2
	kill -INT "$(cat pid)" 2>/dev/null
	kill "$(cat pid)"
	within grep -qE '^next' tty2
	exec 7>&-
	# whom it waits for, and what is wrong
	n=1
	"$pipe" -k c.key -P peers -S "$a@127.0.0.1:9" -w 60 b </dev/null 2>/dev/null &
	until grep_status c.key 'path=waiting .*reason=the%20rendezvous%20server%20127.0.0.1:9%20does%20not%20answer'; do
		[ $((n += 1)) -lt 500 ] || fail "no reason: $("$pipe" -k c.key status)"
		sleep 0.05
	done
	script -qc "'$pipe' -k c.key status" /dev/null </dev/null >table
	grep -qE '^nat-pipe [0-9]+, in the background, where it ends by itself; our key is' table
	grep -qE '^b +waiting .* the rendezvous server 127.0.0.1:9 does not answer' table
	kill $!
	within test ! -e c.key.sock
	code 1 "$pipe" -k c.key status 2>/dev/null
}

"scenario_$1"
echo "$1: fine"
