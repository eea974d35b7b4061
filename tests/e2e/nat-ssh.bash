# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2016,SC2094
#
# Run by nat-ssh.bats in namespaces of its own: `bash nat-ssh.bash DIR`. One host
# is client, gateway and machine: the machine's sshd is at 127.0.0.1, a neighbour
# of its at 127.0.0.3 (the same sshd), the gateway's at 127.0.0.2. carol is the
# client's user, alice, bob, mallory, jo and one have accounts at the gateway. The
# files of the man pages are taken as they stand there.
#
# Each check_NAME leaves DIR/NAME.code and DIR/NAME.out.

set -eu
export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${NATKIT_BUILD:-$here/../../build}" && pwd)
[ $$ = 1 ] || exit 100
unset NATKIT_BUILD NATKIT_DIR NATKIT_SERVER NATKIT_PIPE_OPTIONS SSH_AUTH_SOCK
umask 022

# All that is installed, and all of /etc, are this namespace's.
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/out /run/etc /run/bin /run/sshd /run/m
mount --bind "$1" /run/out
page=/run/m/page
mkdir $page
cp "$here"/../../man/nat-ssh*.[18] $page
cp -a /etc/. /run/etc
find "$build" -maxdepth 1 -type f -name 'nat-*' -perm -100 -exec cp -t /run/bin {} +
cp "$here"/../../bin/* /run/bin
mount --bind /run/etc /etc
mount --bind /run/bin /usr/local/bin
mkdir -m 1777 /run/tmp
export TMPDIR=/run/tmp
cd /run/m
PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin

# shellcheck source=tests/e2e/nat-site.bash
. "$here/nat-site.bash"

# block PAGE KIND NAME: an example of the page, with this site's keys
block() {
	literal "$page/$1" "$2: $3" |
		sed -e "s|SERVERKEY|${server:-}|g" -e "s|PEERKEY|${pi:-}|g" \
		    -e "s|USERKEY|${user:-}|g" -e "s|ALICEKEY|${ssh_key:-}|g"
}

# as USER PROG ARGS: with nothing but its own environment
as() {
	local who=$1
	shift
	setpriv --reuid "$who" --regid "$who" --init-groups \
	    env -i LC_ALL=C PATH="$PATH" HOME="/run/home/$who" USER="$who" \
	    SHELL=/bin/sh ASAN_OPTIONS="$ASAN_OPTIONS" "$@"
}

key() { # USER: makes its key, prints the public half
	as "$1" sh -c "$(block nat-ssh-route.8 file key)" >/dev/null
	wg pubkey <"/run/home/$1/.natkit/key"
}

accounts() {
	local uid=2000 who
	mkdir /run/home
	printf '%s\n' root:x:0:0::/run/m:/bin/sh \
	    sshd:x:105:65534::/run/sshd:/usr/sbin/nologin >/etc/passwd
	printf '%s\n' root:x:0: natkit:x:1999:alice,bob,mallory >/etc/group
	rm -f /etc/shadow
	for who in carol alice bob mallory jo one pi; do
		uid=$((uid + 1))
		echo "$who:x:$uid:$uid::/run/home/$who:/bin/sh" >>/etc/passwd
		echo "$who:x:$uid:" >>/etc/group
		install -d -m 700 -o $uid -g $uid /run/home/$who \
		    /run/home/$who/.ssh
	done
}

network() {
	host
	printf '%s\n' '127.0.0.1 localhost' \
	    '198.51.100.1 rendezvous.example.org' \
	    '127.0.0.2 gateway.example.org gateway' >/etc/hosts
	block nat-ssh-route.8 file hosts >>/etc/hosts
	: >/etc/resolv.conf
}

# sshd_site NAME [address...]: an sshd; its configuration's own part comes from
# standard input
sshd_site() {
	local name=$1 a
	shift
	ssh-keygen -q -t ed25519 -N '' -f "$name.host"
	{
		for a; do echo "ListenAddress $a:22"; done
		printf '%s\n' "HostKey /run/m/$name.host" 'UsePAM no' \
		    'PasswordAuthentication no' "PidFile /run/m/$name.pid" \
		    "SetEnv SITE=$name" 'AcceptEnv LANG LC_*' \
		    'KbdInteractiveAuthentication no' "Subsystem sftp $sftp"
		cat
	} >"$name.conf"
	/usr/sbin/sshd -f "$name.conf" -E "$name.log"
	within grep -q "listening on $1 port 22" "$name.log"
}

natkit() {
	(umask 077 && wg genkey >server.key)
	server=$(wg pubkey <server.key)
	mkfifo listen
	nat-rendezvousd -1 -k server.key >listen 2>rendezvousd.err &
	read -r _ <listen
	pi=$(key pi)
	mkdir /etc/natkit
	block nat-ssh-route.8 file peers >/etc/natkit/peers
	block nat-ssh-route.8 file machines >/etc/natkit/machines
	# bob's hook answers what is no name; mallory has none
	block nat-ssh-route.8 file whose >/etc/natkit/whose.page
	{
		# shellcheck disable=SC2016
		printf '%s\n' '#!/bin/sh' '[ "$NATKIT_USER" != bob ] || ' \
		    "	exec echo 'pi;touch /run/tmp/owned'"
		cat /etc/natkit/whose.page
	} >/etc/natkit/whose
	chmod +x /etc/natkit/whose
	for who in carol alice one; do
		user=$(key $who)
		block nat-ssh-route.8 file allow >>allow
		cp /etc/natkit/peers /run/home/$who/.natkit/
		chown $who: /run/home/$who/.natkit/peers
	done
	user=$(umask 077 && wg genkey | tee gateway.key | wg pubkey)
	block nat-ssh-route.8 file allow >>allow
	install -o pi allow /run/home/pi/.natkit/allow
	as pi nat-pipe -S "$server@rendezvous.example.org:3478" -l \
	    2>machine.err >machine.out &
	block nat-ssh-route.8 file routes >/etc/natkit/routes
	nat-pipe -k gateway.key -P /etc/natkit/peers routes \
	    /etc/natkit/routes 2>routes.err >routes.out &
}

site() {
	local who
	rm -f /etc/ssh/ssh_config /etc/ssh/ssh_known_hosts
	accounts
	as carol ssh-keygen -q -t ed25519 -N '' -f /run/home/carol/.ssh/id_ed25519
	as one ssh-keygen -q -t ed25519 -N '' -f /run/home/one/.ssh/id_ed25519
	ssh_key=$(cut -d ' ' -f 2 /run/home/carol/.ssh/id_ed25519.pub)
	network
	natkit
	mkdir machine gateway
	for who in carol alice jo; do
		cp /run/home/carol/.ssh/id_ed25519.pub machine/$who
	done
	cp /run/home/one/.ssh/id_ed25519.pub machine/one
	cat machine/one >>machine/alice
	for who in alice bob mallory jo; do
		cp machine/carol gateway/$who
	done
	block nat-ssh-route.8 file authorized_keys >gateway/one
	sftp=$(sed -n 's/^Subsystem[[:space:]]*sftp[[:space:]]*//p' \
	    /etc/ssh/sshd_config)
	sshd_site machine 127.0.0.1 127.0.0.3 <<-'END'
		AuthorizedKeysFile /run/m/machine/%u
	END
	{
		echo 'AuthorizedKeysFile /run/m/gateway/%u'
		block nat-ssh-route.8 file sshd_config
		block nat-ssh-route.8 file sshd_config_jump
	} >gateway.part
	sftp=internal-sftp
	sshd_site gateway 127.0.0.2 <gateway.part
	known pi machine >/run/home/carol/.ssh/known_hosts
	known 127.0.0.3 machine >>/run/home/carol/.ssh/known_hosts
	known gateway.example.org,gateway gateway \
	    >>/run/home/carol/.ssh/known_hosts
	known pi machine >/etc/ssh/ssh_known_hosts.gateway
	for who in alice one; do
		install -m 600 -o $who /etc/ssh/ssh_known_hosts.gateway \
		    /run/home/$who/.ssh/known_hosts
	done
	block nat-ssh.1 ssh-config config >direct.config
	block nat-ssh-route.8 file jump >jump.config
	head -c 3000001 /dev/urandom >data
	chmod 644 data
}

known() { # NAMES SITE
	echo "$1 $(cut -d ' ' -f 1,2 "/run/m/$2.host.pub")"
}

# equal FILE: is it what data is?
equal() {
	cmp data "$1" && rm -f "$1"
}

# copies OPTIONS HOST: both ways, by both protocols of scp, and sftp
copies() {
	local host=${!#}
	set -- "${@:1:$#-1}"
	as carol scp -q -O "$@" data "$host:$put/up"
	equal "$put/up"
	as carol scp -q -s "$@" "$host:/run/m/data" "$put/down"
	equal "$put/down"
	as carol sftp -q "$@" -b - "$host" <<-END
		put data $put/sftp
		get /run/m/data $put/down
	END
	equal "$put/sftp"
	equal "$put/down"
}

# code CODE PROG ARGS: ends with that
code() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$want" ] || {
		echo "code $got, not $want: $*"
		exit 99
	}
}

# machine_says TEXT PROG ARGS: its output, which ends with the machine's name
machine_says() {
	local text=$1 out
	shift
	out=$("$@" </dev/null)
	[ "$out" = "$text" ] || {
		echo "it says $out, not $text: $*"
		exit 99
	}
}

check_command() {
	machine_says machine as carol nat-ssh pi 'echo $SITE'
	machine_says machine as carol nat-ssh -vq -p22 -lcarol -- pi 'echo $SITE'
	machine_says 'machine 22' as carol nat-ssh ssh://carol@pi:22 \
	    'set -- $SSH_CONNECTION; echo $SITE $4'
	code 7 as carol nat-ssh carol@pi 'exit 7'
	code 255 as carol nat-ssh nobody@pi true
	code 255 as carol nat-ssh nosuch true
	as carol nat-ssh pi cat <data >"$put/through"
	equal "$put/through"
}

check_locale() {
	# what the user has goes to the machine, not what the script has set
	machine_says 'C.UTF-8' as carol env LC_ALL=C.UTF-8 nat-ssh \
	    -oSendEnv=LC_ALL pi 'echo $LC_ALL'
	machine_says none as carol env -u LC_ALL nat-ssh \
	    -oSendEnv=LC_ALL pi 'echo ${LC_ALL:-none}'
}

check_page() {
	mount -t tmpfs -o mode=777 none /srv
	as carol sh -euc '
		cd ~; mkdir photos; head -c 5000 /dev/urandom >photos/1
		echo report >report.txt
		git init -q --bare /srv/project.git
		'"$(block nat-ssh.1 ssh command)"'
		cmp photos/1 /srv/photos/1
		'"$(block nat-ssh.1 ssh copy)"'
		cmp photos/1 /srv/copy/1; cmp report.txt /srv/report.txt
		[ -d project/.git ]'
}

check_config() {
	code 5 as carol ssh -F direct.config pi 'exit 5'
	as carol scp -q -F direct.config data "pi:$put/config"
	equal "$put/config"
}

check_copies() {
	copies -S nat-ssh pi
}

check_hostkey() {
	# whatever the configuration takes the name for
	printf 'Host pi\n\tHostName elsewhere\n' >"$put/config"
	as carol nat-ssh -F "$put/config" -o BatchMode=yes pi true
	known pi gateway >"$put/wrong"
	code 255 as carol nat-ssh -o UserKnownHostsFile="$put/wrong" pi true
	code 255 as carol nat-ssh -o UserKnownHostsFile=/dev/null \
	    -o BatchMode=yes pi true
}

# forwards PORT PROG ARGS: a forwarded port, by one session's -L
forwards() {
	local banner port=$1
	shift
	as carol "$@" -f -N -M -S "$put/control" -o ExitOnForwardFailure=yes \
	    -L "127.0.0.1:$port:127.0.0.3:22" pi
	banner=$(socat -t 20 - "TCP:127.0.0.1:$port" </dev/null | head -c 8)
	as carol ssh -q -S "$put/control" -O exit pi
	[ "$banner" = SSH-2.0- ]
}

# with_agent PROG ARGS: there is an agent that has carol's key
with_agent() {
	# shellcheck disable=SC2016
	as carol ssh-agent sh -euc 'ssh-add -q; "$@"' sh "$@"
}

# agent PROG ARGS: the machine sees it
agent() {
	with_agent "$@" ssh-add -L | grep -qF "$ssh_key"
}

check_forward() {
	forwards 8022 nat-ssh
	agent nat-ssh -A pi
}

check_hop() {
	machine_says 127.0.0.3 as carol nat-ssh -J pi 127.0.0.3 \
	    'set -- $SSH_CONNECTION; echo $3'
	machine_says 127.0.0.3 as carol nat-ssh -vqJcarol@pi:22,carol@127.0.0.3 \
	    127.0.0.3 'set -- $SSH_CONNECTION; echo $3'
	machine_says machine as carol nat-ssh -J none pi 'echo $SITE'
}

check_jump() {
	machine_says machine as carol ssh -F jump.config pi 'echo $SITE'
	code 6 as carol ssh -F jump.config pi 'exit 6'
	copies -F jump.config pi
	forwards 8023 ssh -F jump.config
	agent ssh -F jump.config -A pi
	# the gateway's key in the machine's place: the client sees it
	known pi gateway >"$put/wrong"
	code 255 as carol ssh -F jump.config \
	    -o UserKnownHostsFile="$put/wrong" pi true
}

# jump_refused CODE USER NAME: what nat-ssh-route says to -W NAME
jump_refused() {
	local want=$1 who=$2
	shift 2
	code "$want" as carol ssh -T "$who@gateway" "$@" </dev/null >"$put/said"
	[ ! -s "$put/said" ]
	rm -f "$put/said"
}

check_strangers() {
	jump_refused 1 mallory nat-ssh-route -W pi
	jump_refused 1 mallory 'echo $SITE'
	jump_refused 1 alice nat-ssh-route -W other
	jump_refused 1 alice "nat-ssh-route -W 'pi;touch /run/tmp/owned'"
	jump_refused 1 alice 'nat-ssh-route -W -oProxyCommand=x'
	jump_refused 1 alice 'nat-ssh-route -W pi pi'
	jump_refused 100 bob nat-ssh-route -W pi
	jump_refused 100 bob 'echo $SITE'
	[ ! -e /run/tmp/owned ]
}

check_login() {
	local out
	code 9 with_agent ssh -A alice@gateway 'exit 9' </dev/null
	agent ssh -A alice@gateway
	out=$(with_agent ssh -A -tt alice@gateway \
	    'test -t 0 && stty size && echo $SITE' </dev/null | tr -d '\r')
	[[ $out == *$'\nmachine' ]] # and nothing of the gateway's
	# no agent, and no key at the gateway
	code 255 as carol ssh alice@gateway true </dev/null
}

# With a key at the gateway
check_login_key() {
	install -m 600 -o alice /run/home/one/.ssh/id_ed25519 /run/home/alice/.ssh
	machine_says machine as carol ssh alice@gateway 'echo $SITE'
	copies alice@gateway
	as carol rsync -a data "alice@gateway:$put/rsync"
	equal "$put/rsync"
	as carol ssh alice@gateway cat <data >"$put/through"
	equal "$put/through"
}

check_inside() {
	local out
	# No option of the inner ssh's, no escape to its command line, and what a
	# shell makes of the rest it makes on the machine
	as carol ssh alice@gateway -- '-oProxyCommand=touch /run/tmp/owned' \
	    </dev/null && exit 99
	[ ! -e /run/tmp/owned ]
	machine_says machine as carol ssh alice@gateway 'true;echo $SITE'
	out=$(printf '\n~.\nexit 5\n' |
		code 5 as carol ssh -e none -tt alice@gateway)
	[[ $out == *'~.: not found'* ]]
	# sshd's own forwarding: not by way of the gateway's network
	code 255 as carol ssh -W 127.0.0.3:22 alice@gateway </dev/null
}

check_one() {
	machine_says machine as carol ssh -T one@gateway 'echo $SITE'
	machine_says machine as carol ssh -o "ProxyCommand=ssh -T one@gateway \
		nat-ssh-route -W %n" pi 'echo $SITE'
}

check_proxyjump() {
	machine_says machine as carol ssh -J jo@gateway pi 'echo $SITE'
	code 255 as carol ssh -J jo@gateway 127.0.0.3 true
	as carol scp -q -J jo@gateway data "pi:$put/proxyjump"
	equal "$put/proxyjump"
}

trap '[ $? = 0 ] || tail -n 20 ./*.err ./*.log' EXIT
site
# lane NAME...: these checks, one after the other
lane() {
	for name; do
		put=/run/m/put.$name
		mkdir -m 777 "$put"
		check "$name"
	done
}

# The gateway's: check_login before alice has a key there, check_inside after
# that.
lane command locale page config copies hostkey forward hop one &
direct=$!
lane jump strangers login login_key inside proxyjump
wait $direct
