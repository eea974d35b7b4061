# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of relay-turn.bats: `bash relay-turn.bash NAME`, run in
# namespaces of its own, on loopback: coturn at 3478 (TLS 5349), nat-relayd at
# 4478 (relayed ports from 20000, below those that the system picks), daemons at
# ports 7001 and 7002.

set -eu
export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
[ $$ = 1 ] || exit 100
mount -t tmpfs -o mode=755 none /run
mkdir /run/t
cd /run/t
ip link set lo up
umask 077
printf 'alice\nsecret\n' >user
printf 'alice\nwrong\n' >wrong-user
head -c 24 /dev/urandom | base64 >secret
head -c 24 /dev/urandom | base64 >wrong-secret

declare -A pid

fail() {
	echo "relay-turn: $*"
	tail -n 20 ./*.err ./*.out 2>/dev/null || :
	exit 99
}

# within PROG ARGS: tries until it succeeds, at most 500 times.
within() {
	local _
	for _ in {1..500}; do
		"$@" 2>/dev/null && return 0
		sleep 0.02
	done
	fail "never came true: $*"
}

# has FILE PATTERN [COUNT]: so many lines of it match, at least.
has() {
	[ "$(grep -c -e "$2" "$1")" -ge "${3:-1}" ]
}

# field FILE PATTERN KEY: of the last record that matches
field() {
	grep -e "$2" "$1" | tail -n 1 | tr ' ' '\n' | sed -n "s/^$3=//p"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
	    -addext "subjectAltName=${1:-IP:127.0.0.1}" 2>/dev/null
}

# coturn [option...]: in $coturn, when it answers
coturn() {
	turnserver -n -L 127.0.0.1 -L ::1 -E 127.0.0.1 -E ::1 -p 3478 \
	    --tls-listening-port 5349 -r example.org --allow-loopback-peers \
	    --no-cli --no-dtls --log-file coturn.log --simple-log \
	    --pidfile /run/t/coturn.pid --userdb /run/t/coturn.db \
	    "$@" >/dev/null 2>&1 &
	coturn=$!
	within "$build/nat-stun" -q -w 1 127.0.0.1 >/dev/null
}

# ready NAME PROG ARGS: in the background, until it writes a newline to fd 5; each
# has a FIFO of its own, which the one before may not have closed yet
ready() {
	local name=$1
	shift
	rm -f "$name.ready"
	mkfifo "$name.ready"
	"$@" 5>"$name.ready" 2>>"$name.err" &
	pid[$name]=$!
	read -r _ <"$name.ready" || fail "$name did not start"
}

# relayd [option...]: in $relayd
relayd() {
	ready relayd "$build/nat-relayd" -N 5 -b 127.0.0.1 -k secret -p 4478 \
	    -R 20000-20099 -P 4 "$@"
	relayd=${pid[relayd]}
}

rendezvous() {
	ready rendezvous "$build/nat-rendezvousd" -N 5 -k s.key \
	    -b 127.0.0.1 -p 4000 -R secret@127.0.0.1:4478
}

# turn NAME option...: nat-relay turn, its input open at ${in[NAME]}, its
# process in ${pid[NAME]}; when it has an allocation and its permissions.
declare -A in
turn() {
	local name=$1 fd
	shift
	[ -p "$name.in" ] || mkfifo "$name.in" "$name.ready"
	exec {fd}<>"$name.in"
	in[$name]=$fd
	"$build/nat-relay" turn -v -N 6 "$@" <"$name.in" >"$name.out" \
	    2>>"$name.err" 6>"$name.ready" &
	pid[$name]=$!
	timeout 15 head -n 1 "$name.ready" >/dev/null ||
		fail "$name: no allocation"
}

permit() {
	echo "permit $2" >&"${in[$1]}"
}

# daemon NAME PORT ENDPOINT: one that talks to a single peer, and hears nobody
# else; what it hears is in NAME.got
declare -A say
daemon() {
	local name=$1 fd
	rm -f "$name.say"
	mkfifo "$name.say"
	exec {fd}<>"$name.say"
	say[$name]=$fd
	socat STDIO "UDP4:$3,bind=127.0.0.1:$2,reuseaddr" <"$name.say" \
	    >>"$name.got" 2>/dev/null &
	pid[$name]=$!
	within bound "$2"
}

# listen NAME PORT [ADDRESS]: one that hears everybody: NAME.got gets lines of
# what was said, and by whom
listen() {
	local at=${3:-127.0.0.1}
	: >"$1.got"
	# (socat's UDP4-RECVFROM,fork stands still for good now and then.)
	"$build/tools/udp-count" hear "$at:$2" >>"$1.got" &
	pid[$1]=$!
	within bound "$2"
}

# tell PORT ENDPOINT TEXT [ADDRESS]: one datagram from there
tell() {
	echo "$3" | socat -u - "UDP4-SENDTO:$2,bind=${4:-127.0.0.1}:$1,reuseaddr"
}

bound() {
	ss -Hnlu "sport = $1" | grep -q . || ss -Hnu "sport = $1" | grep -q .
}

taken() {
	ss -Hnlt "sport = $1" | grep -q .
}

ended() {
	! kill -0 "$1"
}

# repeat FILE PATTERN PROG...: until the file has it; a datagram may be lost
repeat() {
	local _ file=$1 pattern=$2
	shift 2
	for _ in {1..100}; do
		"$@" || :
		for _ in {1..5}; do
			has "$file" "$pattern" && return 0
			sleep 0.02
		done
	done
	fail "$file never had $pattern"
}

say() {
	local name
	for name in "${@:2}"; do
		echo "$name-$1" >&"${say[$name]}"
	done
}

# both TEXT: da and db say it, and each hears the other
both() {
	repeat da.got "db-$1" say "$1" da db
	repeat db.got "da-$1" say "$1" da
}

stop() {
	local p
	for p; do
		kill "${pid[$p]}"
		wait "${pid[$p]}" || :
	done 2>/dev/null
}

denied() {
	coturn -a -u alice:secret
	listen d 7001
	turn p -u user -d 7001 127.0.0.1:7002 127.0.0.1
	local at
	at=$(field p.out state=up relayed)
	# another port of the same address, another address
	tell 7003 "$at" stranger
	tell 7002 "$at" stranger 127.0.0.9
	repeat d.got '^hello' tell 7002 "$at" hello
	# the peer is where its proxy record says
	has d.got "^hello $(field p.out '^proxy' endpoint)\$"
	! grep -q stranger d.got || fail "a stranger got through"
	# an address whose every port may send, and each has a port of its own
	permit p 127.0.0.9
	within has p.out 'permission peer=127.0.0.9 state=granted'
	repeat d.got '^third' tell 7005 "$at" third 127.0.0.9
	repeat d.got '^fourth' tell 7006 "$at" fourth 127.0.0.9
	[ "$(grep -E 'third|fourth' d.got | cut -d' ' -f2 | sort -u |
	    wc -l)" -eq 2 ]
	# forbidden at once, whatever the server still lets through
	echo "forbid 127.0.0.1:7002" >&"${in[p]}"
	within has p.out 'proxy peer=127.0.0.1:7002 state=closed'
	tell 7002 "$at" late
	repeat d.got '^fifth' tell 7005 "$at" fifth 127.0.0.9
	! grep -q late d.got || fail "who was forbidden got through"
	# and permitted again: the server still has the channel of before
	permit p 127.0.0.1:7002
	repeat d.got '^again' tell 7002 "$at" again
	echo "forbid 127.0.0.1:7002" >&"${in[p]}"
	within has p.out 'proxy peer=127.0.0.1:7002 state=closed' 2
	# lines that make no sense cost nothing
	printf '%s\n' nonsense 'permit' 'permit example.org' \
	    'forbid 192.0.2.1' >&"${in[p]}"
	within has p.err 'was not permitted'
	[ "$(grep -c 'warning: standard input' p.err)" -eq 4 ]
	# far too many peers behind one address: bounded
	local n
	for n in {1..40}; do
		tell $((8000 + n)) "$at" crowd 127.0.0.9 &
	done
	wait %+ || :
	repeat d.got '^sixth' tell 7005 "$at" sixth 127.0.0.9
	[ "$(grep -c 'proxy peer=127.0.0.9.*open' p.out)" -le 16 ]
	stop p
	# 403: the server does not relay to there
	coturn_denies
}

# A peer that the server refuses is named, and the others work.
coturn_denies() {
	kill "$coturn"
	wait "$coturn" || :
	coturn -a -u alice:secret --denied-peer-ip 127.0.0.9
	turn p -u user -d 7001 127.0.0.1:7002 127.0.0.9 127.0.0.1
	has p.out 'permission peer=127.0.0.9 state=refused code=403'
	has p.err 'peer 127.0.0.9: the server does not allow it'
	repeat d.got '^seventh' \
	    tell 7002 "$(field p.out state=up relayed)" seventh
	stop p d
}

# once CODE TEXT option...: ends with that, and says that
once() {
	local code=$1 text=$2 rc=0
	shift 2
	"$build/nat-relay" turn -1 "$@" </dev/null >once.out 2>once.err || rc=$?
	[ $rc -eq "$code" ] || fail "$* ended with $rc"
	has once.err "$text"
	has once.out . && fail "it told a record"
	return 0
}

refused() {
	certificate
	coturn -a -u alice:secret --cert cert.pem --pkey key.pem
	once 100 'check the file in -u' -u wrong-user 127.0.0.1
	once 100 'check the file in -u' -u wrong-user -T tcp 127.0.0.1
	once 100 'check the secret in -k' -k secret 127.0.0.1
	once 111 'no CA that we trust' -u user -T tls 127.0.0.1
	once 111 'no CA that we trust' -u user turns:127.0.0.1
	cp cert.pem own.pem
	certificate DNS:example.org
	once 111 'no CA that we trust' -u user -C cert.pem -T tls 127.0.0.1
	once 111 'Connection refused' -u user -T tcp 127.0.0.1:3999
	once 111 'is it a TURN server' -u user 127.0.0.1:3999
	once 100 '' -u user -C /dev/null -T tls 127.0.0.1
	# TLS with the right one, and with the name that it has
	turn p -u user -C own.pem -T tls 127.0.0.1
	stop p
	kill "$coturn"
	wait "$coturn" || :
	coturn -a -u alice:secret --cert cert.pem --pkey key.pem
	once 111 'for another name' -u user -C cert.pem -T tls 127.0.0.1
	kill "$coturn"
	wait "$coturn" || :
	# coturn's use-auth-secret
	coturn --use-auth-secret --static-auth-secret "$(cat secret)"
	once 100 'check the secret in -k' -k wrong-secret 127.0.0.1
	turn p -k secret 127.0.0.1
	stop p
	# a quota
	kill "$coturn"
	wait "$coturn" || :
	coturn -a -u alice:secret --user-quota 1
	turn p -u user 127.0.0.1
	once 111 'as many allocations as it may' -u user 127.0.0.1
	stop p
}

# two OPTIONS OPTIONS: two daemons, each behind an allocation of its own, with
# each other's relayed address
two() {
	local a b
	: >da.got
	: >db.got
	# shellcheck disable=SC2086
	turn pa -u user $1
	# shellcheck disable=SC2086
	turn pb -u user $2
	a=$(field pa.out state=up 'relayed6*') b=$(field pb.out state=up 'relayed6*')
	permit pa "$b"
	permit pb "$a"
	within has pa.out ^permission
	within has pb.out ^permission
	daemon da 7001 "$(field pa.out '^proxy' endpoint)"
	daemon db 7002 "$(field pb.out '^proxy' endpoint)"
	both "$3"
	stop da db pa pb
}

exchange() {
	certificate
	coturn -a -u alice:secret --cert cert.pem --pkey key.pem
	two '127.0.0.1' '-T tcp 127.0.0.1' udp-tcp
	two '-T tls -C cert.pem 127.0.0.1' 'turn:[::1]?transport=udp' tls-udp6
	two '-r 6 -T tcp [::1]' '-r 6 127.0.0.1' relayed6
}

ours() {
	local t at
	certificate
	# who ends gives its allocation back: there is only one
	relayd -b ::1 -a 127.0.0.2 -a 127.0.1.0/24 -C cert.pem -K key.pem -A 1 \
	    -c relay.control
	for t in udp tcp tls; do
		listen d 7001
		listen e 7002 127.0.0.2
		# shellcheck disable=SC2046
		turn p -k secret -d 7001 -T $t \
		    $([ $t != tls ] || echo -C cert.pem) \
		    127.0.0.2:7003 127.0.0.2:7002 127.0.0.1:4478
		at=$(field p.out state=up relayed)
		repeat d.got '^there' tell 7003 "$at" there 127.0.0.2
		repeat e.got "^back $at" \
		    tell 7001 "$(field p.out peer=127.0.0.2:7002 endpoint)" back
		stop p d e
	done
	once 100 'check the secret in -k' -k wrong-secret 127.0.0.1:4478
	# addresses of both families
	turn p -k secret -r 46 127.0.0.1:4478
	has p.out ' relayed=127.0.0.1:[0-9]* relayed6=\[::1\]:[0-9]* '
	stop p
	# as many peers as there may be, each with a channel
	# shellcheck disable=SC2046
	turn p -k secret -d 7001 $(seq -f 127.0.1.%g:7 64) 127.0.0.1:4478
	has p.out ' state=granted' 64
	within channels 64
	stop p
	# not to where the relay refuses
	turn p -k secret -d 7001 127.0.0.3 127.0.0.1:4478
	has p.out 'permission peer=127.0.0.3 state=refused code=403'
	stop p
}

channels() { # NUMBER: of the only allocation
	socat -t5 - UNIX-CONNECT:relay.control <<<allocations |
	    grep -qx "allocation .* permissions=$1 channels=$1"
}

lost() {
	local at
	coturn -a -u alice:secret
	listen d 7002
	turn p -u user -p 7100 -T tcp 127.0.0.1:7002 127.0.0.1
	# who sent last is the daemon
	daemon da 7001 127.0.0.1:7100
	repeat d.got '^da-one' say one da
	repeat da.got '^two' tell 7002 "$(field p.out state=up relayed)" two
	stop da
	daemon db 7003 127.0.0.1:7100
	at=$(field p.out state=up relayed)
	repeat d.got '^db-three' say three db
	repeat db.got '^three' tell 7002 "$at" three
	kill -9 "$coturn"
	wait "$coturn" 2>/dev/null || :
	within has p.out '^allocation .*state=down'
	coturn -a -u alice:secret
	within has p.out state=up 2
	repeat d.got '^db-four' say four db
	stop p
	# over UDP nothing tells that it went, until it is asked
	turn q -u user -t 1 -p 7101 127.0.0.1:7002 127.0.0.1
	kill -9 "$coturn"
	wait "$coturn" 2>/dev/null || :
	coturn -a -u alice:secret
	within has q.out state=up 2
	stop q db d
}

# side NAME PORT: nat-relay tcp between a token made with the relay's secret and
# a daemon; its input is at ${in[NAME]}
side() {
	local name=$1 fd
	shift
	[ -p "$name.in" ] || mkfifo "$name.in"
	exec {fd}<>"$name.in"
	in[$name]=$fd
	ASAN_OPTIONS=$ASAN_OPTIONS${ASAN_OPTIONS:+:}quarantine_size_mb=1 \
	    "$build/nat-relay" tcp -v "$@" <"$name.in" >"$name.out" \
	    2>>"$name.err" &
	pid[$name]=$!
}

# Relay records of a and b for each other, as the agents print them.
tokens() {
	local who peer fd
	for who in s a b; do
		head -c 32 /dev/urandom | base64 >$who.key
		"$build/nat-rendezvous" key -k $who.key |
			cut -d= -f2- >$who.pub
	done
	rendezvous
	for who in a b; do
		case $who in a) peer=b ;; b) peer=a ;; esac
		mkfifo $who.agent.in
		exec {fd}<>$who.agent.in
		echo 'candidates generation=1 count=0' >&"$fd"
		"$build/nat-rendezvous" agent -k $who.key \
		    -S "$(cat s.pub)@127.0.0.1:4000" "$(cat "$peer.pub")" \
		    <$who.agent.in >$who.agent 2>$who.agent.err &
		pid[agent_$who]=$!
	done
	within has a.agent ^relay
	within has b.agent ^relay
	stop agent_a agent_b rendezvous
}

# pair [option...]: both sides, bound; daemons at the ports that they made
pair() {
	side a -p 7001 "$@"
	side b -p 7002 "$@"
	grep ^relay a.agent >&"${in[a]}"
	grep ^relay b.agent >&"${in[b]}"
	within has a.out state=bound
	within has b.out state=bound
	: >da.got
	: >db.got
	daemon da 7001 "$(field a.out state=bound endpoint)"
	daemon db 7002 "$(field b.out state=bound endpoint)"
}

tcp() {
	relayd
	tokens
	pair
	both first
	# all lines went through, in order, and ours have a lower priority
	cmp <(grep ^relay a.agent) <(grep ^relay a.out)
	[ "$(field a.out state=bound priority)" -lt \
	    "$(field a.agent ^relay priority)" ]
	# nobody but the daemon may use its port
	tell 7009 "$(field a.out state=bound endpoint)" stranger
	both second
	! grep -q stranger db.got || fail "a stranger got through"
	kill -9 "$relayd"
	wait "$relayd" 2>/dev/null || :
	within has a.out state=gone
	within has b.out state=gone
	relayd
	within has a.out state=bound 2
	within has b.out state=bound 2
	both third
	stop a b da db
}

tls() {
	certificate
	relayd -C cert.pem -K key.pem
	tokens
	side c -T -p 7001
	grep ^relay a.agent >&"${in[c]}"
	within has c.err 'no CA that we trust'
	! has c.out state=bound || fail "bound at an unknown relay"
	stop c
	pair -T -C cert.pem
	both tls
	stop a b da db
}

# Others at 443, all faster than the relay: a TURN server, one that says nothing,
# one that says what it likes, a web server.
web() {
	local other
	relayd
	tokens
	coturn -a -u alice:secret --aux-server=127.0.0.1:443
	within taken 443
	pair_late has a.err '443: what answers is no relay'
	kill "$coturn"
	wait "$coturn" || :
	for other in 'exec sleep 60' 'echo this is no message at all' \
	    'read -r x; echo "HTTP/1.1 400 Bad Request"; echo'; do
		socat TCP4-LISTEN:443,bind=127.0.0.1,fork,reuseaddr \
		    "SYSTEM:echo >>met; $other" 2>/dev/null &
		pid[web]=$!
		within taken 443
		pair_late has met '' 2
		stop web
		rm met
	done
	! grep -q '443: connected' a.err b.err || fail "took it for the relay"
}

# pair_late PROG ARGS: the relay says nothing until that is true
pair_late() {
	kill -STOP "$relayd"
	side a -p 7001
	side b -p 7002
	grep ^relay a.agent >&"${in[a]}"
	grep ^relay b.agent >&"${in[b]}"
	within "$@"
	kill -CONT "$relayd"
	within has a.out state=bound
	within has b.out state=bound
	! grep -q state=gone a.out b.out || fail "was not bound at once"
	stop a b
}

# nat-relay pair's record of its binding for b's key, in a state
udp_is() {
	echo "candidate type=relay endpoint=127.0.0.1:20001 priority=9" \
	    "server=127.0.0.1:4478 key=$(cat b.pub) state=$1"
}

better() {
	relayd -c relay.control
	tokens
	# bound over UDP within 400 ms: no connection at all
	side c -p 7001
	{
		grep ^relay a.agent
		udp_is bound
	} >&"${in[c]}"
	within has c.out state=bound
	sleep 0.6
	! has c.err connected || fail "connected without need"
	# it goes: TCP at once
	udp_is gone >&"${in[c]}"
	within has c.out 'endpoint=127.0.0.1.*priority=[0-9]\{7,\}.*state=bound'
	# it is back: the relay has moved the side, so nothing may be sent there
	udp_is bound >&"${in[c]}"
	within has c.out 'state=gone reason=udp'
	udp_is gone >&"${in[c]}"
	within has c.out 'priority=[0-9]\{7,\}.*state=bound' 2
	# and the connection was kept for that
	[ "$(grep -c connected c.err)" -eq 1 ]
	stop c
}

# The whole pipeline, and a network that lets no UDP to the relay: relayed over
# TCP; then UDP passes, and the path moves to it.
pipeline() {
	local who fd
	relayd
	tokens
	nft 'table ip f { chain in { type filter hook input priority 0;
	    udp dport { 4478, 20000-20099 } drop; }; }'
	rendezvous
	for who in a b; do
		case $who in a) peer=b port=7001 ;; b) peer=a port=7002 ;; esac
		ready $who.port "$build/nat-port" -N 5 "$port" "$who.sock"
		exec {fd}<>$who.agent.in
		echo 'candidates generation=1 count=0' >&"$fd"
		"$build/nat-rendezvous" agent -k $who.key -s $who.sock \
		    -S "$(cat s.pub)@127.0.0.1:4000" "$(cat "$peer.pub")" \
		    <$who.agent.in 2>$who.agent.err |
		"$build/nat-relay" pair -s $who.sock 2>$who.pair.err |
		"$build/nat-relay" tcp -s $who.sock 2>$who.err |
		tee $who.out |
		"$build/nat-punch" -r -s $who.sock >$who.path 2>$who.punch.err &
	done
	within has a.path 'state=relayed endpoint=127.0.0.1'
	within has b.path 'state=relayed endpoint=127.0.0.1'
	! grep -q 'state=relayed endpoint=127.0.0.1:200[0-9][0-9] ' a.path ||
		fail "over UDP, where none passes"
	nft delete table ip f
	within has a.out 'state=gone reason=udp'
	within has a.path 'state=relayed endpoint=127.0.0.1:200[0-9][0-9] '
	within has b.path 'state=relayed endpoint=127.0.0.1:200[0-9][0-9] '
}

memory() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

slow() {
	relayd
	tokens
	pair
	both before
	local before at
	before=$(memory "${pid[a]}")
	at=$(field a.out state=bound endpoint)
	kill -STOP "$relayd"
	# 16 MiB, of which the connection and its queue hold a few
	head -c 16777216 /dev/zero | socat -u -b 1024 - \
	    "UDP4-SENDTO:$at,bind=127.0.0.1:7001,reuseaddr" || :
	[ $(($(memory "${pid[a]}") - before)) -lt 8192 ] ||
		fail "it grew from $before to $(memory "${pid[a]}") KiB"
	kill -CONT "$relayd"
	# the newest come through, and what comes then
	both after
	stop da db a
	local lost
	lost=$(sed -n 's/.*dropped: \([0-9]*\) datagrams of the daemon.*/\1/p' \
	    a.err)
	[ "$lost" -gt 100 ]
	stop b
}

"$1"
echo "$1: fine"
