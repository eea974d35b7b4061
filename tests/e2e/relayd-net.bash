# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# nat-relayd among clients on one host: its own (tests/tools/relay-client) and
# coturn's. Run by relayd.bats in a namespace of its own, in an empty folder;
# the last line is "all is well". usage: relayd-net.bash BUILD SCENE
set -euE
build=$1
client=$build/tools/relay-client
relay=127.0.0.1:3478
key=$(head -c 24 /dev/urandom | base64)
ip link set lo up
(umask 077 && echo "$key" >secret && head -c 24 /dev/urandom | base64 >other)
trap 'echo "line $LINENO" >&2; cat err >&2' ERR

# serve OPTION...: runs it until it is ready; sets pid.
serve() {
	rm -f ready
	mkfifo ready
	"$build/nat-relayd" -1 -k secret -c ctl -N 5 "$@" >out 2>err 5>ready &
	pid=$!
	read -r _ <ready
}

stop() {
	kill -TERM "$pid"
	wait "$pid"
}

control() {
	printf '%s\n' "$*" | socat -t5 - UNIX-CONNECT:ctl
}

stat() {
	control stats | sed -n "s/^stats name=$1 value=//p"
}

# until_true COMMAND...
until_true() {
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	echo "not so: $*" >&2
	return 1
}

is() { # NAME VALUE: a counter has that value
	[ "$(stat "$1")" = "$2" ]
}

c() { # COMMAND...: clients of the relay
	local options=()
	if [ "$1" = -w ]; then
		options=(-w "$2")
		shift 2
	fi
	timeout 60 "$client" -k secret "${options[@]}" "$relay" "$@"
}

gone() {
	! kill -0 "$pid" 2>/dev/null
}

# Clients that stay, and take commands from us: says LINE..., then hears.
begin_clients() {
	rm -f say heard
	mkfifo say
	"$client" -k secret "$relay" "$@" - <say >heard 2>heard.err &
	clients=$!
	exec 7>say
}

says() { # COMMAND PATTERN: waits until it has answered
	local before
	before=$(wc -l <heard)
	echo "$1" >&7
	until_true answered "$before"
	tail -n 1 heard | grep -q "$2"
}

answered() {
	if [ "$(wc -l <heard)" -gt "$1" ]; then
		return 0
	fi
	if ! kill -0 "$clients" 2>/dev/null; then
		cat heard heard.err >&2
		exit 1
	fi
	return 1
}

end_clients() {
	exec 7>&-
	wait "$clients"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout key.pem -out cert.pem -days 2 \
		-subj /CN=localhost 2>/dev/null
}

# What is asked of both servers: a name, the server's address, and the options
# of turnutils_uclient. The channels of RTP and RTCP (EVEN-PORT, a reservation)
# are in all but -c.
modes() {
	cat <<-END
	udp 127.0.0.1 -e 127.0.0.1
	send 127.0.0.1 -s -e 127.0.0.1
	tcp 127.0.0.1 -t -e 127.0.0.1
	tcp-send 127.0.0.1 -t -s -e 127.0.0.1
	tls 127.0.0.1 -t -S -e 127.0.0.1
	each-other 127.0.0.1 -y
	each-other-send-tcp 127.0.0.1 -y -s -t
	udp6 ::1 -x -e ::1
	tcp6 ::1 -x -t -e ::1
	6-for-4 127.0.0.1 -x -e ::1
	4-for-6 ::1 -X -e 127.0.0.1
	dont-fragment 127.0.0.1 -g -s -e 127.0.0.1
	padding 127.0.0.1 -D -e 127.0.0.1
	extra 127.0.0.1 -G -e 127.0.0.1
	both-families 127.0.0.1 -Z -e 127.0.0.1
	separator 127.0.0.1 -C - -u carol -e 127.0.0.1
	extra-tcp 127.0.0.1 -G -t -e 127.0.0.1
	END
}

ask_turn() { # NAME PORT ADDRESS OPTION...
	local name=$1 port=$2 address=$3
	shift 3
	timeout 30 turnutils_uclient "$@" -n 10 -m 2 -l 170 -r 3480 \
		-W "$key" -p "$port" "$address" >"$name.$port" 2>&1 || :
	grep -o 'tot_send_msgs=[0-9]*, tot_recv_msgs=[0-9]*' "$name.$port" |
		tail -n 1 >"$name.$port.sum"
}

scene_coturn() {
	local name address options port
	certificate
	serve -b 127.0.0.1 -b ::1 -a 127.0.0.1 -a ::1 -C cert.pem -K key.pem \
		-l requests=10000
	turnserver -n -f --no-cli -L 127.0.0.1 -L ::1 -E 127.0.0.1 -E ::1 \
		-p 4478 --tls-listening-port 4479 --use-auth-secret \
		--static-auth-secret="$key" --realm natkit \
		--allow-loopback-peers --cert cert.pem --pkey key.pem \
		--min-port 20000 --max-port 30000 -l stdout --pidfile pid \
		>coturn.log 2>&1 &
	turnutils_peer -L 127.0.0.1 -L ::1 -p 3480 >/dev/null 2>&1 &
	until_true "$build/tools/stun-ask" -w 100 127.0.0.1:4478 >/dev/null
	until_true "$build/tools/stun-ask" -t '[::1]:4478' >/dev/null
	while read -r name address options; do
		port=4478
		case $name in tls) port=4479 ;; esac
		# shellcheck disable=SC2086
		ask_turn "$name" 3478 "$address" $options &
		echo $! >>asking
		# shellcheck disable=SC2086
		ask_turn "$name" $port "$address" $options &
		echo $! >>asking
	done < <(modes)
	# shellcheck disable=SC2046
	wait $(cat asking)
	while read -r name _; do
		echo "$name: $(cat "$name.3478.sum")"
		[ -s "$name.3478.sum" ]
		if ! cmp "$name.3478.sum" "$name".447?.sum; then
			tail -n 5 "$name".[34]???
			return 1
		fi
		# all that was sent came back
		sed 's/.*=\(.*\), .*=\(.*\)/[ \1 -gt 0 ] \&\& [ \1 = \2 ]/' \
			"$name.3478.sum" | sh
	done < <(modes)
	[ "$(stat connections_tls)" -ge 2 ]
	is dropped_own 0
	is send_failed 0
	stop
}

# No credential, no byte; and nobody is reached who was not to be.
scene_closed() {
	ip addr add 203.0.113.9/32 dev lo
	ip addr add 2001:db8::9/128 dev lo nodad
	serve -b 127.0.0.1 -b ::1 -a 127.0.0.2
	# and what the host gets later, or takes as a router
	ip addr add 203.0.113.10/32 dev lo
	ip addr add 2001:db8:1::9/64 dev lo nodad
	# neither a pair's port nor the main one carries anything of strangers
	c a:to=main a:send=hello a:hex=4000000568656c6c6f a:to=127.0.0.1:49152 \
		a:send=hello a:nothing
	c a:secret=other a:turn'!401'
	c a:expiry=-5 a:turn'!401'
	c a:secret=other a:bind=b'!401' a:nothing
	c a:name="$(printf 'nonsense%.0s' 1 2 3 4 5 6 7 8 9 10)" a:bind=b'!401'
	c -w 300 a:name=nonsense a:bind=b'!none'
	is to_peer_datagrams 0
	is pair_datagrams 0
	is relayed_ports 0
	timeout 20 turnutils_uclient -n 2 -l 100 -e 127.0.0.1 -r 3480 -W nonsense \
		127.0.0.1 >wrong 2>&1 || :
	grep -q 'Cannot complete Allocation' wrong
	timeout 20 turnutils_uclient -c -n 2 -l 100 -e 127.0.0.3 -r 3480 \
		-W "$key" 127.0.0.1 >loopback 2>&1 || :
	grep -q 'error 403' loopback
	is to_peer_datagrams 0
	# peers: what is private, in every disguise; ourselves; what was named
	c a:turn a:permit=127.0.0.3'!403' a:permit=127.1.1.1'!403' \
		a:permit=10.0.0.1'!403' a:permit=169.254.169.254'!403' \
		a:permit=224.0.0.1'!403' a:permit=0.0.0.0'!403' \
		a:permit=203.0.113.9'!403' a:permit=203.0.113.8 \
		a:permit=203.0.113.10'!403' \
		a:permit=127.0.0.2 b:from=127.0.0.2 a:wrap=b,hello \
		b:expect=hello b:nothing
	relay='[::1]:3478'
	c a:turn a:permit=::'!403' a:permit=fd00::1'!403' \
		a:permit=::ffff:127.0.0.1'!443' a:permit=64:ff9b::7f00:1'!403' \
		a:permit=2002:7f00:1::1'!403' a:permit=fe80::1'!403' \
		a:permit=2001:db8::9'!403' a:permit=2001:db8::8 \
		a:permit=2001:db8:1::'!403' a:permit=2001:db8:1::1
	relay=127.0.0.1:3478
	# who is not permitted is not heard
	begin_clients a:turn a:permit=127.0.0.2 b:from=127.0.0.2 \
		c:from=127.0.0.3
	until_true grep -q permitted heard
	at=$(sed -n 's/^a relayed=\([^,]*\),.*/\1/p' heard)
	echo "c:to=$at" >&7
	echo c:send=stranger >&7
	says a:nothing nothing
	echo "b:to=$at" >&7
	echo b:send=friend >&7
	says a:expect=friend got=friend
	end_clients
	is dropped_permission 1
	# at our own address there are only other clients
	c a:turn a:permit=127.0.0.1 p:where a:wrap=p,x a:channel=p a:wrap=p,x \
		p:nothing a:wrap=127.0.0.1:3478,x a:wrap=127.0.0.1:49152,x \
		a:nothing
	is dropped_own 4
	# nor does an answer to who asks in our own name get to one of them: it
	# would be a client at our address, and things would go in circles
	begin_clients a:turn a:permit=127.0.0.1
	until_true grep -q permitted heard
	at=$(sed -n 's/^a relayed=.*:\([0-9]*\),.*/\1/p' heard)
	printf '%04x0d9600240000000300082112a4420102030405060708090a0b0c%s' \
		"$at" 0019000411000000 | xxd -r -p |
		socat -u - IP4-SENDTO:127.0.0.1:17,bind=127.0.0.1
	until_true is dropped_own 5
	says a:nothing nothing
	end_clients
	stop
	# with our own address named, our own ports stay out of reach
	serve -b 127.0.0.1 -a 127.0.0.1
	c a:turn a:permit=127.0.0.1 a:wrap=127.0.0.1:3478,x \
		a:wrap=127.0.0.1:49152,x a:wrap=127.0.0.1:49167,x a:nothing
	is dropped_own 3
	# and whoever sends to a port where nobody is gets to know
	c a:turn a:permit=127.0.0.1 a:wrap=127.0.0.1:9,x
	until_true is icmp 1
	stop
	# nor is it kept from him that our own link is too narrow for DONT-FRAGMENT
	ip link add narrow mtu 1400 type veth peer name end
	ip link set end up
	ip addr add 192.0.2.1/24 dev narrow
	ip link set narrow up
	ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev narrow
	serve -b 203.0.113.9
	relay=203.0.113.9:3478
	c a:turn a:permit=192.0.2.2 a:to=main a:raw="$(printf %s \
		0016058c2112a4420102030405060708090a0b0c \
		001200080001 2115 e112a640 001a0000 00130578)$(printf '%02800d' 0)"
	until_true is icmp 1
	relay=127.0.0.1:3478
	stop
}

scene_pairs() {
	local hint at
	serve -b 127.0.0.1 -b ::1 -P 2
	c a:bind=b b:bind=a a:send=hello b:expect=hello b:send= a:expect= \
		b:hex=400000000001 a:hex=00 b:flood=100,1400 a:count=1,300'!1'
	# a second peer: another port; a third one: there are two
	c a:bind=b b:bind=a a:bind=c c:bind=a a:bind=d'!486' c:send=c a:expect=c \
		a:to=b a:send=b b:expect=b a:to=c a:send=cc c:expect=cc b:nothing
	relay='[::1]:3478'
	c a:bind=b b:bind=a a:send=hello b:expect=hello b:send=back a:expect=back
	relay=127.0.0.1:3478
	# a stranger's datagrams, one whose side has moved, and one who left
	c a:bind=b b:bind=a c:to=127.0.0.1:49152 c:send=x a:nothing b:nothing \
		a:move a:send=lost b:nothing a:plain a:bind=b a:send=found \
		b:expect=found b:send=there a:expect=there a:unbind a:send=x \
		b:nothing
	# whose port is another one now is told, in no more bytes than he sent, and is not
	# forwarded; who is elsewhere hears nothing; nor is an answer answered
	hint=$(stat hints)
	c a:bind=b b:bind=a c:from=127.0.0.2 c:to=127.0.0.1:49152 \
		c:flood=3,1400 a:move a:flood=3,39 a:hex="$(printf %s%056d \
		0101001c2112a4420102030405060708090a0b0c 0)" a:nothing \
		b:nothing c:nothing
	is hints "$hint"
	c a:from=127.0.0.3 a:bind=b b:bind=a a:move a:flood=3,40 \
		a:count=3,300'!1' b:nothing \
		a:bind=b a:send=x b:expect=x
	is hints $((hint + 2))
	at=$(date +%s%3N)
	c a:from=127.0.0.4 a:bind=b b:bind=a a:move a:flood=1000,148 b:nothing
	at=$(($(date +%s%3N) - at))
	[ "$(stat hints)" -gt $((hint + 2)) ]
	[ "$(stat hints)" -le $((hint + 4 + at / 100)) ]
	# tokens: forged, expired, too long-lived, another pair's, from elsewhere
	c a:secret=other a:bind=b'!401'
	c a:expiry=-1 a:bind=b'!403'
	c a:expiry=9000000 a:bind=b'!403'
	c a:bind=b b:bind=a c:replay=a'!438' c:send=x b:nothing a:send=y \
		b:expect=y c:bind=d c:send=x b:nothing
	# of two who hold the same key the one that binds later has it
	c a:bind=b b:bind=a c:who=a c:bind=b b:send=1 c:expect=1 a:nothing \
		a:send=2 b:nothing
	# over TCP, with one side and with both; two peers on one connection
	c a:tcp a:bind=b b:bind=a a:send=hello b:expect=hello b:send=back \
		a:expect=back a:bind=c c:tcp c:bind=a c:send=tcp a:expect=tcp \
		a:to=b a:send=again b:expect=again c:nothing
	# ChannelData there: of no channel and cut off, whole, and what is none
	c a:tcp a:bind=b b:bind=a a:raw=4002000178000000 a:raw=40010002 \
		b:nothing a:raw=61620000 b:expect=ab a:raw=4001ffff61 a:end \
		b:nothing
	c a:tcp a:bind=b b:bind=a a:raw=c000000161000000 a:nothing=8000 b:nothing |
		grep 'closed by server'
	until_true is connections_open 0
	# a daemon's STUN is its own: checks and TURN pass as they are
	check=000100042112a4420102030405060708090a0b0c80220000
	c a:bind=b b:bind=a a:hex=000300002112a4420102030405060708090a0b0c \
		b:count=1,1000'!1'
	c a:bind=b b:bind=a a:hex=$check b:count=1,1000'!1'
	stop
}

# One wrong message each, then a right one: only that passes.
scene_channel() {
	local wrong n=0
	serve -b 127.0.0.1 -a 127.0.0.1 -l requests=1000
	begin_clients p:where a:turn a:permit=p a:channel=p a:to=main
	until_true grep -q 'a channel=4000' heard
	for wrong in 40 4000 400000 40000001 4000000161620000ff \
		40000005aabbccdd 4000ffffaabb 40000000aabbccdd \
		4000000100000000ff 7fff0001aa 40010001aa; do
		says "a:raw=$wrong" sent=
		n=$((n + 1))
	done
	says p:nothing nothing
	is to_peer_datagrams 0
	[ $(($(stat dropped_length) + $(stat dropped_channel))) = $n ]
	# whole ones: bare, padded, empty
	says a:raw=4000000568656c6c6f sent=
	says p:expect=hello got=hello
	says a:raw=400000056865786c6f000000 sent=
	says p:expect=hexlo got=hexlo
	says a:raw=40000000 sent=
	says p:expect= got=
	end_clients
	is to_peer_datagrams 3
	# over TCP: no such channel is dropped, the stream goes on; what is no
	# message ends it, and what is cut off gets nowhere
	c p:where a:tcp a:turn a:permit=p a:channel=p a:raw=40010001aa000000 \
		a:raw=4000000568656c6c6f000000 p:expect=hello p:nothing
	c p:where a:tcp a:turn a:permit=p a:channel=p a:raw=c0000001aa000000 \
		a:nothing=8000 p:nothing | grep 'closed by server'
	c a:tcp a:raw=0001000000000000000000000000000000000000 a:nothing=8000 |
		grep 'closed by server'
	c p:where a:tcp a:turn a:permit=p a:channel=p a:raw=4000ffff00 a:end \
		p:nothing
	is to_peer_datagrams 4
	stop
	# the longest datagram of IPv6 is more than a Data indication can hold
	serve -b ::1 -a ::1
	relay='[::1]:3478'
	begin_clients a:tcp a:turn a:permit=::1 p:where
	until_true grep -q '^p where=' heard
	echo "p:to=$(sed -n 's/^a relayed=.*,\(.*\) .*/\1/p' heard)" >&7
	says p:flood=1,65527 sent=1
	says p:flood=1,65504 sent=1
	says a:count=1,2000'!1' received=1
	echo p:send=short >&7
	says a:expect=short got=short
	end_clients
	relay=127.0.0.1:3478
	is dropped_length 1
	stop
}

rss() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
}

# (The kernel drops what finds the server's buffer full.)
not_noticed() {
	c -w 2000 b:from=127.0.0.2 c:from=127.0.0.2 b:bind=c c:bind=b \
		b:send=hello c:expect=hello
}

# 100 000 attempts of one address: few answers, not a byte more than was sent,
# nothing grows, and another address does not notice.
scene_storm() {
	local before
	serve -b 127.0.0.1
	c a:storm=2000 >/dev/null
	before=$(rss)
	c a:secret=other a:storm=100000 >storm &
	storm=$!
	for _ in 1 2 3 4 5; do
		not_noticed || not_noticed || not_noticed
	done
	wait $storm
	cat storm
	read -r _ _ answers percent <storm
	[ "${answers#answers=}" -gt 0 ]
	[ "${answers#answers=}" -lt 5000 ]
	[ "${percent#percent=}" -lt 10 ]
	if ! grep -q libasan "/proc/$pid/maps"; then
		[ $(($(rss) - before)) -lt 500 ]
	fi
	stop
}

# What is of no use ends: connections, pairs, allocations.
scene_idle() {
	serve -b 127.0.0.1
	begin_clients a:tcp b:tcp b:turn c:tcp c:bind=d d:bind=e e:bind=d \
		d:send=x e:expect=x
	until_true is pairs 2
	sleep 28
	is connections_open 3
	is pairs 2
	sleep 9
	# a never said anything; c's pair was not used
	is connections_open 2
	is connections_idle 1
	is pairs 1
	sleep 30
	is connections_open 1
	is allocations 1
	end_clients
	stop
}

# Clients that come and go, in every way: the same memory and descriptors.
scene_flat() {
	local round first files
	serve -b 127.0.0.1 -b ::1 -a 127.0.0.1 -l requests=100000,address=10000
	for round in $(seq 300); do
		c a:bind=b b:bind=a a:flood=200,1200 b:unbind c:tcp c:bind=a \
			a:bind=c c:flood=200,300 d:turn=u$((round % 50)) \
			d:permit=p d:channel=p d:wrap=p,x p:expect=x e:tcp \
			e:turn e:permit=p e:wrap=p,y p:expect=y >/dev/null
		control drop tester >/dev/null
		control drop u$((round % 50)) >/dev/null
		case $round in
		60) first=$(rss) files=$(find "/proc/$pid/fd" | wc -l) ;;
		esac
	done
	echo "RSS $first kB, then $(rss) kB"
	[ $(($(rss) - first)) -lt 300 ]
	until_true is relayed_ports 0
	[ $(($(find "/proc/$pid/fd" | wc -l) - files)) -lt 4 ]
	stop
}

# Who does not read loses his own datagrams, and costs no one anything.
scene_slow() {
	local before s flood=()
	serve -b 127.0.0.1 -l requests=10000
	c y:bind=z z:bind=y y:flood=500,1200 z:count=500,300'!1'
	for s in a b c d e f; do
		flood+=("$s:tcp=4096" "$s:bind=z" "z:bind=$s")
	done
	before=$(rss)
	for s in a b c d e f; do
		flood+=("z:to=$s" "z:flood=8000,1400")
	done
	begin_clients "${flood[@]}" y:bind=x x:bind=y y:send=first x:expect=first \
		y:flood=200,100 x:count=200,500'!200'
	until_true grep -q '^x received=200' heard
	[ "$(stat dropped_slow)" -gt 1000 ]
	# at most what may wait for each of them, and a little (AddressSanitizer
	# keeps what was freed)
	echo "RSS $before kB, then $(rss) kB"
	if ! grep -q libasan "/proc/$pid/maps"; then
		[ $(($(rss) - before)) -lt $((6 * 200 + 2000)) ]
	fi
	says z:key key=
	end_clients
	until_true is connections_open 0
	stop
}

icmp_is() { # NUMBER: at least so many
	[ "$(stat icmp)" -ge "$1" ]
}

# Nor do ICMP errors, that anybody may forge, cost him his connection. As many at
# once as the kernel keeps.
scene_icmp() {
	local round
	serve -b 127.0.0.1 -a 127.0.0.2 -G
	begin_clients a:tcp=4096 a:turn a:permit=127.0.0.2
	until_true grep -q '^a permitted' heard
	for round in $(seq 40); do
		printf 'a:wrap=127.0.0.2:9,x\n%.0s' $(seq 200) >&7
		until_true icmp_is $((round * 200))
	done
	is connections_open 1
	[ "$(stat dropped_slow)" -gt 1000 ]
	end_clients
	stop
}

scene_control() {
	local a b
	serve -b 127.0.0.1 -P 4 -n 2
	printf 'listen endpoint=%s transport=%s\n' 127.0.0.1:3478 udp \
		127.0.0.1:3478 tcp | diff - out
	control hello | grep -x 'hello version=1'
	control hello | grep -x 'listen endpoint=127.0.0.1:3478 transport=tcp'
	control nonsense | grep -x 'end status=error reason=unknown-command'
	control stats x | grep -x 'end status=error reason=no-arguments-taken'
	socat -t60 - UNIX-CONNECT:ctl <<<$'hello\nwatch' >watched &
	until_true grep -q '^end status=ok' watched
	begin_clients a:key b:key a:bind=b b:bind=a a:send=hello b:expect=hello \
		a:turn=carol
	until_true grep -q '^a relayed=' heard
	a=$(sed -n 's/^a key=//p' heard) b=$(sed -n 's/^b key=//p' heard)
	control pairs >pairs.now
	grep -c ^binding pairs.now | grep -x 2
	grep "key=$a peer=$b " pairs.now |
		grep 'port=49152 paired=yes packets=1 bytes=5 dropped=0 '
	control allocations | grep 'allocation user=carol endpoint=127.0.0.1:'
	control accounts >accounts.now
	grep "name=$a used=1 packets_in=1 bytes_in=5 " accounts.now
	grep "name=$b used=1 .* packets_out=1 bytes_out=5 " accounts.now
	control stats >stats.now
	grep -x 'stats name=pairs value=1' stats.now
	grep -x 'stats name=allocations value=1' stats.now
	grep 'name=memory_bytes value=' stats.now
	until_true grep -q "event what=paired key=$b peer=$a " watched
	until_true grep -q 'event what=allocated .*user=carol' watched
	# dropping: by name, of a pair, of a key, of a user
	control drop | grep status=error
	control drop nobody | grep -x 'dropped count=0'
	control drop "$a" "$a" | grep status=error
	control drop "$a" "$b" | grep -x 'dropped count=1'
	until_true grep -q 'what=unbound .*reason=dropped' watched
	echo a:send=x >&7
	says b:nothing nothing
	says a:bind=b bound
	says b:bind=a bound
	control drop "$b" | grep -x 'dropped count=1'
	control drop carol | grep -x 'dropped count=1'
	until_true grep -q 'what=ended .*reason=dropped user=carol' watched
	is relayed_ports 0
	# full is refused
	says a:bind=b bound
	says a:bind=c bound
	says 'a:bind=d!508' error=508
	# draining: who is here stays, nobody else comes; it may be called off
	control drain maybe | grep status=error
	control drain | grep -x 'end status=ok'
	is draining 1
	says b:bind=a bound
	control drain off | grep -x 'end status=ok'
	is draining 0
	control drain | grep -x 'end status=ok'
	says 'd:bind=e!508' error=508
	says 'd:turn!508' error=508
	echo a:to=b >&7
	echo a:send=still >&7
	says b:expect=still got=still
	kill -0 "$pid"
	end_clients
	control drop "$a" >/dev/null
	until_true gone
	wait "$pid"
}

scene_metrics() {
	serve -b 127.0.0.1 -M 127.0.0.1:9478
	grep -x 'listen endpoint=127.0.0.1:9478 transport=http' out
	c a:bind=b b:bind=a a:send=hello b:expect=hello
	curl -sS http://127.0.0.1:9478/metrics >metrics
	grep -x 'natkit_relay_pair_datagrams_total 1' metrics
	# each with its help and its type, as `promtool check metrics` wants
	grep -v '^#' metrics | sed 's/ .*//' >names
	[ "$(wc -l <names)" -gt 30 ]
	sed -n 's/^# HELP \([^ ]*\) ..*/\1/p' metrics | diff names -
	sed -n 's/^# TYPE \([^ ]*\) [cg][a-z]*/\1/p' metrics | diff names -
	grep -x '# TYPE natkit_relay_pair_datagrams_total counter' metrics
	grep -x 'natkit_relay_pairs 1' metrics
	grep -x '# TYPE natkit_relay_pairs gauge' metrics
	[ "$(curl -s -o /dev/null -w '%{http_code}' \
		http://127.0.0.1:9478/)" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST \
		http://127.0.0.1:9478/metrics)" = 501 ]
	# connections that say nothing have an end, and cost the relay nothing
	for _ in $(seq 40); do
		socat -u tcp:127.0.0.1:9478 /dev/null &
		echo $! >>idle
	done
	[ "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" -lt 100 ]
	c c:bind=d d:bind=c c:send=hello d:expect=hello
	# shellcheck disable=SC2046
	kill $(cat idle)
	until_true curl -sS -o /dev/null http://127.0.0.1:9478/metrics
	stop
	serve -b 127.0.0.1 -M ./metrics.sock
	curl -sS --unix-socket metrics.sock http://relay/metrics |
		grep -x 'natkit_relay_pairs 0'
	stop
	serve -b 127.0.0.1 -M ./metrics.sock # what is left of it is no hindrance
	stop
}

# Nobody in particular, with nothing, and nothing stays.
scene_end() {
	chmod 777 .
	certificate
	serve -b 127.0.0.1 -b ::1 -T 443 -C cert.pem -K key.pem -M ./m.sock
	grep -q '127.0.0.1:443 transport=tcp,tls' out
	grep -qE '^Uid:([[:space:]]+65534){4}' "/proc/$pid/status"
	grep -qE '^CapEff:[[:space:]]+0+$' "/proc/$pid/status"
	grep -qE '^CapPrm:[[:space:]]+0+$' "/proc/$pid/status"
	grep -qE '^NoNewPrivs:[[:space:]]+1' "/proc/$pid/status"
	grep -qE '^Seccomp:[[:space:]]+2' "/proc/$pid/status"
	relay=127.0.0.1:443
	begin_clients a:tcp a:bind=b b:tcp b:bind=a c:tcp c:turn
	until_true grep -q '^c relayed=' heard
	stop
	[ ! -e ctl ]
	[ ! -e m.sock ]
	[ -z "$(ss -Hlnup; ss -Hlntp)" ]
	[ ! -s err ]
	kill "$clients"
	# without privileges from the start, as a user would
	serve_user=$(command -v setpriv)
	"$serve_user" --reuid 65534 --regid 65534 --clear-groups \
		--inh-caps=-all "$build/nat-relayd" -h | grep -q 49152
}

# One source may not have all of the connections; what is not used ends.
scene_connections() {
	serve -b 127.0.0.1 -l connections=4,address-connections=2,requests=1000
	c a:tcp b:tcp a:bind=x b:bind=x c:tcp c:bind=x'!none' \
		d:from=127.0.0.2 d:tcp d:bind=x
	is connections_refused 1
	until_true is connections_open 0
	stop
	# in IPv6 a source may have many networks: a site has twice as many
	serve -b ::1 -l connections=8,address-connections=2
	relay='[::1]:3478'
	for n in 1 2 3 4 5; do
		ip addr add "2001:db8:2:$n::1/128" dev lo nodad
	done
	ip addr add 2001:db8:3::1/128 dev lo nodad
	c a:from=2001:db8:2:1::1 b:from=2001:db8:2:2::1 c:from=2001:db8:2:3::1 \
		d:from=2001:db8:2:4::1 e:from=2001:db8:2:5::1 \
		f:from=2001:db8:3::1 a:tcp b:tcp c:tcp d:tcp a:bind=x b:bind=x \
		c:bind=x d:bind=x e:tcp e:bind=x'!none' f:tcp f:bind=x
	is connections_refused 1
	relay=127.0.0.1:3478
	stop
	# EXTERNAL is what clients are told, and what they reach each other by
	serve -b 127.0.0.1/198.51.100.7 -a 198.51.100.7
	begin_clients a:turn=a b:turn=b a:permit=198.51.100.7 \
		b:permit=198.51.100.7
	until_true grep -q '^b permitted' heard
	a=$(sed -n 's/^a relayed=\([^,]*\),.*/\1/p' heard)
	b=$(sed -n 's/^b relayed=\([^,]*\),.*/\1/p' heard)
	[ "${a%:*}" = 198.51.100.7 ]
	says "a:wrap=$b,hello" sent=hello
	says b:expect=hello got=hello
	says "b:channel=$a" channel=
	says "b:wrap=$a,back" sent=back
	says a:expect=back got=back
	end_clients
	c -w 2000 'a:bind=b!none' >/dev/null || :
	stop
}

"scene_$2"
echo all is well
