# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Twenty minutes of clients of one nat-relayd: pairs that come and go over UDP and
# TCP, that move and are replaced, TURN allocations with channels and without,
# some of them left to expire, floods, garbage and wrong credentials. Prints a line
# a minute; its memory is what matters. Run in a namespace of its own, in an
# empty folder; the last line is "all is well".
# usage: relay-soak.bash BUILD SECONDS
set -eu
build=$1 seconds=$2
relay=127.0.0.1:3478
ip link set lo up
(umask 077 && head -c 24 /dev/urandom | base64 >secret &&
	head -c 24 /dev/urandom | base64 >other)
mkfifo ready
"$build/nat-relayd" -b 127.0.0.1 -k secret -a 127.0.0.1 -c ctl -N 5 \
	-l address=100000,requests=100000 -n 40000 -A 4000 5>ready 2>err &
pid=$!
read -r _ <ready

c() {
	local said
	sleep 0.05
	said=$(timeout 60 "$build/tools/relay-client" -k secret -w 3000 "$relay" \
		"$@" 2>&1) && return
	case $said in
	# a port that another user's allocation, which is left alone, still has;
	# and these fill the table now and then
	*turn\ error=441* | *turn\ error=508*) ;;
	*) echo "${said##*$'\n'} ($*)" >>bad ;;
	esac
}

clients() { # one of four that go on at once
	while [ "$SECONDS" -lt "$seconds" ]; do
		c a:bind=b b:bind=a a:send=hello b:expect=hello b:flood=100,1200 \
			a:count=1,500 a:move a:bind=b b:send=x a:unbind b:unbind
		c a:tcp b:tcp a:bind=b b:bind=a a:send=hello b:expect=hello \
			b:send=there a:expect=there a:end
		c a:bind=b b:tcp b:bind=a a:send=hello b:expect=hello
		c a:turn=u$RANDOM$RANDOM b:turn=v$RANDOM a:permit=b b:permit=a a:channel=b \
			a:wrap=b,ding b:channel=a b:wrap=a,dong
		c a:secret=other a:bind='b!401'
		c a:hex=40000004deadbeef
	done
}

rss() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
}

asked() {
	printf '%s\n' stats | socat -t5 - UNIX-CONNECT:ctl |
		sed -n "s/^stats name=$1 value=//p"
}

: >bad
for _ in 1 2 3 4; do clients & done
sleep "$((seconds / 3))" # the table fills up to what idle ones leave
first=$(rss)
while [ "$SECONDS" -lt "$seconds" ]; do
	sleep 60
	echo "$SECONDS s: $(rss) KiB, $(asked pairs) pairs," \
		"$(asked allocations) allocations, $(find "/proc/$pid/fd" -type l | wc -l) descriptors"
done
last=$(rss)
[ ! -s bad ] || { sort bad | uniq -c | head; exit 1; }
echo "memory: $first KiB after $((seconds / 180)) minutes, $last KiB after $((SECONDS / 60))"
[ "$last" -le $((first + 1024)) ]
kill -TERM "$pid"
wait "$pid"
echo "all is well"
