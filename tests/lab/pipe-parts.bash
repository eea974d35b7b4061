# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
#
# What the scenarios of nat-pipe are made of: an engine in ha, which forwards,
# and one in hb, which serves; one pair of keys; programs that people use, each
# of which leaves work.NAME.out and .code.
#
# The ports of ha that lead to the same service of hb: 7001 known bytes, 8080 a web
# server, 5201 (TCP and UDP) iperf3, 7002 (UDP) an echo, 7003 (UDP) a counter;
# and 7004 of hb leads to known bytes of ha (-R).

pipe_key() { # HOST
	install -d -m 700 "$NET_DIR/$1"
	(umask 077 && wg genkey >"$NET_DIR/$1/key")
	wg pubkey <"$NET_DIR/$1/key" >"$NET_DIR/$1.pub"
}

# pipe_sites RELAYS: two NATs, keys on both sides, files that name each other.
pipe_sites() {
	net_begin
	net_two_sites
	pipe_keys
	relays "$1"
}

pipe_keys() {
	export HOME=$NET_DIR/home
	mkdir "$HOME"
	cd "$NET_DIR"
	pipe_key ha
	pipe_key hb
	echo "hb $(cat hb.pub)" >ha/peers
	echo "ha $(cat ha.pub)" >hb/peers
	cat >hb/allow <<-'A'
	allow ha
	permit ha 127.0.0.1:*
	permit ha 127.0.0.1:*/udp
	listen ha 7004
	A
}

# as_of HOST prog args: as a user of that host would run it. In the background, so
# that $! is the program's own pid: run_as.
as_of() {
	(run_as "$@")
}

run_as() {
	exec nsenter "--net=/run/netns/$1" env "NATKIT_DIR=$NET_DIR/$1" \
	    "NATKIT_SERVER=$NET_SERVERS" "PATH=$NATKIT_BUILD:$PATH" "${@:2}"
}

# start_engine HOST [nat-pipe's options]: returns when it is ready; its pid goes
# to engine_HOST.
start_engine() {
	local h=$1
	[ -p "$NET_DIR/$h.ready" ] || mkfifo "$NET_DIR/$h.ready"
	run_as "$h" nat-pipe -N 5 "${@:2}" 5>"$NET_DIR/$h.ready" \
	    >>"$NET_DIR/$h.out" 2>>"$NET_DIR/$h.err" &
	declare -g "engine_$h=$!"
	read -r _ <"$NET_DIR/$h.ready" || fail "nat-pipe of $h does not start"
}

# -m: an engine of its own, in the foreground, to be killed.
start_a() { # [options]
	start_engine ha -m 64 "$@" -L 7001:127.0.0.1:7001 -L 8080:127.0.0.1:8080 \
	    -L 5201:127.0.0.1:5201 -U 5201:127.0.0.1:5201 \
	    -U 7002:127.0.0.1:7002 -U 7003:127.0.0.1:7003 \
	    -R 7004:127.0.0.1:7005 hb
}

start_b() { # [options]
	start_engine hb "$@" -l sha256sum
}

# The whole of it, with the services.
pipe_up() { # [options of both]
	services
	start_b "$@"
	start_a "$@"
	within 20 up_is "${1:-}" || fail "not connected"
}

control_of() { # HOST COMMAND
	printf '%s\n' "$2" |
		timeout 5 socat -t 3 - "UNIX-CONNECT:$NET_DIR/$1/key.ctl"
}

# up_is [-r|-d]: is there a connection, over that path?
up_is() {
	control_of ha status >"$NET_DIR/status" 2>&1 || return 1
	case ${1:-} in
	-r) path_is ha relayed ;;
	-d) path_is ha direct ;;
	*) grep -q '^tunnel .* state=up' "$NET_DIR/status" ;;
	esac
}

path_is() { # HOST PATH
	control_of "$1" status 2>/dev/null |
		grep "^tunnel .* path=$2 .*state=up" >/dev/null
}

both_paths() { # PATH
	path_is ha "$1" && path_is hb "$1"
}

paths() {
	control_of ha status
	control_of hb status
}

listens() { # HOST PORT...
	local h=$1 p
	shift
	for p; do
		[ -n "$(on "$h" ss -Hltn "sport = $p")" ] || return 1
	done
}

run_on() { # HOST prog args, in the background: $! is its pid
	exec nsenter "--net=/run/netns/$1" "${@:2}"
}

services() {
	cd "$NET_DIR"
	run_on hb "$NATKIT_BUILD/tools/tcp-known" serve 127.0.0.1:7001 \
	    >known.hb &
	run_on ha "$NATKIT_BUILD/tools/tcp-known" serve 127.0.0.1:7005 \
	    >known.ha &
	run_on hb "$NATKIT_BUILD/tools/web-still" 127.0.0.1 8080 &
	run_on hb "$NATKIT_BUILD/tools/udp-count" echo 127.0.0.1:7002 &
	run_on hb iperf3 -s -B 127.0.0.1 >iperf3.log 2>&1 &
	an_sshd
	within 5 listens hb 7001 8080 5201 22 || fail "a service is not there"
	within 5 listens ha 7005 || fail "a service is not there"
}

an_sshd() {
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -f user
	cat >sshd_config <<-C
	ListenAddress 127.0.0.1:22
	HostKey $NET_DIR/host
	PidFile $NET_DIR/sshd.pid
	AuthorizedKeysFile $NET_DIR/user.pub
	StrictModes no
	UsePAM no
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	PermitRootLogin yes
	Subsystem sftp internal-sftp
	C
	# root's account may be locked, which is not what is tested here
	sed 's/^\(root:\)[^:]*/\1*/' /etc/shadow >shadow
	chmod 600 shadow
	mount --bind shadow /etc/shadow
	echo "hb $(cut -d ' ' -f 1,2 host.pub)" >known_hosts
	cat >ssh_config <<-C
	Host *
	User root
	IdentityFile $NET_DIR/user
	UserKnownHostsFile $NET_DIR/known_hosts
	GlobalKnownHostsFile none
	BatchMode yes
	LogLevel ERROR
	ProxyCommand nat-pipe -W 127.0.0.1:%p %h
	C
	chmod 600 ssh_config
	nsenter --net=/run/netns/hb "$(command -v sshd)" -f sshd_config \
	    -E sshd.log || fail "sshd"
}

# ---- what runs at once ----

# start_work NAME args: work_NAME args in the background.
start_work() {
	{
		set +e
		(set -e; "work_$1" "${@:2}") >"$NET_DIR/work.$1.out" 2>&1
		echo $? >"$NET_DIR/work.$1.code"
	} &
	declare -g "work_pid_$1=$!"
}

finish_work() { # NAME...
	local n p
	for n; do
		p=work_pid_$n
		wait "${!p}" || :
		[ "$(cat "$NET_DIR/work.$n.code")" = 0 ] || {
			tail -n 20 "$NET_DIR/work.$n.out"
			control_of ha streams || :
			fail "$n ended with $(cat "$NET_DIR/work.$n.code")"
		}
		grep '^FIGURE' "$NET_DIR/work.$n.out" || :
	done
}

an_ssh() {
	as_of ha ssh -F "$NET_DIR/ssh_config" "$@"
}

spent() { # SINCE_MS
	net_ms
	echo $((net_ms - $1))
}

# A session in which a line is typed ten times a second, as long as the file
# `going` is there; how long the worst answer took.
work_session() {
	local i=0 said at worst=0 code=0
	coproc S { an_ssh hb 'while read -r l; do echo "$l"; done; exit 7'; }
	local pid=$S_PID in=${S[0]} out=${S[1]}
	while [ -e "$NET_DIR/going" ]; do
		net_ms
		at=$net_ms
		echo "line $i" >&"$out"
		read -r -t 40 said <&"$in"
		[ "$said" = "line $i" ]
		net_ms
		[ "$i" = 0 ] || [ $((net_ms - at)) -le "$worst" ] ||
			worst=$((net_ms - at))
		i=$((i + 1))
		sleep 0.1
	done
	exec {out}>&-
	wait "$pid" || code=$?
	[ "$code" = 7 ]
	[ "$i" -gt 5 ]
	echo "FIGURE $scenario: ssh session: $i lines answered, the worst after $worst ms"
}

work_scp() { # MIB
	local at
	mkdir -p "$NET_DIR/scp"
	head -c "$1M" /dev/urandom >"$NET_DIR/scp/sent"
	net_ms
	at=$net_ms
	as_of ha scp -q -F "$NET_DIR/ssh_config" "$NET_DIR/scp/sent" \
	    "hb:$NET_DIR/scp/came"
	echo "FIGURE $scenario: scp of $1 MiB: $(spent "$at") ms"
	cmp "$NET_DIR/scp/sent" "$NET_DIR/scp/came"
	rm "$NET_DIR/scp/came"
}

# Many files from there, and again when some have changed.
work_rsync() { # FILES
	local i d=$NET_DIR/rsync
	mkdir -p "$d/there/a/b" "$d/here"
	for i in $(seq "$1"); do
		head -c $((i * 97)) /dev/urandom >"$d/there/a/b/$i"
	done
	head -c 4M /dev/urandom >"$d/there/large"
	as_of ha rsync -a -e "ssh -F $NET_DIR/ssh_config" "hb:$d/there/" "$d/here"
	diff -r "$d/there" "$d/here"
	echo more >>"$d/there/large"
	rm "$d/there/a/b/1"
	as_of ha rsync -a --delete -e "ssh -F $NET_DIR/ssh_config" \
	    "hb:$d/there/" "$d/here"
	diff -r "$d/there" "$d/here"
}

work_git() {
	local i d=$NET_DIR/git
	git init -q -b main "$d/there"
	for i in 1 2 3 4; do
		head -c 500000 /dev/urandom >"$d/there/file$i"
		git -C "$d/there" add .
		git -C "$d/there" -c user.name=a -c user.email=a@example.org \
		    commit -q -m "commit $i"
	done
	as_of ha env "GIT_SSH_COMMAND=ssh -F $NET_DIR/ssh_config" \
	    git clone -q "hb:$d/there" "$d/here"
	git -C "$d/here" fsck --full
	[ "$(git -C "$d/here" rev-parse HEAD)" = \
	    "$(git -C "$d/there" rev-parse HEAD)" ]
}

# Three requests over one connection.
work_http() {
	on ha curl -sS --max-time 60 -w '%{num_connects}\n' \
	    'http://127.0.0.1:8080/one' 'http://127.0.0.1:8080/two' \
	    'http://127.0.0.1:8080/three' >"$NET_DIR/http"
	[ "$(tr '\n' ' ' <"$NET_DIR/http")" = '/one 1 /two 0 /three 0 ' ]
}

work_many() { # COUNT BYTES
	on ha "$NATKIT_BUILD/tools/tcp-known" ask 127.0.0.1:7001 "$1" "$2"
	echo "FIGURE $scenario: TCP at once: $(tail -n 1 "$NET_DIR/work.many.out")"
}

# The other way round, by the listener in hb.
work_reverse() { # BYTES
	within 20 listens hb 7004
	on hb "$NATKIT_BUILD/tools/tcp-known" ask 127.0.0.1:7004 4 "$1"
}

# A program at the other end of standard input and output.
work_stdio() { # MIB
	local sum
	head -c "$1M" /dev/urandom >"$NET_DIR/stdio"
	sum=$(as_of ha nat-pipe hb <"$NET_DIR/stdio")
	[ "$sum" = "$(sha256sum <"$NET_DIR/stdio")" ]
}

# Over UDP it never ends when its very first datagram is lost.
work_iperf3() { # SECONDS UDP_MBIT
	local try
	on ha iperf3 -c 127.0.0.1 -t "$1" -f m
	for try in 1 2 3 4; do
		echo "over UDP, try $try"
		on ha timeout $(($1 + 5)) iperf3 -c 127.0.0.1 -t "$1" -u \
		    -b "$2M" -l 1200 -f m >"$NET_DIR/iperf3.udp" 2>&1 && break
	done
	cat "$NET_DIR/iperf3.udp"
	echo "FIGURE $scenario: iperf3 TCP: $(sed -n \
	    's/.* \([0-9.]* Mbits.sec\) .*receiver$/\1/p' \
	    "$NET_DIR/work.iperf3.out" | head -n 1)"
	echo "FIGURE $scenario: iperf3 UDP: $(sed -n \
	    's/.* \([0-9.]* Mbits.sec\) .* ms  *\(.*)\)  receiver$/\1, lost \2/p' \
	    "$NET_DIR/iperf3.udp")"
	grep -q '  *[1-9][0-9.]* [KM]Bytes .* receiver$' "$NET_DIR/iperf3.udp"
}

# A game's questions: 20 a second.
work_game() { # SECONDS
	on ha "$NATKIT_BUILD/tools/udp-count" ping 127.0.0.1:7002 20 "$1"
	echo "FIGURE $scenario: 20 questions a second over UDP: $(tail -n 1 \
	    "$NET_DIR/work.game.out")"
}

game_lost() {
	local sent answered
	read -r sent answered < <(sed -n 's/^sent=\([0-9]*\) answered=\([0-9]*\) .*/\1 \2/p' \
	    "$NET_DIR/work.game.out")
	echo $((sent - answered))
}

# wire NAT words...: nat-link in a wire that $NET_WIRED names.
wire() {
	local w=wire-$1
	on "$w" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	[ -p "$NET_DIR/wire.ready" ] || mkfifo "$NET_DIR/wire.ready"
	nsenter "--net=/run/netns/$w" "$NATKIT_BUILD/nat-link" -N 5 \
	    -c "$NET_DIR/$w.sock" inside outside "${@:2}" \
	    5>"$NET_DIR/wire.ready" 2>"$NET_DIR/$w.log" &
	read -r _ <"$NET_DIR/wire.ready" || fail "nat-link does not start"
}
