# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# The scenarios of ladder.bats, each run in a pid and mount namespace of its
# own. usage: ladder.bash SCENARIO BIN BUILD DIR

set -eu
LC_ALL=C
export LC_ALL
scenario=$1 NATKIT_BUILD=$3 d=$4
PATH=$2:$3:$PATH
XDG_RUNTIME_DIR=$d
export PATH NATKIT_BUILD XDG_RUNTIME_DIR
[ -n "${NATLAB:-}" ] || {
	mount -t tmpfs -o mode=755 none /run
	ip link set lo up
}
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

# expect CODE PATTERN COMMAND...: its exit code, and a line of its stderr
expect() {
	local code=0 want=$1 pattern=$2
	shift 2
	"$@" >out 2>err </dev/null || code=$?
	[ "$code" = "$want" ] || fail "$* ended with $code: $(cat out err)"
	grep -q -e "$pattern" err || fail "$* said: $(cat err)"
	[ ! -s out ] || fail "$* wrote: $(cat out)"
}

# Runs scenario $1 of this file in a lab of the topology on standard input.
in_lab() {
	cat >t.lab
	nat-lab up t.lab -- bash "$0" "$1" "${PATH%%:*}" "$NATKIT_BUILD" "$d"
}

on() {
	nsenter --net="/run/netns/$1" "${@:2}"
}

# say TEXT BOX FROM-PORT ADDRESS:PORT: one datagram
say() {
	printf %s "$1" | on "$2" socat -t0 - "UDP4-DATAGRAM:$4,bind=:$3${5:-}"
}

has() {
	grep -qE -e "$2" "$1"
}

traced() { # BOX...: has each one a table that traces?
	local b
	for b; do
		on "$b" nft list tables | grep -q nat-watch || return 1
	done
}

untraced() {
	! on na nft list tables | grep -q nat-watch &&
		! on nb nft list tables | grep -q nat-watch
}

two_nats() { # PROFILE
	printf '%s\n' "nat na profile=$1" "nat nb profile=$1" \
		'host ha behind=na' 'host hb behind=nb'
}

scenario_refusals() {
	mkdir empty
	expect 100 "holds no capture; make one: nat-lab capture empty" \
		nat-ladder empty
	expect 100 "holds no capture" nat-ladder none
	expect 100 'must end in .svg or .html' nat-ladder -o x.png empty
	expect 100 'name one directory' nat-ladder
	expect 100 'name the boxes' nat-watch
	expect 100 'no such box' nat-watch nobody
	expect 100 'no name of a box' nat-watch 'a b'
	expect 100 'name a directory to make and the boxes' nat-capture x
	printf 'box name=ha\ninterface box=ha name=eth\n' >empty/lab
	expect 100 'empty/ha.eth.pcap: No such file' nat-ladder empty
	echo nonsense >empty/ha.eth.pcap
	expect 100 'empty/ha.eth.pcap: ' nat-ladder empty
	[ ! -e x ] || fail "a directory was made for nothing"
	nat-ladder -h | grep -q '^usage: nat-ladder' || fail "no help"
}

scenario_traces_go() {
	two_nats linux | in_lab traces_go_in
}

scenario_traces_go_in() {
	untraced || fail "traces before the start"
	nat-watch -N 5 na nb 5>ready >records &
	local pid=$!
	await test -s ready
	traced na nb || fail "nothing is traced"
	kill "$pid"
	wait "$pid" || fail "nat-watch ended with $?"
	await untraced
	nat-watch -N 5 na 5>ready2 >records &
	pid=$!
	await test -s ready2
	# a lab that changes its rules leaves the watch alone
	nat-lab nat na profile=home
	traced na || fail "a change of the rules ended the trace"
	kill -KILL "$pid"
	wait "$pid" || :
	await untraced
	[ ! -s records ] || fail "records without a packet: $(cat records)"
}

scenario_poison() {
	two_nats linux | in_lab poison_in
}

scenario_poison_in() {
	nat-lab watch na nb >records &
	await traced na nb
	say early hb 4001 198.51.100.2:4001
	await has records '^mapping box=na .* reason=own '
	say late ha 4001 203.0.113.2:4001
	await has records '^drop box=nb .* reason=filtering '
	kill $!
	await untraced
	cat records
	has records '^drop box=na protocol=udp from=203\.0\.113\.2:4001 to=198\.51\.100\.2:4001 reason=no-mapping rule=input time_us=[0-9]+$' ||
		fail "no drop of the early packet"
	has records '^mapping box=na state=made protocol=udp internal=198\.51\.100\.2:4001 external=198\.51\.100\.2:4001 remote=203\.0\.113\.2:4001 timeout_s=[0-9]+ reason=own time_us=' ||
		fail "the poisoned entry is not told"
	has records '^mapping box=na state=made protocol=udp internal=192\.168\.1\.2:4001 external=198\.51\.100\.2:[0-9]+ remote=203\.0\.113\.2:4001 timeout_s=[0-9]+ reason=clash time_us=' ||
		fail "the clash is not told"
	! has records 'external=198\.51\.100\.2:4001 .* reason=clash' ||
		fail "no other port"
	has records '^drop box=nb protocol=udp from=198\.51\.100\.2:[0-9]+ to=203\.0\.113\.2:4001 reason=filtering rule=input ' ||
		fail "the late packet is not filtered"
	# when it dies on the way it opens its own NAT, and nothing clashes
	: >records
	nat-lab watch -j na nb >records &
	await traced na nb
	say first ha 4002 203.0.113.2:4002 ,ttl=2
	say second hb 4002 198.51.100.2:4002
	await has records '"state":"refreshed"'
	nat-lab nat na flush
	await has records '"box":"na","state":"expired","protocol":"udp","internal":"192\.168\.1\.2:4002"'
	kill $!
	! has records '"reason":"clash"' || fail "a clash without poison"
}

scenario_reasons() {
	{
		two_nats ei-ei
		echo 'host ha2 behind=na'
	} | in_lab reasons_in
}

# dropped BOX REASON TABLE: that record, whose rule has that comment
dropped() {
	await has records "^drop box=$1 .* reason=$2 "
	local handle rule
	rule=$(sed -n "s/^drop box=$1 .* reason=$2 rule=\([^ ]*\) .*/\1/p" \
		records | tail -n 1)
	handle=${rule##*/}
	on "$1" nft -a list table ip nat |
		grep -q "comment \"drop $2\" # handle $handle\$" ||
		fail "rule $rule is not the one that says: drop $2"
	: >records
}

scenario_reasons_in() {
	nat-lab watch >>records &
	await traced ha na nb pub
	# endpoint-independent filtering: anybody may, so nothing is dropped
	on ha socat -u UDP4-RECV:4001 OPEN:got,creat &
	local receiver=$!
	say open ha 4000 192.0.2.1:9
	on ha nat-stun -p 4009 -w 1 192.0.2.1 || :
	say x pub 9 198.51.100.2:4000
	await has records '^drop box=ha .* to=192\.168\.1\.2:4000 reason=no-socket '
	! has records '^drop box=na ' || fail "na drops: $(cat records)"
	kill "$receiver"
	: >records
	say x pub 9 198.51.100.2:4999
	dropped na no-mapping
	nat-lab nat na profile=ei-ad
	say open ha 4000 192.0.2.1:9
	say x nb 9 198.51.100.2:4000
	dropped na filtering
	nat-lab nat na profile=ei-apd
	say open ha 4000 192.0.2.1:9
	say x pub 10 198.51.100.2:4000
	dropped na filtering
	nat-lab nat na profile=ei-apd hairpin=no
	say open ha 4000 192.0.2.1:9
	say x ha2 4001 198.51.100.2:4000
	dropped na hairpin
	nat-lab nat na profile=udp-blocked
	say x ha 4000 192.0.2.1:9
	dropped na blocked
	nat-lab nat na profile=firewall
	say x pub 9 192.168.1.2:4000 || :
	nat-lab nat na profile=ei-ei
	: >records
	say x ha 4000 192.0.2.1:9 ,ttl=1
	await has records '^drop box=na .* reason=ttl rule=forward '
	say x ha 4000 192.0.2.1:9 ,ttl=2
	await has records '^drop box=isp .* reason=ttl rule=forward '
	say x pub 9 198.51.100.77:1
	say x ha 4000 8.8.8.8:9
	await has records '^drop box=isp .* to=8.8.8.8:9 reason=not-routed '
	# to a router or a NAT itself, from where it translates nothing
	say x ha 4000 192.168.1.1:9
	await has records '^drop box=na .* to=192\.168\.1\.1:9 reason=no-socket '
	say x pub 9 198.51.100.254:9
	await has records '^drop box=isp .* to=198\.51\.100\.254:9 reason=no-socket '
	on na ip link set wan mtu 1300
	say x ha 4000 192.168.1.255:9 ,broadcast
	say "$(printf %1400d 0)" ha 4000 192.0.2.1:9 ,ip-mtu-discover=2
	await has records '^drop box=na .* to=192\.0\.2\.1:9 reason=too-big '
	! has records '^drop .* to=192\.168\.1\.255:9 ' ||
		fail "a broadcast is told"
}

scenario_captures() {
	two_nats linux | in_lab captures_in
}

scenario_captures_in() {
	local code=0
	nat-lab capture c -- sh -c 'exit 7' || code=$?
	[ "$code" = 7 ] || fail "the exit code is $code"
	expect 100 'holds a capture already; name a new directory' \
		nat-lab capture c -- true
	code=0
	nat-lab capture c2 -- /no/such/prog || code=$?
	[ "$code" = 127 ] || fail "a missing program gives $code"
	# without a program: until it is told to end, and nothing is lost then
	nat-lab capture c3 &
	local pid=$!
	await traced na nb
	say last ha 4001 192.0.2.1:9
	kill "$pid"
	wait "$pid" || fail "ended with $?"
	tcpdump -nr c3/pub.eth.pcap 2>/dev/null |
		grep -qF '198.51.100.2.4001 > 192.0.2.1.9: UDP' ||
		fail "the last packet is not captured"
	for f in ha.eth na.wan na.lan pub.eth nb.wan hb.eth; do
		tcpdump -r "c/$f.pcap" 2>&1 | grep -q 'link-type LINUX_SLL2' ||
			fail "$f is no capture"
	done
	expect 1 'holds no packet in that window' nat-ladder c
	untraced || fail "capture left a trace"
}

# An ordinary user can't come back to our network namespace from the lab's.
scenario_rootless() {
	local user='setpriv --reuid=65534 --regid=65534 --clear-groups'
	mount -t tmpfs -o mode=777 none /mnt
	cd /mnt
	two_nats linux >t.lab
	# shellcheck disable=SC2086
	if ! $user unshare -Urnm true || ! $user test -x "$NATKIT_BUILD/nat-watch"
	then
		echo 'SKIP no user namespaces for an ordinary user here'
		return 0
	fi
	# shellcheck disable=SC2086
	$user env XDG_RUNTIME_DIR= sh -euc '
		nat-lab up t.lab
		nat-lab capture c -- sh -c "
			echo early | nat-lab exec hb socat -t0 - \
			    UDP4-DATAGRAM:198.51.100.2:4001,bind=:4001"
		nat-lab down
		nat-lab ladder c >text'
	line text 'X na takes it itself: no-mapping'
}

# A STUN server, and who asks it from behind both NATs.
stun_run() {
	on pub nat-stund -b 192.0.2.1 -b 192.0.2.2 -N 5 5>ready 2>stund.err &
	await test -s ready
	nat-lab capture c -- sh -euc '
		nat-lab exec ha nat-stun -p 4000 192.0.2.1
		printf early | nat-lab exec hb socat -t0 - \
		    UDP4-DATAGRAM:198.51.100.2:4001,bind=:4001
		printf late | nat-lab exec ha socat -t0 - \
		    UDP4-DATAGRAM:203.0.113.2:4001,bind=:4001
		head -c 3000 /dev/zero | nat-lab exec ha socat -b 4000 -u - \
		    UDP4-SENDTO:192.0.2.1:9,bind=:4002'
}

scenario_translated() {
	two_nats linux | in_lab translated_in
}

# FILE LINE: exactly this line, whatever columns it is in
line() {
	sed 's/^ *//' "$1" | grep -qxF -e "$2" ||
		fail "no line \"$2\" in: $(cat "$1")"
}

scenario_translated_in() {
	stun_run
	nat-lab ladder c >text
	line text '192.168.1.2:4000 > 192.0.2.1:3478 | na: 198.51.100.2:4000 > 192.0.2.1:3478'
	line text '192.0.2.1:3478 > 198.51.100.2:4000 | na: 192.0.2.1:3478 > 192.168.1.2:4000'
	has text 'Binding success: XOR-MAPPED-ADDRESS 198\.51\.100\.2:4000' ||
		fail "STUN is not decoded: $(cat text)"
	line text '192.168.1.2:4001 > 198.51.100.2:4001 | nb: 203.0.113.2:4001 > 198.51.100.2:4001'
	line text 'X na takes it itself: no-mapping'
	line text 'X nb takes it itself: filtering'
	has text '^ +192\.168\.1\.2:4001 > 203\.0\.113\.2:4001 \| na: 198\.51\.100\.2:[0-9]+ > 203\.0\.113\.2:4001$' ||
		fail "the late packet is not translated"
	# three fragments come through, and what the bridge sees whole is no more
	[ "$(grep -cF '192.168.1.2 > 192.0.2.1 | na: 198.51.100.2 > 192.0.2.1' \
		text)" = 2 ] || fail "not two more fragments: $(cat text)"
	has text 'UDP, first fragment, 1472 bytes$' || fail "$(cat text)"
	! has text 'X ends at na' || fail "a fourth packet: $(cat text)"
	! has text 'na: 198\.51\.100\.2:4001 > 203\.0\.113\.2:4001' ||
		fail "the port was kept"
	[ "$(awk '{ if (length > n) n = length } END { print n }' text)" -le 100 ] ||
		fail "wider than 100 columns"
	# the same, for programs
	nat-ladder -j c >records
	has records '^\{"record":"packet","protocol":"udp","path":"ha,na,isp,pub","from":"192\.168\.1\.2:4000","to":"192\.0\.2\.1:3478","last_from":"198\.51\.100\.2:4000","last_to":"192\.0\.2\.1:3478","what":"Binding request","end":"arrived","times":[0-9]+,' ||
		fail "records: $(cat records)"
	has records '"end":"dropped","reason":"no-mapping","rule":"input"' ||
		fail "the drop is no record: $(cat records)"
	# a window
	nat-ladder -n 1 c >text
	has text 'not shown: .* rows that found no room' || fail "no note"
}

# browse URL [OPTION]: the page as it is after its script has run, or else
# what the option makes
browse() {
	rm -rf profile
	chromium --headless --no-sandbox --disable-gpu --disable-quic \
		--no-first-run --disable-background-networking \
		--disable-component-update --disable-sync \
		--user-data-dir="$d/profile" "${2:---dump-dom}" "$1" 2>/dev/null
}

scenario_pictures() {
	command -v chromium >/dev/null || {
		echo 'SKIP chromium is not installed'
		return 0
	}
	two_nats linux | in_lab pictures_in
}

scenario_pictures_in() {
	stun_run
	nat-ladder -o l.svg c
	nat-ladder -o l.html c
	! grep -E 'https?:' l.html | grep -v 'xmlns=' || fail "it refers out"
	# the control: what a browser says of a picture that isn't well-formed
	sed '$d' l.svg >bad.svg
	browse "file://$d/bad.svg" | grep -q parsererror ||
		fail "the browser takes anything"
	browse "file://$d/l.svg" >svg.dom
	# one page, also when it is full: of A4, whatever margins a browser adds
	sed 's/ height="[0-9]*mm"/ height="294mm"/' l.svg >full.svg
	browse "file://$d/full.svg" --print-to-pdf="$d/full.pdf"
	grep -aq '/Count 1$' full.pdf || fail "not one page: $(grep -a /Count full.pdf)"
	! grep -q parsererror svg.dom || fail "$(cat svg.dom)"
	grep -q '>na takes it itself: no-mapping<' svg.dom || fail "no reason"
	local rows
	rows=$(grep -c '<g class="row"' l.html)
	[ "$rows" -ge 8 ] || fail "$rows rows"
	browse "file://$d/l.html" >all.dom
	[ "$(grep -c 'class="row later"' all.dom)" = 0 ] || fail "rows are hidden"
	browse "file://$d/l.html#3" >three.dom
	[ "$(grep -c 'class="row later"' three.dom)" = $((rows - 3)) ] ||
		fail "not $((rows - 3)) rows are hidden"
	grep -q "<span id=\"now\">3 of $rows, " three.dom || fail "no time"
	# the table of mappings goes with the slider
	! grep -q '<td>clash</td>' three.dom || fail "a clash before its time"
	grep -q '<td>clash</td>' all.dom || fail "no clash in the table"
}

"scenario_$scenario"
