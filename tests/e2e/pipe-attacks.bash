# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034
#
# For pipe-attacks.bats, in tests/e2e and tests/soak: a nat-pipe -l with key e,
# a hostile peer a and an honest one b at 127.0.0.1, and what they may reach.

begin() {
	B=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	P=$B/nat-pipe
	cd "$BATS_TEST_TMPDIR" || return 1
	umask 077
	for k in a b c e; do wg genkey > $k; done
	KA=$(wg pubkey < a) KB=$(wg pubkey < b) KC=$(wg pubkey < c)
	KE=$(wg pubkey < e)
	free_ports
	"$B/tools/pipe-target" > targets &
	PIDS=$!
	PID='' MITM='' K=a OPTIONS=''
	until_true grep -q source targets
	eval "$(sed -n '1{s/ /\n/g;p}' targets |
	    sed 's/\([a-z]*\)=/\U\1=/')"
	cat > paths <<-P
	path key=$KA state=direct endpoint=127.0.0.1:$PORTA
	path key=$KB state=direct endpoint=127.0.0.1:$PORTB
	path key=$KC state=direct endpoint=127.0.0.1:$PORTC
	P
	echo "path key=$KE state=direct endpoint=127.0.0.1:$PORTE" |
	    tee patha > pathb
	cat > allow <<-A
	allow $KA
	allow $KB
	permit $KA 127.0.0.1:$SOURCE
	permit $KA 127.0.0.1:$DEAF
	permit $KA 127.0.0.1:$UDP/udp
	listen $KA 127.0.0.1:*
	A
}

gone() {
	! kill -0 "$1" 2> /dev/null
}

finish() {
	# a way out of its own: what is left then is a leak
	if [ -n "$PID" ]; then
		kill -TERM "$PID" 2> /dev/null || :
		until_true gone "$PID"
	fi
	# shellcheck disable=SC2086
	kill -KILL $PIDS 2> /dev/null || :
	# background engines of clients
	for k in a b e; do
		if [ -S $k.sock ]; then fuser -k $k.sock 2> /dev/null || :; fi
	done
	wait
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		tail -n 20 err attacked mitm 2> /dev/null
	fi
	none grep -s Sanitizer err erra errb
}

# until_true COMMAND...: polls, some seconds at most.
until_true() {
	for _ in $(seq 400); do
		"$@" && return 0
		sleep 0.02
	done
	return 1
}

# Six numbers in a row that nobody has, below the system's own choice.
free_ports() {
	local base taken
	taken=$(ss -Haun | awk '{print $4}')
	while :; do
		base=$((10000 + RANDOM % 20000))
		! grep -qE ":($base|$((base + 1))|$((base + 2))|$((base + 3))|$((base + 4))|$((base + 5)))\$" \
		    <<< "$taken" && break
	done
	PORTE=$base PORTA=$((base + 1)) PORTB=$((base + 2))
	PORTC=$((base + 3)) PORTM=$((base + 4)) PORTN=$((base + 5))
}

permit_line() {
	sed -i "1i $1" allow
}

# listener [-OPTION ...] PROGRAM: runs nat-pipe -l, and waits until it is ready.
listener() {
	mkfifo ready
	# shellcheck disable=SC2086
	"$P" -v -v -k e -i paths -p "$PORTE" -s lend -c ctl -N 5 $OPTIONS -l -a allow \
	    "$@" > out 2> err 5> ready &
	PID=$!
	PIDS="$PIDS $PID"
	read -r _ < ready
}

declare -gA V

# attack VERB ARGUMENT...: as key $K. What it prints is in `attacked`, and its
# numbers in V.
attack() {
	local from=$PORTA word
	[ "$K" = a ] || from=$PORTB
	local tool=attack
	case $1 in
	answer | ask | enter | garbage | lines | psk | strangers) tool=stranger ;;
	esac
	# it frees nothing
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
	    timeout 100 "$B/tools/pipe-$tool" -k "$K" -P "$KE" -p "$from" \
	    -o "127.0.0.1:$PORTE" -K b -q "$PORTB" -e "$PID" "$@" \
	    > attacked || return 1
	V=()
	while read -r word; do
		V[${word%%=*}]=${word#*=}
	done < <(grep -v ': ' attacked | tr ' ' '\n' | grep '^[a-z_]*=')
	kill -0 "$PID"
}

# asks FILE: a stream for each line.
asks() {
	local -a all
	mapfile -t all < "$1"
	attack ask "${all[@]}"
	[ "$(wc -l < attacked)" -eq "${#all[@]}" ]
}

status() {
	"$P" -c ctl status
}

hooks() {
	printf '#!/bin/sh\nexit 1\n' > no
	printf '#!/bin/sh\nkill -KILL $$\n' > kills
	printf '#!/bin/sh\nhead -c 50000000 /dev/zero; exit 3\n' > huge
	printf '#!/bin/sh\necho $$ > %s/hanging\nexec sleep 1000\n' "$PWD" > hangs
	chmod 755 no kills huge hangs
}

# AddressSanitizer keeps what was freed.
is_asan() {
	grep -q __asan_init "$P"
}

# Memory after is what it was before, but for the allocator's own.
roughly_flat() {
	is_asan || [ "${V[rss_max]}" -lt $((V[rss_before] + 8192)) ]
}

# -m (64 MiB for each of two peers) and for each of 256 streams 128 KiB that it
# has for nothing.
within_budget() {
	is_asan || [ "${V[rss_max]}" -lt $((V[rss_before] + 65536 + 256 * 128)) ]
}

# keeps_up own|other: bytes a second beside the attack, against those without.
# An eighth: two programs and an engine share what CPUs there are.
keeps_up() {
	local plain=${V[plain_$1]} attacked=${V[attacked_$1]}
	[ "$plain" -gt 100000 ]
	[ $((attacked * 8)) -gt "$plain" ]
}

# none COMMAND...: it must fail (bats does not look at !).
none() {
	if "$@"; then return 1; fi
}

fds() {
	find "/proc/$PID/fd" -mindepth 1 | wc -l
}

few_fds() {
	[ "$(fds)" -lt 40 ]
}

fds_are() {
	[ "$(fds)" -le "$1" ]
}

# Nothing that the attacker did is worth more than an info line.
quiet_log() {
	none grep -v -e ': debug: ' -e ': info: ' err
	kill -0 "$PID"
}

# answerer KIND: a hostile listener with key a.
answerer() {
	rm -f answering
	"$B/tools/pipe-stranger" -k a -P "$KE" -p "$PORTA" \
	    -o "127.0.0.1:$PORTE" answer "$1" > answering &
	ANSWERER=$!
	PIDS="$PIDS $ANSWERER"
	until_true grep -q ready answering
}

answerer_end() {
	kill -KILL "$ANSWERER"
	wait "$ANSWERER" || :
	[ ! -S e.sock ] || fuser -k e.sock > /dev/null 2>&1 || :
	until_true no_engine
}

no_engine() {
	! ss -Haun "sport = :$PORTE" | grep -q .
}

# mitm PERCENT KIND...: between e and a.
mitm() {
	"$B/tools/pipe-mitm" "$PORTM" "127.0.0.1:$PORTA" "$PORTN" \
	    "127.0.0.1:$PORTE" "$@" > mitm &
	MITM=$!
	PIDS="$PIDS $MITM"
	echo "path key=$KE state=relayed endpoint=127.0.0.1:$PORTM" > patha
	echo "path key=$KA state=relayed endpoint=127.0.0.1:$PORTN" > paths
	until_true grep -q ready mitm
}
