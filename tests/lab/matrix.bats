# SPDX-License-Identifier: ISC
# nat-lab matrix: what RFC 4787 lets a punch join is joined, and nothing else;
# and where it is not as expected, it says so.

bats_require_minimum_version 1.5.0

setup_file() {
	load lab
	lab_why=$(net_usable) || {
		echo "$lab_why" >"$BATS_FILE_TMPDIR/skip"
		return 0
	}
	export d=$BATS_FILE_TMPDIR
	export XDG_RUNTIME_DIR=$d
	cd "$BATS_TEST_DIRNAME/../.." || return
	# One that is told something else: where the filter lets anybody in
	# there is no path, and where nothing is let in, there is one.
	mkdir "$d/told"
	cp -r bin lab "$d/told"
	sed -i -e 's/^\(ei-ei  *apd-ei  *\)direct/\1none/' \
		-e 's/^\(udp-blocked  *udp-blocked  *\)none/\1direct/' \
		"$d/told/lab/matrix.expected"
	NATKIT_BUILD=$(cd "${NATKIT_BUILD:-build}" && pwd)
	export NATKIT_BUILD
	run_matrix wrong "$d/told/bin/nat-lab" -j ei-ei apd-ei udp-blocked &
	run_matrix five bin/nat-lab linux ei-ad apd-ei apd-apd udp-blocked
	wait
}

run_matrix() { # NAME NAT-LAB [ARGUMENTS]
	local name=$1 lab=$2 code=0
	shift 2
	timeout -k 1 120 setpriv --pdeathsig KILL "$lab" matrix \
		-o "$d/$name.svg" "$@" \
		>"$d/$name" 2>"$d/$name.err" 3>&- || code=$?
	echo "$code" >"$d/$name.code"
}

setup() {
	[ ! -f "$BATS_FILE_TMPDIR/skip" ] || skip "$(cat "$BATS_FILE_TMPDIR/skip")"
	expected=$BATS_TEST_DIRNAME/../../lab/matrix.expected
}

# cell LEFT RIGHT: its record
cell() {
	grep -E "^cell left=($1 right=$2|$2 right=$1) " "$d/five"
}

@test "what is not as expected is told: code 1, the record and the picture" {
	cat "$d/wrong.err"
	[ "$(cat "$d/wrong.code")" = 1 ]
	grep '"left":"ei-ei","right":"apd-ei","expected":"none","measured":"direct"' \
		"$d/wrong"
	grep '"left":"udp-blocked","right":"udp-blocked","expected":"direct","measured":"none"' \
		"$d/wrong"
	[ "$(grep -c '<rect .*class="wrong"' "$d/wrong.svg")" -eq 4 ] # 2 in the legend
	grep -q ' 2 of them not as expected' "$d/wrong.err"
}

@test "five profiles: all 15 cells as expected" {
	cat "$d/five.err"
	[ "$(wc -l <"$d/five")" = 15 ]
	[ "$(cat "$d/five.code")" = 0 ]
	[ "$(grep -c 'expected=direct measured=direct' "$d/five")" = 8 ]
	[ "$(grep -c 'expected=none measured=none' "$d/five")" = 7 ]
	sed -n 's/^nat-lab: info: /# /p' "$d/five.err" >&3
}

@test "each rule of RFC 4787 joins, or does not, by its own means" {
	cell linux linux | grep 'method=srflx .*rule=mapping'
	cell ei-ad apd-apd | grep 'method=.*prflx.*rule=address'
	cell apd-ei apd-apd | grep 'measured=direct .*rule=filtering'
	cell linux apd-apd | grep 'reason=no-answer rule=unknown'
	cell ei-ad udp-blocked | grep 'reason=no-server rule=blocked'
}

@test "the picture has a cell for every pair, and those of the legend" {
	[ "$(grep -c '<title>' "$d/five.svg")" = 15 ]
	[ "$(grep -c '<rect .*class="direct"' "$d/five.svg")" = 9 ]
	[ "$(grep -c '<rect .*class="none"' "$d/five.svg")" = 8 ]
	[ "$(grep -c '<rect .*class="wrong"' "$d/five.svg")" = 2 ]
	tail -n 1 "$d/five.svg" | grep '^</svg>$'
}

@test "an unknown profile is refused before anything is made" {
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" matrix ei-ei nonesuch
	[[ "$output" == *': nonesuch is no profile (known: none '*' udp-blocked)'* ]]
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" matrix nonesuch
	[[ "$output" == *': nonesuch is no profile (known: '* ]]
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" matrix ei-ei@home
	[[ "$output" == *': ei-ei@home is no profile (known: '*'home@cgnat'* ]]
}

@test "a picture that isn't .svg is refused" {
	run -100 "$BATS_TEST_DIRNAME/../../bin/nat-lab" matrix \
		-o "$BATS_TEST_TMPDIR/x.png" ei-ei
	[[ "$output" == *"x.png: must end in .svg"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/x.png" ]
}

@test "kill -9 leaves nothing" {
	local lab=$BATS_TEST_DIRNAME/../../bin/nat-lab n=0
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
	"$lab" matrix apd-apd >/dev/null 2>&1 3>&- &
	until "$lab" list | grep '^lab name=matrix '; do
		n=$((n + 1))
		[ "$n" -lt 200 ]
		sleep 0.05
	done
	kill -9 $!
	until [ -z "$("$lab" list)$(ls "$XDG_RUNTIME_DIR/nat-lab")" ]; do
		n=$((n + 1))
		[ "$n" -lt 400 ]
		sleep 0.05
	done
}

# The records that nat-stun behaviour would print there.
measured_of() { # PROFILE
	local mapping=endpoint-independent filtering=address-and-port-dependent
	case $1 in
	udp-blocked)
		echo 'verdict reaches=none'
		return
		;;
	none | one-to-one | cgnat | *-ei) filtering=endpoint-independent ;;
	parity | outbound | pool | *-ad) filtering=address-dependent ;;
	esac
	case $1 in
	ad-*) mapping=address-dependent ;;
	apd-* | *@apd-apd | sequential) mapping=address-and-port-dependent ;;
	esac
	echo "nat axis=mapping value=$mapping confidence=99"
	echo "nat axis=filtering value=$filtering confidence=99"
}

@test "matrix.expected has every pair, and nat-stun pair says the same" {
	local profiles p q n=0 verdict rule said
	profiles=$(sed -n "/^matrix_profiles='/,/'$/p" \
		"$BATS_TEST_DIRNAME/../../lab/matrix.sh" |
		tr -d "'" | sed 's/matrix_profiles=//')
	for p in $profiles; do
		measured_of "$p" >"$BATS_TEST_TMPDIR/$p"
		n=$((n + 1))
	done
	[ "$n" -ge 12 ]
	[ "$(grep -c '^[a-z]' "$expected")" = $((n * (n + 1) / 2)) ]
	while read -r p q verdict rule _; do
		[ -f "$BATS_TEST_TMPDIR/$p" ]
		[ -f "$BATS_TEST_TMPDIR/$q" ]
		said=$("$NATKIT_BUILD/nat-stun" pair "$BATS_TEST_TMPDIR/$p" \
			"$BATS_TEST_TMPDIR/$q") || :
		case $verdict,$said in
		direct,'pair direct=yes '* | none,'pair direct=no '*) ;;
		*)
			echo "$p $q: expected $verdict ($rule), but: $said"
			false
			;;
		esac
	done < <(grep '^[a-z]' "$expected")
}
