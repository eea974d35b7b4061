# SPDX-License-Identifier: ISC
# Second opinions on NATs of which the truth is known: Debian's stun (RFC 3489)
# and coturn's natdiscovery (RFC 5780) against nat-stund, and nat-stun behaviour
# against coturn's server; and theirs against theirs, to see whose word it is.

bats_require_minimum_version 1.5.0

profiles='ei-ei ei-ad ei-apd ad-ei ad-ad ad-apd apd-ei apd-ad apd-apd linux none'

setup_file() {
	load lab
	export d=$BATS_FILE_TMPDIR
	lab_why=$(net_usable) || {
		echo "$lab_why" >"$d/skip"
		return 0
	}
	local p n=0
	for p in $profiles; do
		n=$((n + 1))
		case $p in
		none) echo "router n$n ipv6=no" ;;
		*) echo "nat n$n profile=$p" ;;
		esac
		echo "host h$n behind=n$n"
	done >"$d/opinions.lab"
	NATKIT_BUILD=$(cd "${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
	export NATKIT_BUILD XDG_RUNTIME_DIR=$d
	mkdir "$d/out"
	# shellcheck disable=SC2086
	timeout -k 1 90 setpriv --pdeathsig KILL \
		"$BATS_TEST_DIRNAME/../../bin/nat-lab" up "$d/opinions.lab" -- \
		bash "$BATS_TEST_DIRNAME/opinions.bash" "$d/out" $profiles \
		>"$d/log" 2>&1 3>&- || {
		cat "$d/log" >&2
		return 1
	}
}

setup() {
	[ ! -f "$d/skip" ] || skip "$(cat "$d/skip")"
}

# truth PROFILE: sets mapping, filtering, allocation and hairpin.
truth() {
	mapping=endpoint-independent filtering=address-and-port-dependent
	allocation=preserved hairpin=external
	case $1 in
	*-ei | none) filtering=endpoint-independent ;;
	*-ad) filtering=address-dependent ;;
	esac
	case $1 in
	ad-*) mapping=address-dependent allocation=random ;;
	apd-*) mapping=address-and-port-dependent allocation=random ;;
	linux) hairpin=no ;;
	none) hairpin=none ;;
	esac
}

# said PROFILE CLIENT SERVER: the last word, as RFC 4787 has it
said() {
	sed -n -e 's/^No NAT! .*/none/p' \
		-e 's/^NAT with \(.*\) \(Mapping\|Filtering\)!$/\1/p' \
		"$d/out/$1.$2.$3" | head -n 1 |
		tr 'A-Z ' 'a-z-'
}

# same WHAT SAID TRUTH: one line when they are not
same() {
	[ "$2" = "$3" ] || {
		echo "$1: said '$2', it is $3"
		wrong=$((wrong + 1))
	}
}

@test "natdiscovery on filtering: right everywhere, from both servers" {
	local p s wrong=0
	for p in $profiles; do
		truth "$p"
		for s in ours theirs; do
			case $p in # it stops at the first thing that it can say
			none) same "$p, $s" "$(said "$p" filtering $s)" none ;;
			*) same "$p, $s" "$(said "$p" filtering $s)" "$filtering" ;;
			esac
		done
	done
	[ "$wrong" = 0 ]
}

@test "natdiscovery on mapping: right but where it is address-dependent" {
	local p s wrong=0
	for p in $profiles; do
		truth "$p"
		case $p in
		ad-*) continue ;; # the next test
		none) mapping=none ;;
		esac
		for s in ours theirs; do
			same "$p, $s" "$(said "$p" mapping $s)" "$mapping"
		done
	done
	[ "$wrong" = 0 ]
}

# Two bugs of coturn's that cancel each other out. Its natdiscovery takes for the
# third question the OTHER-ADDRESS of the second answer, not of the first. That
# answer came from the other address already, and what it names is, by RFC 5780
# section 7.4, the first address again: so the third answer's endpoint is
# compared with that of the wrong address, and address-dependent mapping is
# taken for address-and-port-dependent. Its own three answers say what is true:
# 1 and 3, by one address and two ports, saw the same endpoint, and 2 another.
@test "natdiscovery with nat-stund: address-dependent mapping too strict; its own bug, shown" {
	local p
	for p in ad-ei ad-ad ad-apd; do
		[ "$(said $p mapping ours)" = address-and-port-dependent ]
		three "$p" ours
		[ "${seen[0]}" = "${seen[2]}" ]
		[ "${seen[0]}" != "${seen[1]}" ]
		[ "${asked[0]%:*}" = "${asked[2]%:*}" ]
		[ "${asked[0]#*:}" != "${asked[2]#*:}" ]
		[ "${asked[0]%:*}" != "${asked[1]%:*}" ]
	done
}

# And its server names, in an answer from its second address, that address
# itself: which is no other one, but what natdiscovery needs.
@test "natdiscovery with turnserver: right, by a second bug, shown" {
	local p
	for p in ad-ei ad-ad ad-apd; do
		[ "$(said $p mapping theirs)" = address-dependent ]
		three "$p" theirs
		[ "${asked[1]%:*}" = 192.0.2.2 ]
		[ "${other[1]%:*}" = 192.0.2.2 ]
		[ "${seen[1]}" = "${seen[2]}" ]
	done
	three ad-ei ours
	[ "${asked[1]%:*}" = 192.0.2.2 ]
	[ "${other[1]}" = 192.0.2.1:3479 ]
}

# three PROFILE SERVER: natdiscovery's three answers: which endpoint was seen,
# from where the answer came, and what it named as the other address.
three() {
	local file=$d/out/$1.mapping.$2
	mapfile -t seen < <(sed -n 's/.*UDP reflexive addr: //p' "$file")
	mapfile -t asked < <(sed -n 's/.*Response origin: : //p' "$file" | uniq)
	mapfile -t other < <(sed -n 's/.*Other addr: : //p' "$file")
	[ "${#seen[@]}.${#asked[@]}.${#other[@]}" = 3.3.3 ]
}

@test "natdiscovery on hairpin: right everywhere" {
	local p s wrong=0 word
	for p in $profiles; do
		truth "$p"
		[ "$p" != none ] || continue # there is nothing to come back from
		for s in ours theirs; do
			word=no
			! grep -q '^Received a request (maybe a successful hair' \
				"$d/out/$p.hairpin.$s" || word=external
			same "$p, $s" "$word" "$hairpin"
		done
	done
	[ "$wrong" = 0 ]
}

# What stun should say. It knows one word for both sorts of dependent mapping,
# and then none for the filter; of no NAT it says nothing but Open.
stun_words() { # PROFILE
	truth "$1"
	case $1,$mapping in
	none,*)
		echo Open
		return
		;;
	*,endpoint-independent)
		printf 'Independent Mapping, '
		case $filtering in
		endpoint-independent) printf 'Independent Filter, ' ;;
		address-dependent) printf 'Address Dependent Filter, ' ;;
		*) printf 'Port Dependent Filter, ' ;;
		esac
		;;
	*) printf 'Dependent Mapping, ' ;;
	esac
	case $allocation in
	preserved) printf 'preserves ports, ' ;;
	*) printf 'random port, ' ;;
	esac
	case $hairpin in
	no) echo 'no hairpin' ;;
	*) echo 'will hairpin' ;;
	esac
}

@test "stun: all that it can say is right, from both servers" {
	local p s wrong=0
	for p in $profiles; do
		for s in ours theirs; do
			same "$p, $s" "$(sed -n 's/^Primary: \(.*[^[:space:]]\)[[:space:]]*$/\1/p' \
				"$d/out/$p.stun.$s")" "$(stun_words "$p")"
		done
	done
	[ "$wrong" = 0 ]
}

value() { # PROFILE SERVER AXIS
	sed -n "s/^nat axis=$3 value=\([^ ]*\).*/\1/p" "$d/out/$1.behaviour.$2"
}

@test "nat-stun behaviour: right on each of their axes, from both servers" {
	local p s axis wrong=0
	for p in $profiles; do
		truth "$p"
		for s in ours theirs; do
			for axis in mapping filtering allocation hairpin; do
				[ "$p.$axis" != none.hairpin ] || continue
				same "$p, $s" "$(value "$p" $s $axis)" "${!axis}"
			done
		done
	done
	same none "$(value none theirs translation)" none
	[ "$wrong" = 0 ]
}
