# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios of pipe-words.bats: what nat-pipe tells the person who runs it.
# `bash pipe-words.bash words_NAME`, with the hosts and functions of pipe-net.bash.

# lines FILE N PATTERN: so many, and no more
lines() {
	within grep -qE -e "$3" "$1"
	same "lines of '$3' in $1" "$(grep -cE -e "$3" "$1")" "$2"
}

# poke ADDRESS: comes to nothing
poke() {
	echo x | socat -t 5 - "$1" >/dev/null 2>&1 || :
}

scenario_words_forwards() {
	local f options who="(b|${b//+/\\+})" warning='^nat-pipe: warning: '
	local us="${a//+/\\+}"
	echo "permit $a 127.0.0.1:8001" >allow
	serve b -v
	wired a
	ready f "$pipe" "${options[@]}" -N 5 -L 9001:127.0.0.1:8001 \
	    -L 9002:127.0.0.1:8002 -D 9003 -U 9005:127.0.0.1:8003 \
	    -R 9004:127.0.0.1:8004 b
	f=$pid
	# what the peer does not permit, with what to do about it
	poke TCP:127.0.0.1:9002
	poke TCP:127.0.0.1:9002
	lines f.err 1 "$warning-L 9002:127.0.0.1:8002: $who does not permit 127.0.0.1:8002: add 'permit $us 127.0.0.1:8002' to its allow file\$"
	code 97 curl -s --socks5-hostname 127.0.0.1:9003 http://h.example:81/
	lines f.err 1 "$warning-D 9003: $who does not permit h.example:81: add 'permit $us h.example:81'"
	echo x >/dev/udp/127.0.0.1/9005
	lines f.err 1 "$warning-U 9005:127.0.0.1:8003: $who .*add 'permit $us 127.0.0.1:8003/udp'"
	lines f.err 1 "$warning-R 9004:127.0.0.1:8004: $who .*us to listen at 9004: add 'listen $us 9004'"
	# b tells them, too
	lines b.err 2 '^nat-pipe: info: a: tcp 127.0.0.1:8002: refused: not in the allow file$'
	# nobody serves it there; it works; it does not
	poke TCP:127.0.0.1:9001
	poke TCP:127.0.0.1:9001
	lines f.err 1 "$warning-L 9001:127.0.0.1:8001: $who: 127.0.0.1:8001: the target refused"
	echo_server 8001 one
	f=$!
	same works "$(ask TCP:127.0.0.1:9001 x)" $'one\nx'
	kill "$f"
	wait "$f" || :
	poke TCP:127.0.0.1:9001
	within refused_twice
	# our own end of -R
	echo "listen $a 9004" >>allow
	kill -HUP $b_pid
	within listens 9004 # it is tried again after 8 s at most
	poke TCP:127.0.0.1:9004
	poke TCP:127.0.0.1:9004
	lines f.err 1 "$warning-R 9004:127.0.0.1:8004: here: the target refused"
	kill $pid
	code 0 wait $pid
	! grep -q 'here: nothing serves' f.err || fail 'the end is warned of'
}

# One server of its own for each, with another place for it
scenario_words_server() {
	rendezvous
	echo "allow $a" >allow
	echo "b $b" >peers
	ready b "$pipe" -N 5 -k b.key -P peers -S "$server" -l -a allow cat
	b_pid=$pid
	export NATKIT_LINGER=600
	NATKIT_SERVER=$s@198.51.100.1:3479 \
	    code 111 "$pipe" -k a.key -P peers -w 1 b </dev/null 2>err
	same corrected "$(echo hello | NATKIT_SERVER=$server \
	    "$pipe" -k a.key -P peers b 2>err)" hello
}

scenario_words_program() {
	echo "allow $a" >allow
	ln -s "$(command -v cat)" program
	serve b "$PWD/program"
	rm program
	code 1 client b </dev/null 2>err
	grep -q '^nat-pipe: fatal: b: the peer could not do that: its standard error says why$' err
	code 1 client b </dev/null 2>err
	lines b.err 1 "^nat-pipe: warning: can't run $PWD/program: No such file"
}

# Of those whom b lets in, a is away, and nobody here waits for it; c, too, but
# a client does.
scenario_words_away() {
	local client
	rendezvous
	printf '%s\n' "allow $a" "allow $c" >allow
	ready b "$pipe" -v -N 5 -k b.key -P peers -S "$server" -l -a allow cat
	"$pipe" -k b.key -P peers -w 60 c </dev/null 2>/dev/null &
	client=$!
	within grep -qF "nat-rendezvous: warning: peer $c: not met yet" b.err
	within grep -qF "nat-rendezvous: info: peer $a: not met yet" b.err
	kill $client $pid
}

refused_twice() {
	[ "$(grep -c 'the target refused' f.err)" = 2 ]
}

# shellcheck source=tests/e2e/pipe-net.bash
. "$(dirname "${BASH_SOURCE[0]}")/pipe-net.bash"
