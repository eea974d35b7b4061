# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The scenarios of relay-pair.bats: `bash relay-pair.bash NAME`, run in
# namespaces of its own. Everything is on loopback: two daemons at ports 7001 and
# 7002, whose ports nat-port lends, a relay at 3478 with pairs' ports from 50000,
# a rendezvous server at 4000.

set -eu
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
[ $$ = 1 ] || exit 100
mount -t tmpfs -o mode=755 none /run
mkdir /run/t
cd /run/t
ip link set lo up
for who in s a b c; do
	(umask 077 && head -c 32 /dev/urandom | base64 >$who.key)
	"$build/nat-rendezvous" key -k $who.key | cut -d= -f2- >$who.pub
done
for n in 1 2; do
	(umask 077 && head -c 24 /dev/urandom | base64 >secret$n)
done
server=$(cat s.pub)@127.0.0.1:4000

fail() {
	echo "relay-pair: $*"
	tail -n 20 ./*.err ./*.out 2>/dev/null || :
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

# has FILE PATTERN [COUNT]: so many lines of it match, at least.
has() {
	[ "$(grep -c -e "$2" "$1")" -ge "${3:-1}" ]
}

# ready NAME PROG ARGS: runs it; it writes a newline to descriptor 5.
ready() {
	local name=$1
	shift
	[ -p "$name.ready" ] || mkfifo "$name.ready"
	"$@" 5>"$name.ready" >"$name.out" 2>>"$name.err" &
	pid=$!
	read -r _ <"$name.ready" || fail "$name did not start"
}

relay() {
	ready relay "$build/nat-relayd" -N 5 -b 127.0.0.1 -k secret1 -P 4 \
	    -R 50000-50099 -c relay.control
	relay_pid=$pid
}

# ask COMMAND: of the relay's control socket.
ask() {
	echo "$1" | socat -t 5 - UNIX-CONNECT:relay.control
}

bound() {
	[ "$(ask pairs | grep -c "$1")" -eq "$2" ]
}

rendezvous() {
	ready rendezvous "$build/nat-rendezvousd" -N 5 -k s.key \
	    -b 127.0.0.1 -p 4000 "$@"
}

# agent NAME PEER...: its input stays open.
agent() {
	local name=$1 peer peers=()
	shift
	for peer; do
		peers+=("$(cat "$peer.pub")")
	done
	mkfifo "$name.candidates"
	"$build/nat-rendezvous" agent -k "$name.key" -S "$server" \
	    "${peers[@]}" <"$name.candidates" >"$name.agent" \
	    2>"$name.agent.err" &
	exec {fd}>"$name.candidates"
	printf '%s\n' \
	    'candidate type=host endpoint=127.0.0.1:9 priority=1' \
	    'candidates generation=1 count=1' >&"$fd"
}

# The relay records of a and b, for each other: a.agent, b.agent.
tokens() {
	rendezvous -R secret1@127.0.0.1:3478
	agent a b
	agent b a
	within has a.agent ^relay
	within has b.agent ^relay
}

# side NAME PORT [option...]: a daemon's port, lent, and the filter at it, whose
# input stays open at ${in[NAME]}.
declare -A in filter
side() {
	local name=$1 port=$2 fd
	shift 2
	ready "$name.port" "$build/nat-port" -N 5 "$port" "$name.sock"
	pair "$name" "$@"
}

pair() {
	local name=$1
	shift
	[ -p "$name.in" ] || mkfifo "$name.in"
	"$build/nat-relay" pair -s "$name.sock" "$@" <"$name.in" \
	    >"$name.out" 2>>"$name.err" &
	filter[$name]=$!
	exec {fd}>"$name.in"
	in[$name]=$fd
}

# tell NAME FILE PATTERN: these lines of the file to that filter.
tell() {
	grep -e "$3" "$2" >&"${in[$1]}"
}

# daemon NAME PORT: what it hears goes to NAME.heard.
daemon() {
	socat -u "UDP4-RECV:$2,bind=127.0.0.1,reuseport" \
	    "OPEN:$1.heard,creat,append" &
	within ss_has "$2"
}

ss_has() {
	ss -lunH "sport = :$1" | grep -q .
}

# say PORT TO TEXT: from the daemon's port.
say() {
	printf '%s' "$3" | socat -u - \
	    "UDP4-DATAGRAM:127.0.0.1:$2,bind=127.0.0.1:$1,reuseport"
}

both_bound() {
	relay
	tokens
	daemon a 7001
	daemon b 7002
	side a 7001 "$@"
	side b 7002 "$@"
	tell a a.agent ^relay
	tell b b.agent ^relay
	within has a.out 'state=bound'
	within has b.out 'state=bound'
}

port_of() {
	sed -n 's/.*endpoint=127.0.0.1:\([0-9]*\) .*state=bound.*/\1/p' \
	    "$1.out" | tail -n 1
}

carried() {
	local n
	for n in {1..200}; do
		say 7001 "$(port_of a)" "from-a-$1."
		say 7002 "$(port_of b)" "from-b-$1."
		if has b.heard "from-a-$1" && has a.heard "from-b-$1"; then
			return 0
		fi
		sleep 0.05
	done
	fail "not carried: $1"
}

# Two sides are bound, and what one daemon sends the other one gets.
scenario_carries() {
	both_bound
	has a.out 'state=binding'
	[ "$(port_of a)" -ge 50000 ] || fail "not a port for pairs"
	carried first
	bound 'paired=yes' 2
	# who ends unbinds
	kill "${filter[a]}"
	wait "${filter[a]}" || fail "not 0 at the end"
	within bound 'paired=yes' 0
}

# kill -9 of the relay: told, and bound again when it is there again.
scenario_relay_dies() {
	both_bound -t 1
	kill -9 "$relay_pid"
	within has a.out 'state=gone reason=timeout'
	relay
	within has a.out 'state=bound' 2
	within has b.out 'state=bound' 2
	carried again
}

# The relay does not know us there: an answer that is no peer's says so, and the
# refresh is not waited for.
scenario_hint() {
	local n
	both_bound -t 300
	ask "drop $(cat a.pub)" | grep -q status=ok || fail "not dropped"
	bound 'paired=yes' 0 || fail "still bound"
	for n in {1..50}; do
		"$build/nat-stun" -w 1 -s a.sock "127.0.0.1:$(port_of a)" \
		    >>a.stun 2>&1 &
		"$build/nat-stun" -w 1 -s b.sock "127.0.0.1:$(port_of b)" \
		    >>b.stun 2>&1 || :
		wait $! || :
		bound 'paired=yes' 2 && break
		sleep 0.1
	done
	bound 'paired=yes' 2 || fail "not bound again"
	carried hinted
	has a.out 'state=gone' && fail "told as gone"
	return 0
}

said_and_bound() { # ENDPOINT
	say 7001 "$(port_of a)" "a datagram that is long enough for an answer"
	bound "endpoint=$1 " 1
}

# A NAT begins to send a's datagrams from another port: no check and no refresh tells,
# only they do.
scenario_rebinding() {
	both_bound -t 300
	carried first
	nft -f - <<-N
	table ip nat {
		chain post { type nat hook postrouting priority 100
			udp sport 7001 snat to 127.0.0.1:7501; }
	}
	N
	within said_and_bound 127.0.0.1:7501
	carried again
	has a.out 'state=gone' && fail "told as gone"
	return 0
}

# Every line goes through as it is, in its order; what is no good relay record
# binds nothing, whatever is in it.
scenario_passes() {
	local peer good
	relay
	tokens
	side a 7001
	good=$(grep ^relay a.agent)
	peer=$(cat b.pub)
	{
		printf 'peer key=%s state=waiting\n' "$peer"
		printf '\n \nnot a record = at all\n'
		printf 'unknown type=%%00 x\001y\033[31m\377\n'
		printf 'relay\nrelay key=\nrelay key=AAAA server=1\n'
		printf '%s extra=1 extra=2\n' "$good"
		printf '%s\n' "${good/server=127.0.0.1/server=0.0.0.0}"
		printf '%s\n' "${good/password=/password=%0a}"
		printf '%s\n' "${good/user=/user=0}"
		printf '%s\n' "${good/lifetime_s=3600/lifetime_s=0}"
		printf 'gone key=%s reason=left\n' "$peer"
		printf 'relay key=%s\n' "$peer"
		printf '%s\n' "${good/key=*user=/key=$(cat c.pub) server=127.0.0.1:3478 user=}"
	} >lines
	cat lines >&"${in[a]}"
	echo 'last line=1' >&"${in[a]}"
	within has a.out '^last line=1'
	cmp lines <(head -n -1 a.out) || fail "changed on its way"
	has a.err 'record not used: user' || fail "no warning"
	bound binding 0 || fail "bound by a bad record"
	# and a good one does, all the same
	echo "$good" >&"${in[a]}"
	within has a.out 'state=bound'
	# -j: its own records only
	kill "${filter[a]}"
	wait "${filter[a]}" || fail "not 0 at the end"
	pair a -j
	echo "$good" >&"${in[a]}"
	within has a.out '"state":"bound"'
	has a.out "^relay key=$peer" || fail "JSON for what is not ours"
}

# A credential for another pair, or a forged one: refused, and told.
scenario_forged() {
	local good
	relay
	tokens
	side a 7001
	good=$(grep ^relay a.agent)
	sed 's/password=.\{10\}/password=AAAAAAAAAA/' a.agent >forged
	tell a forged ^relay
	within has a.out 'state=gone reason=unauthorized'
	within has a.err 'does not take our credential: is its -k the file'
	bound binding 0 || fail "bound by a forged one"
	echo "$good" >&"${in[a]}"
	within has a.out 'state=bound'
}

# Input ends: what is bound stays, until who reads us ends, too.
scenario_input_ends() {
	both_bound -t 1
	fd=${in[a]}
	exec {fd}>&-
	carried after-the-end
	kill -0 "${filter[a]}" || fail "ended with its input"
	# with nothing to keep it ends at once
	"$build/nat-relay" pair -s b.sock </dev/null >none ||
		fail "not 0 without input"
	[ ! -s none ] || fail "said something"
}

# Tokens: none before both want each other, none for who is not wanted, and the
# same order for both. -R is read before privileges go, and again on SIGHUP.
scenario_tokens() {
	local i r=()
	for i in 1 2 3 4 5 6; do
		r+=(-R "secret$((i % 2 + 1))@127.0.0.1:900$i,[::1]:900$i")
	done
	rendezvous -c rendezvous.control "${r[@]}"
	agent a b c
	agent c a b # b does not want it
	within has c.agent state=introduced
	within has c.agent ^relay 4
	has a.agent "^relay key=$(cat b.pub)" && fail "without consent"
	has c.agent "^relay key=$(cat b.pub)" && fail "without consent"
	agent b a
	within has a.agent "^relay key=$(cat b.pub)" 4
	within has b.agent "^relay key=$(cat a.pub)" 4
	[ "$(grep -c ^relay b.agent)" -eq 4 ] || fail "too many"
	has c.agent "^relay key=$(cat b.pub)" && fail "for a third key"
	for i in a b; do
		grep "^relay key=$(cat "$([ $i = a ] && echo b || echo a).pub")" \
		    $i.agent | tr ' ' '\n' | grep -E '^(server|priority)=' \
		    >$i.order
	done
	cmp a.order b.order || fail "another order"
	[ "$(grep -c server a.order)" -eq 4 ] || fail "not four"
	# before the introduction, or soon after it
	within has b.agent state=introduced
	kill -HUP "$pid"
	echo stats | socat -t 5 - UNIX-CONNECT:rendezvous.control |
		grep -q 'name=tokens value=[1-9]' || fail "not counted"
	: >secret1
	kill -HUP "$pid"
	within has rendezvous.err 'the old secrets stay'
}

"scenario_$1"
echo "$1: fine"
