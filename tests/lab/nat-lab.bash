# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios of nat-lab.bats, each run in a pid and mount namespace of its
# own: whatever a lab may leave would be seen there, and goes with it.
# usage: nat-lab.bash SCENARIO BIN BUILD DIR

set -eu
LC_ALL=C
export LC_ALL
scenario=$1 NATKIT_BUILD=$3 d=$4
PATH=$2:$3:$PATH
XDG_RUNTIME_DIR=$d
export PATH NATKIT_BUILD XDG_RUNTIME_DIR
lab_dir=$2/../lab
if [ "$scenario" != rootless_life ]; then
	mount -t tmpfs -o mode=755 none /run
	ip link set lo up
fi
cd "$d"

fail() {
	echo "$*"
	exit 1
}

# Until COMMAND says yes, for 10 s at most.
await() {
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 200 ] || fail "in vain: $*"
		sleep 0.05
	done
}

# Everything in this pid namespace that isn't this script. A process that is
# being started or ended has no command line for a moment, but may hold a lock.
others() {
	local p line
	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		case $p in 1 | "$$" | "$BASHPID") continue ;; esac
		line=$(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline") || continue
		case $line in
		'') grep -v ') [ZX] ' "/proc/$p/stat" 2>/dev/null || : ;;
		*hold.sh* | *sleep* | *unshare* | *nat-* | *socat* | *miniupnpd*)
			echo "$line" ;;
		esac
	done
}

no_others() {
	[ -z "$(others)" ]
}

# No process, no mount, no interface, no state, and list says so.
nothing_left() {
	await no_others
	[ "$(cat /proc/self/mounts)" = "$mounts" ] || fail "mounts are left"
	[ "$(ip -o link | wc -l)" = 1 ] || fail "interfaces are left"
	local code=0
	nat-lab list >"$d/left" || code=$?
	[ "$code$(cat "$d/left")" = 1 ] || fail "list is not empty"
	[ "$(ls -A "$d/nat-lab")" = .lock ] || fail "state is left"
}
mounts=$(cat /proc/self/mounts)

# expect CODE PATTERN COMMAND...: its exit code, and a line of its stderr
expect() {
	local code=0 want=$1 pattern=$2
	shift 2
	"$@" >out 2>err </dev/null || code=$?
	[ "$code" = "$want" ] || fail "$* ended with $code: $(cat out err)"
	[ -z "$pattern" ] || grep -q -e "$pattern" err || fail "$*: no '$pattern': $(cat err)"
}

stun_server() { # [LAB/]
	mkfifo ready
	nat-lab exec "${1:-}pub" nat-stund -N 9 -b 192.0.2.1 -b 192.0.2.2 \
		-b 2001:db8::1 9>ready &
	read -r _ <ready
	rm ready
}

mapped() { # BOX PORT SERVER
	nat-lab exec "$1" nat-stun -w 10 -p "$2" "$3" >mapped.out
	sed -n 's/^mapped endpoint=\([^ ]*\).*/\1/p' mapped.out
}

bound() { # BOX PORT
	[ -n "$(nat-lab exec "$1" ss -Huln "sport = :$2")" ]
}

listening() { # BOX TCP-PORT
	[ -n "$(nat-lab exec "$1" ss -Htln "sport = :$2")" ]
}

listen() { # BOX PORT: what comes goes to the file BOX.PORT
	: >"${1#*/}.$2"
	nat-lab exec "$1" socat -u "UDP6-RECV:$2,ipv6-v6only=0" \
		"OPEN:${1#*/}.$2,append" &
	await bound "$1" "$2"
}

send() { # BOX ADDRESS PORT TEXT [MORE]
	echo "$4" | nat-lab exec "$1" socat -u - \
		"UDP:$2:$3${5:+,$5}"
}

# came BOX PORT TEXT GATE ADDRESS: has it come by the time that what the gate
# sends after it has?
came() {
	send "$4" "$5" "$2" "marker $3"
	await grep -q "^marker $3\$" "${1#*/}.$2"
	grep -q "^$3\$" "${1#*/}.$2"
}

# comes BOX PORT TEXT: it does, though perhaps after what was sent later.
comes() {
	await grep -q "^$3\$" "${1#*/}.$2"
}

topology_errors() {
	printf '%s\n' '# fine' 'nat na' 'host ha behind=nb' >bad.lab
	expect 100 '^nat-lab: fatal: bad\.lab:3: behind=nb: ' nat-lab up bad.lab
	printf '%s\n' 'nat na profile=ei-xx' >bad.lab
	expect 100 'bad\.lab:1: profile=ei-xx: no such' nat-lab up bad.lab
	printf '%s\n' 'nat na mapping=symmetric' >bad.lab
	expect 100 'bad\.lab:1: mapping=symmetric: must' nat-lab up bad.lab
	printf '%s\n' 'nat na' 'nat na' >bad.lab
	expect 100 'bad\.lab:2: there is already' nat-lab up bad.lab
	echo "nat \$(reboot)" >bad.lab
	expect 100 'bad\.lab:1: this has a char' nat-lab up bad.lab
	printf '%s\n' 'house na' >bad.lab
	expect 100 'bad\.lab:1: house is no kind' nat-lab up bad.lab
	printf '%s\n' 'nat na' 'host ha behind=na address=10.0.0.1' >bad.lab
	expect 100 'bad\.lab:2: address=10' nat-lab up bad.lab
	printf '%s\n' 'nat na' 'wire nb loss=3' >bad.lab
	expect 100 'bad\.lab:2: no box nb' nat-lab up bad.lab
	# The first line that is wrong is told first, however it is found.
	printf '%s\n' 'nat na profle=home' 'host ha behind=nx' >bad.lab
	expect 100 'bad\.lab:2: behind=nx: ' nat-lab up bad.lab
	head -n 1 err | grep -q 'bad\.lab:1: .*profle' || fail "not line 1: $(cat err)"
	printf '%s\n' 'nat na address=999.1.1.1' 'host ha behind=nx' >bad.lab
	expect 100 'bad\.lab:2: behind=nx: ' nat-lab up bad.lab
	head -n 1 err | grep -q 'bad\.lab:1: 999\.' || fail "not line 1: $(cat err)"
	for list in pool=999.1.1.1 'pool=,,,' 'pool=1.1.1.1,' one_to_one=1.1.1.1; do
		echo "nat na $list" >bad.lab
		expect 100 "bad\.lab:1: $list: must be" nat-lab up bad.lab
	done
	for list in 127.0.0.1 224.0.0.1 0.0.0.1 255.255.255.255 198.51.100.010 \
		198.51.100.2,198.51.100.2; do
		echo "nat na address=$list" >bad.lab
		expect 100 'bad\.lab:1: .* \(no IPv4 address\|twice\)' nat-lab up bad.lab
	done
	for list in pool one_to_one=10.0.0.2; do
		echo "nat na $list=224.0.0.1" >bad.lab
		expect 100 'bad\.lab:1: .* must be' nat-lab up bad.lab
	done
	for list in 127.0.0.0 224.0.0.0 0.0.0.0; do
		echo "nat na lan=$list/24" >bad.lab
		expect 100 'bad\.lab:1: lan= is a network' nat-lab up bad.lab
	done
	printf 'router r%s lan=10.9.0.0/24\n' a b >bad.lab
	expect 100 'bad\.lab:2: lan= is that of ra' nat-lab up bad.lab
	# the name of a namespace that is made for a wire
	printf '%s\n' 'nat na' 'host wire-na behind=na' 'wire na' >bad.lab
	expect 100 'bad\.lab:2: wire-na: ' nat-lab up bad.lab
	yes 'udp=open' | head -n 300000 | tr '\n' ' ' | sed 's/^/nat na /' >bad.lab
	expect 100 'bad\.lab:1: a line has 300' timeout 20 nat-lab up bad.lab
	seq 300000 | sed 's/.*/host h& behind=x/' >bad.lab
	expect 100 'bad\.lab:501: 500 boxes' timeout 20 nat-lab up bad.lab
	echo house >a=b.lab
	expect 100 'a=b\.lab:1: house is no kind' nat-lab up a=b.lab ab
	expect 100 'no topology file nonesuch' nat-lab up nonesuch
	# nat-link refuses what only it knows, while the lab is being built
	printf '%s\n' 'nat na' 'wire na loss=300' >bad.lab
	expect 100 'loss' nat-lab up bad.lab
	expect 1 'no lab is up' nat-lab down
	expect 1 'no lab is up' nat-lab exec ha true
	expect 100 '^usage' nat-lab nonesuch
	expect 100 '^usage' nat-lab up home a b
	nothing_left
}

life() {
	nat-lab up home >up.out
	[ "$(nat-lab list)" = "$(cat up.out)" ] || fail "list is not up's"
	grep -qx "lab name=home state=up boxes=5 path=.*/home.lab" up.out
	grep -qx "box lab=home name=na kind=nat addresses=198.51.100.2 behind=isp profile=home" up.out
	nat-lab list -j >list.json
	grep -qx '{"record":"lab","name":"home","state":"up","boxes":5,"path":".*/home.lab"}' list.json
	grep -qx '{"record":"box","lab":"home","name":"na","kind":"nat","addresses":"198.51.100.2","behind":"isp","profile":"home"}' list.json
	nat-lab up -j home again >again.json
	nat-lab down again
	[ "$(sed 's/"again"/"home"/' again.json)" = "$(cat list.json)" ] ||
		fail "up -j is not list -j: $(cat again.json)"
	expect 100 '-z is no option' nat-lab list -z
	nat-lab exec ha ping -c 1 -W 5 pub >ping.out
	expect 7 '^said' nat-lab exec home/ha sh -c 'echo said >&2; exit 7'
	[ "$(echo in | nat-lab exec ha cat)" = in ] || fail "no stdin"
	expect 127 . nat-lab exec ha nonesuch
	expect 100 'no box hx' nat-lab exec hx true
	# A signal for exec reaches the program.
	mkfifo started
	nat-lab exec ha sh -c 'trap "echo ended >ended; exit" TERM
		echo >started; while :; do sleep 0.1; done' &
	read -r _ <started
	kill $!
	await grep -q ended ended
	expect 100 'lab home is up: nat-lab up home NAME ' nat-lab up home
	expect 100 'has no wire .*: wire na$' nat-lab wire na
	script -qfec 'nat-lab exec ha nat-capture -w 1 cap ha' /dev/null \
		>cap.out </dev/null
	grep -q 'info: capturing into cap; Ctrl-C ends it' cap.out
	nat-lab exec ha sleep 1000 &
	# Who only looks on is told to end, and not killed.
	nat-lab watch na >watch.out &
	local pid=$! code=0
	await watched
	nat-lab down home
	wait "$pid" || code=$?
	[ "$code" = 0 ] || fail "watch ended with $code"
	expect 1 . nat-lab down home
	# A terminal is told what to do next.
	script -qfec 'nat-lab list' /dev/null >list.out </dev/null &&
		fail "list is not empty"
	grep -q 'no lab is up: nat-lab up home' list.out
	nothing_left
}

watched() {
	nat-lab exec ha ping -c 1 -W 5 pub >ping.out
	[ -s watch.out ]
}

# Whoever reads what up prints may be gone before, or not be able to.
unread() {
	local n
	for n in 1 2 3; do
		nat-lab up home "z$n" | :
		nat-lab list "z$n" >list.out || fail "lab z$n is not up"
		nat-lab exec "z$n/ha" ping -c 1 -W 5 pub >ping.out
	done
	expect 111 'lab full is up, but' sh -c 'nat-lab up home full >/dev/full'
	nat-lab exec full/ha true
	nat-lab down z1 z2 z3 full
	nothing_left
}

several() {
	nat-lab up home | tail -n 1
	nat-lab up home second | tail -n 1
	nat-lab up cgnat | tail -n 1
	expect 100 'several labs are up' nat-lab exec ha true
	expect 100 'several labs are up' nat-lab down
	nat-lab exec second/na nft delete table ip nat
	nat-lab exec home/ha ping -c 1 -W 5 pub >ping.out
	expect 1 '' nat-lab exec second/ha ping -c 1 -W 1 pub
	# through two NATs
	stun_server cgnat/
	case $(mapped cgnat/ha 5000 192.0.2.1) in
	198.51.100.[23]:*) ;;
	*) fail "not the address of the outer NAT" ;;
	esac
	nat-lab down home nonesuch && fail "nonesuch was there"
	expect 1 . nat-lab list home
	nat-lab list second | grep -q '^lab name=second'
	nat-lab down second cgnat
	nothing_left
}

attached() {
	expect 5 '' nat-lab up home -- sh -c 'exit 5'
	expect 127 nonesuch nat-lab up home -- nonesuch
	# In there, the lab is the one that is meant, and its names are known.
	echo in | nat-lab up home -- sh -c 'cat
		nat-lab exec ha ping -c 1 -W 5 pub >/dev/null && echo reached
		nat-lab nat na profile=linux
		ip netns exec nb ip -o -4 addr show dev wan' >out
	grep -qx in out && grep -qx reached out
	grep -q '^box lab=home name=na .*profile=linux$' out
	grep -q 203.0.113.2 out
	# Another of the same name, and from outside.
	mkfifo go
	nat-lab up home -- sh -c 'read -r _ <go; nat-lab list' >first &
	local first=$!
	await nat-lab list home
	nat-lab up home -- nat-lab list | grep -q '^lab name=home-2 '
	nat-lab exec ha true
	echo >go
	wait $first
	grep -q '^lab name=home ' first
	nothing_left
}

ctrl_c() {
	env --default-signal=INT setsid nat-lab up home -- sh -c \
		'trap "" INT TERM; while :; do sleep 0.2; done' &
	local group=$! code=0
	await nat-lab list home
	kill -INT -- -$group
	wait $group || code=$?
	[ "$code" = 130 ] || fail "ended with $code"
	nothing_left
	# While it is being made.
	env --default-signal=INT setsid nat-lab up home &
	group=$! code=0
	await test -e "$d/nat-lab/home/lock"
	kill -INT -- -$group
	wait $group || code=$?
	[ "$code" != 0 ] || nat-lab down home # it was faster
	nothing_left
}

killed() {
	local pid n
	nat-lab up home >up.out
	read -r pid _ <"$d/nat-lab/home/holder"
	nat-lab exec ha sh -c 'echo >started; exec sleep 1000' &
	await test -f started
	kill -9 "$pid"
	nothing_left

	nat-lab up home >up.out
	# unshare, whose child is the holder
	read -r pid _ <"$d/nat-lab/home/holder"
	kill -9 "$(sed 's/.*) [A-Z] \([0-9]*\) .*/\1/' "/proc/$pid/stat")"
	nothing_left

	nat-lab up home -- sleep 1000 &
	pid=$!
	await nat-lab list home >up.out
	kill -9 $pid
	wait $pid || :
	nothing_left

	# While it is being made: its parts find each other, sooner or later.
	for n in 1 2 4 8 16; do
		nat-lab up home -- sleep 1000 &
		pid=$!
		until [ -p "$d/nat-lab/home/ready" ] ||
		    [ -f "$d/nat-lab/home/holder" ]; do :; done
		for _ in $(seq $((n * 60))); do kill -0 $pid; done
		kill -9 $pid
		wait $pid || :
		nothing_left
	done

	# Killed before it had locked its folder.
	mkdir "$d/nat-lab/other"
	nothing_left

	# A pid that is another's by now.
	sleep 1000 &
	pid=$!
	mkdir -p "$d/nat-lab/home"
	echo "$pid 12345 $(readlink /proc/self/ns/pid)" >"$d/nat-lab/home/holder"
	: >"$d/nat-lab/home/lock"
	expect 1 'no lab home' nat-lab down home
	kill -0 $pid || fail "a stranger was killed"
	kill $pid
	wait $pid || :
	nothing_left
	# A lab of another pid namespace can't be entered, and is not stale.
	nat-lab up home >up.out
	local code=0
	unshare -pf --kill-child --mount-proc nat-lab list >out || code=$?
	[ "$code$(cat out)" = 1 ] || fail "another namespace's lab: $(cat out)"
	nat-lab down home
	nothing_left
	# A folder that others can write to.
	chmod 777 "$d/nat-lab"
	expect 100 'mode 700' nat-lab list
	chmod 700 "$d/nat-lab"
}

change() {
	nat-lab up home >up.out
	stun_server
	nat-lab nat na profile=ei-apd allocation=random >nat.out
	grep -q 'profile=ei-apd,allocation=random$' nat.out
	local one two
	one=$(mapped ha 5000 192.0.2.1) two=$(mapped ha 5000 192.0.2.2)
	[ "$one" = "$two" ] || fail "not endpoint-independent: $one $two"
	nat-lab nat na flush
	two=$(mapped ha 5000 192.0.2.1)
	[ "$one" != "$two" ] || fail "the mapping is still there"
	nat-lab nat na mapping=address-dependent
	one=$(mapped ha 5000 192.0.2.1) two=$(mapped ha 5000 192.0.2.2)
	[ "$one" != "$two" ] || fail "not address-dependent: $one"
	expect 100 '^nat-lab: fatal: hairpin=maybe: must' nat-lab nat na hairpin=maybe
	expect 100 'ha is no nat' nat-lab nat ha hairpin=no
	expect 100 'more than 300 bytes' nat-lab nat na \
		"pool=198.51.100.2$(printf ',198.51.100.%d' $(seq 3 40))"
	nat-lab list | grep -q 'name=na .*profile=ei-apd,allocation=random,mapping=address-dependent$'
	nat-lab nat na profile=pool | grep -q 'profile=pool$'
	one=$(mapped ha 5000 192.0.2.1) two=$(mapped ha 5001 192.0.2.1)
	[ "${one%:*}" != "${two%:*}" ] || fail "not arbitrary: $one $two"
	nat-lab nat na profile=ei-ei >nat.out
	[ "$(mapped ha 5002 192.0.2.1)" = 198.51.100.2:5002 ] ||
		fail "the pool is still there"
	# An early packet takes the port, and no more than that.
	nat-lab nat na input=open >nat.out
	send pub 198.51.100.2 5003 early bind=192.0.2.1:4003
	listen pub 4003
	send ha 192.0.2.1 4003 late sourceport=5003
	await grep -q '^late$' pub.4003
}

# A packet that comes while a NAT changes, right before it forgets.
between() {
	nat-lab up home >up.out
	stun_server
	mkdir before
	cat >before/conntrack <<-END
	#!/bin/sh
	PATH=${PATH#*:}:/usr/sbin:/sbin
	echo x | nsenter --net=/run/netns/ha socat -u - \
	    UDP:192.0.2.1:3478,sourceport=5000
	echo between >>"$d/between"
	exec conntrack "\$@"
	END
	chmod +x before/conntrack
	local old new
	for new in 'profile=ei-ei' 'flush'; do
		nat-lab nat na profile=ei-ei allocation=random >nat.out
		old=$(mapped ha 5000 192.0.2.1)
		PATH=$d/before:$PATH nat-lab nat na "$new" >nat.out
		new=$(mapped ha 5000 192.0.2.1)
		[ "$old" != "$new" ] || fail "$old has been taken over"
	done
	[ "$(wc -l <between)" = 2 ]
	nat-lab exec na nft list table inet hold && fail "it still holds"
	# When something goes wrong, all passes as before.
	nat-lab nat na profile=ei-ei allocation=random >nat.out
	old=$(mapped ha 5000 192.0.2.1)
	printf '#!/bin/sh\nexit 1\n' >before/conntrack
	expect 100 '' env PATH="$d/before:$PATH" nat-lab nat na flush
	mapped ha 5000 192.0.2.1 | grep -q 198.51.100.2
}

wires() {
	nat-lab up far >up.out
	stun_server
	mapped ha 5000 192.0.2.1 >/dev/null
	nat-lab wire na loss=100 | grep -q '^link from=.* loss=100 '
	expect 111 . nat-lab exec ha nat-stun -w 1 192.0.2.1
	nat-lab wire na loss=0 >wire.out
	mapped ha 5000 192.0.2.1 >/dev/null
	expect 100 'no wire' nat-lab wire ha loss=1
	expect 100 'refuses: loss=101: per cent up to 100' nat-lab wire na loss=101
}

rootless() {
	mkdir /run/nobody
	chown nobody /run/nobody
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		test -r "$0" || {
		echo SKIP an ordinary user can not read the work tree
		return 0
	}
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		unshare -Urmnp --fork --kill-child --mount-proc true || {
		echo SKIP no user namespaces for an ordinary user here
		return 0
	}
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		bash -eu "$0" rootless_life "${PATH%%:*}" "$NATKIT_BUILD" /run/nobody
	await no_others
}

upnp() {
	nat-lab up upnp >up.out
	listen ha 4000
	send pub 25.1.1.2 4000 early
	! came ha 4000 early na 192.168.1.2 || fail "the port was open before"
	nat-lab exec ha upnpc -a 192.168.1.2 4000 4000 udp >upnpc.out
	send pub 25.1.1.2 4000 opened
	await grep -q '^opened$' ha.4000
	nat-lab exec ha upnpc -d 4000 udp >upnpc.out
	send pub 25.1.1.2 4000 late
	! came ha 4000 late na 192.168.1.2 || fail "the port is still open"
}

one_to_one() {
	printf '%s\n' 'nat na' 'host ha behind=na' 'host hb behind=na' >l.lab
	nat-lab up l.lab >up.out
	stun_server
	listen hb 4000
	nat-lab nat na profile=one-to-one \
		filtering=address-and-port-dependent >nat.out
	send pub 198.51.100.103 4000 early
	! came hb 4000 early na 192.168.1.3 || fail "no filter"
	nat-lab nat na profile=one-to-one >nat.out
	send pub 198.51.100.103 4000 mine
	comes hb 4000 mine || fail "1:1 does not let in"
	[ "$(mapped ha 5000 192.0.2.1)" = 198.51.100.102:5000 ]
	[ "$(mapped hb 5000 192.0.2.2)" = 198.51.100.103:5000 ]
	# One host has an address, the others have a NAT that maps otherwise.
	nat-lab nat na profile=apd-apd \
		one_to_one=192.168.1.2=198.51.100.102 >nat.out
	[ "$(mapped ha 5001 192.0.2.1)" = 198.51.100.102:5001 ]
	[ "$(mapped ha 5001 192.0.2.2)" = 198.51.100.102:5001 ]
	case $(mapped hb 5001 192.0.2.1) in
	198.51.100.2:*) ;;
	*) fail "hb has the address of ha" ;;
	esac
}

neighbours() {
	nat-lab up upnp >up.out
	stun_server
	local one two
	nat-lab nat na profile=linux >nat.out
	one=$(mapped ha 5000 192.0.2.1) two=$(mapped hb 5000 192.0.2.2)
	[ "$one" = "$two" ] || fail "no overloading: $one $two"
	nat-lab nat na profile=ei-apd >nat.out
	one=$(mapped ha 5000 192.0.2.1) two=$(mapped hb 5000 192.0.2.2)
	[ "$one" != "$two" ] || fail "two share one external endpoint: $one"
	# Each by the other's public endpoint, although the filter is strict.
	listen hb 5000
	send ha "${two%:*}" "${two#*:}" hairpin
	comes hb 5000 hairpin || fail "no hairpin"
	nat-lab nat na hairpin=no >nat.out
	mapped ha 5001 192.0.2.1 >/dev/null
	send ha "${two%:*}" "${two#*:}" nothing
	! came hb 5000 nothing na 192.168.1.3 || fail "hairpin=no"
}

six() {
	nat-lab up ipv6 >up.out
	listen hb 4000
	local to='[2001:db8:2:1::2]'
	send pub "$to" 4000 early
	! came hb 4000 early fb "$to" || fail "the firewall lets in"
	# hb asks ha: from there, and from nowhere else
	echo x | nat-lab exec hb socat -u - \
		'UDP6-SENDTO:[2001:db8:1:1::2]:6000,sourceport=4001'
	listen hb 4001
	send pub "$to" 4001 stranger
	! came hb 4001 stranger fb "$to" || fail "a stranger gets in"
	send ha "$to" 4001 answer sourceport=6000
	comes hb 4001 answer || fail "the answer does not get in"
	nat-lab nat fb filtering=endpoint-independent >nat.out
	echo x | nat-lab exec hb socat -u - \
		'UDP6-SENDTO:[2001:db8:1:1::2]:6000,sourceport=4002'
	listen hb 4002
	send pub "$to" 4002 any
	comes hb 4002 any || fail "not endpoint-independent"
}

blocked() {
	nat-lab up office >up.out
	stun_server
	mapped hb 5000 192.0.2.1 >/dev/null
	expect 111 . nat-lab exec ha nat-stun -w 1 192.0.2.1
	local port
	for port in 443 444; do
		nat-lab exec pub socat -u "TCP-LISTEN:$port,fork" \
			"OPEN:tcp.$port,creat,append" &
	done
	await listening pub 443
	await listening pub 444
	echo web | nat-lab exec ha socat -u - TCP:192.0.2.1:443
	await grep -q web tcp.443
	expect 1 . nat-lab exec ha socat -u /dev/null \
		TCP:192.0.2.1:444,connect-timeout=1
}

# As an ordinary user: all of it but tunnels.
rootless_life() {
	[ "$(id -u)" != 0 ] || fail "still root"
	nat-lab up far >up.out
	nat-lab up upnp >>up.out
	stun_server far/
	case $(mapped far/hb 5000 192.0.2.1) in
	203.0.113.2:5000) ;;
	*) fail "no mapping" ;;
	esac
	nat-lab nat far/nb profile=sequential >nat.out
	[ "$(mapped far/hb 5000 192.0.2.1)" = 203.0.113.2:40000 ]
	nat-lab wire far/nb loss=0 >wire.out
	nat-lab exec upnp/ha upnpc -a 192.168.1.2 4000 4000 udp >upnpc.out
	nat-lab down far upnp
	expect 1 '' nat-lab list
	[ "$(nat-lab up home -- nat-lab exec ha id -u)" = 0 ]
	nat-lab up home -- sleep 1000 &
	local pid=$!
	await nat-lab list home >up.out
	kill -9 $pid
	wait $pid || :
	await no_others
	expect 1 '' nat-lab list
}

[ -d "$lab_dir" ] || fail "$lab_dir is not there"
"$scenario"
