# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2016
#
# Run by nat-dial.bats in namespaces of its own: `bash nat-dial.bash DIR`. One
# host is both ends; on it are a nat-rendezvousd, the peer's nat-pipe -l and its
# web server, at 127.0.0.1:80. Each check leaves DIR/NAME.code and DIR/NAME.out.

set -eu
export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NATKIT_BUILD=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
[ $$ = 1 ] || exit 100
unset NATKIT_SERVER
export NATKIT_BUILD HOME=/run/t PATH=$here/../../bin:$NATKIT_BUILD:$PATH
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/out /run/t
mount --bind "$1" /run/out
mkdir -m 1777 /run/tmp
export TMPDIR=/run/tmp
cd /run/t
# shellcheck source=tests/e2e/nat-site.bash
. "$here/nat-site.bash"
host

(umask 077 && wg genkey >server.key)
server=$(wg pubkey <server.key)@198.51.100.1
mkfifo listen
nat-rendezvousd -1 -k server.key >listen &
read -r _ <listen
mkdir -m 700 pi our
(umask 077 && wg genkey >pi/key && wg genkey >pi/other &&
    wg genkey >our/key)
echo "permit $(wg pubkey <our/key) 127.0.0.1:80" >pi/allow
echo "pi $(wg pubkey <pi/key) server=$server" >our/peers
NATKIT_DIR=pi nat-pipe -S "$server" -l 2>pi.err &
printf 'HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n' >page
socat -T 5 TCP-LISTEN:80,bind=127.0.0.1,fork,reuseaddr \
    SYSTEM:'read -r x; echo "$x" >>asked; cat page' 2>web.err &
export NATKIT_DIR=our

# example NAME: prints the web page and nothing else
example() {
	[ "$(sh -euc "$(literal "$here/../../man/nat-dial.1" "dial: $1")")" = hello ]
	grep -q '^GET / HTTP' asked
	rm asked
}

check_port() {
	example port
}

check_socket() {
	example socket
	[ ! -e /run/pi.sock ]
}

check_socks() {
	local got=0
	example socks
	# what the peer does not permit
	nat-dial -D 1080 pi -- curl -s --proxy socks5h://127.0.0.1:1080 \
	    http://127.0.0.1:81/ || got=$?
	[ $got = 97 ] # the proxy has refused
}

check_any() {
	example any
}

# A command's code, its standard input, and what it is told
check_command() {
	local got=0
	echo 'exit 7' | nat-dial pi -- sh || got=$?
	[ $got = 7 ]
	LC_ALL=C.UTF-8 nat-dial -L localhost:8088 pi 127.0.0.1:80 -- \
	    sh -c 'echo "$NATKIT_DIAL $LC_ALL"' >said
	[ "$(cat said)" = '127.0.0.1:8088 C.UTF-8' ]
}

gone() { # PATH
	[ ! -e "$1" ]
}

# Without a command: the record, and the end by a signal
check_record() {
	local line dial
	rm -f said
	mkfifo said
	nat-dial -L 127.0.0.1:0 pi >said &
	dial=$!
	read -r line <said
	[[ $line =~ ^dial\ endpoint=127\.0\.0\.1:[0-9]+$ ]]
	[ "$(curl -s "http://${line#*=}/")" = hello ]
	kill $dial
	wait $dial
	nat-dial -L "$PWD/door" pi >said &
	dial=$!
	read -r line <said
	[ "$line" = "dial path=$PWD/door" ]
	[ "$(stat -c %a door)" = 600 ]
	kill $dial
	wait $dial
	within gone door # by the engine, when it sees that we are
}

# A command that runs while nat-dial is ended
check_signal() {
	local dial got=0
	rm -f said
	mkfifo said
	nat-dial pi -- sh -c 'echo $$; exec sleep 1000' >said &
	dial=$!
	read -r command <said
	kill $dial
	wait $dial || got=$?
	[ $got = 143 ]
	within gone "/proc/$command"
}

# As from a terminal: all get the signal. What the command has to say comes
# before the end.
check_interrupt() {
	local dial got=0
	rm -f said
	mkfifo said
	setsid env --default-signal=INT nat-dial pi -- sh -c '
	    trap "echo end >late; exit 9" TERM
	    echo $$; while :; do sleep 0.05; done' >said 2>err &
	dial=$!
	read -r command <said
	kill -INT -- -$dial
	wait $dial || got=$?
	[ $got = 130 ]
	[ "$(cat late)" = end ]
	[ ! -s err ]
}

# nat-pipe listens, and then it ends: that is no door
check_fatal() {
	local got=0
	echo "pi $(wg pubkey <pi/key)" >peers
	nat-dial -P peers -k pi/other pi -- touch ran 2>err || got=$?
	[ $got = 100 ]
	grep -q 'nat-pipe: fatal: there is no rendezvous server' err
	got=0
	# an engine of its own (-d) listens before it finds out
	nat-dial -d -P peers -k pi/other pi -- touch ran 2>err || got=$?
	[ $got = 100 ]
	[ ! -e ran ]
}

check_busy() {
	local got=0
	nat-dial -L 80 pi >said 2>err || got=$?
	[ $got = 100 ]
	grep -q "can't listen there" err
	got=0
	nat-dial nosuch -- true 2>err || got=$?
	[ $got = 100 ]
	got=0
	[ ! -s said ]
}

for name in $(compgen -A function | sed -n 's/^check_//p'); do
	check "$name"
done
