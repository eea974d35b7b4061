#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# nat-ssh and nat-ssh-route with OpenSSH at the client, the gateway and the
# machine, over a real nat-rendezvousd; nat-ssh.bash has the site. What they make
# of their command lines and of what a hook answers needs no site.

bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/nat-site.bash"

setup_file() {
	run_site nat-ssh
}

setup() {
	bin=$BATS_TEST_DIRNAME/../../bin
	export NATKIT_BUILD=${NATKIT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	unset NATKIT_PIPE_OPTIONS SSH_ORIGINAL_COMMAND
	key=GDg5cdLXcECghxvfGDg5cdLXcECghxvfGDg5cdLXcEs=
	cd "$BATS_TEST_TMPDIR"
}

# refused CODE PATTERN prog args: nothing on stdout, one line that helps
refused() {
	local want=$1 pattern=$2
	shift 2
	run -"$want" --separate-stderr "$@"
	echo "$stderr"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} =~ ^nat-[a-z-]+:\ fatal:\ $pattern ]]
}

# hook TEXT [CODE]: a hook that prints that
hook() {
	printf %b "$1" >answer
	printf '#!/bin/sh\ncat answer\nexit %s\n' "${2:-0}" >hook
	chmod +x hook
}

# What ssh would be run with
configured() {
	"$bin/nat-ssh" -F /dev/null -G "$@" | grep -iE "^($what) "
}

@test "nat-ssh: usage errors are one clear line and 100" {
	refused 100 'a;touch x: that is no name' "$bin/nat-ssh" 'a;touch x'
	refused 100 '-oProxy=x: that is no name' "$bin/nat-ssh" -- -oProxy=x
	refused 100 'carol@: that is no name' "$bin/nat-ssh" carol@ true
	refused 100 "a\\\$\(x\): that is no name" "$bin/nat-ssh" 'a$(x)'
	refused 100 'give the name' "$bin/nat-ssh"
	[[ ${stderr_lines[1]} == 'usage: nat-ssh '* ]]
	refused 100 'give the name' "$bin/nat-ssh" -v -p 22 --
	run -0 "$bin/nat-ssh" -V
	run -0 "$bin/nat-ssh" -Q cipher
	refused 100 '-L needs an argument' "$bin/nat-ssh" -vL
	run -0 "$bin/nat-ssh" -h
	[[ $output == 'usage: nat-ssh '* ]]
	[ ! -e x ]
}

@test "nat-ssh: what ssh makes of it" {
	local what='proxycommand|hostkeyalias|port|user'
	run -0 configured -p 2222 -vlcarol pi uname
	[[ $output == *"nat-pipe' -W 127.0.0.1:%p 'pi'"* ]]
	[[ $output == *'user carol'* && $output == *'port 2222'* ]]
	[[ $output == *'hostkeyalias pi'* ]]
	# a key keeps its case, but for what ssh makes of an alias
	run -0 configured "ca@rol@$key"
	[[ $output == *" '$key'"* && $output == *"hostkeyalias ${key,,}"* ]]
	run -0 configured ssh://carol@pi:7/
	[[ $output == *"'pi'"* && $output == *'port 7'* ]]
	export NATKIT_PIPE_OPTIONS="-k it's%p -r"
	run -0 configured pi
	[[ $output == *" '-k' 'it'\\''s%%p' '-r' -W "* ]]
}

@test "nat-ssh: -J is by way of the peer" {
	local what='proxycommand|hostkeyalias'
	run -0 configured -vJ carol@pi:22,'b;x' host
	[[ $output == *"nat-ssh' -F '/dev/null' -J 'carol@pi:22' -W [%h]:%p 'ssh://b;x'"* ]]
	[[ $output != *hostkeyalias* ]]
}

@test "nat-ssh-route: usage errors are one clear line and 100" {
	refused 100 'give the hook' "$bin/nat-ssh-route"
	refused 100 '-p takes' "$bin/nat-ssh-route" -p x hook
	refused 100 '-S is malformed' "$bin/nat-ssh-route" -S 'x y' hook
	refused 100 '-k: a path with a blank' "$bin/nat-ssh-route" -k 'x y' hook
	refused 100 'a user of such a name' "$bin/nat-ssh-route" -u '-oX' hook
	refused 100 'a user of such a name' "$bin/nat-ssh-route" -u 'a b' hook
}

@test "nat-ssh-route: what a hook says that is not one name" {
	local answer
	for answer in '' '\n' 'pi;touch x\n' '$(touch x)\n' '`touch x`' \
	    '-oProxyCommand=touch${IFS}x\n' 'pi\npi\n' 'pi\n\n' ' pi\n' 'pi \n' \
	    'a@b@pi\n' '@pi\n' 'a@\n' '-l@pi\n' '../pi\n' '.pi\n' 'pi\r\n' \
	    'p\0033[0mi\n' "${key}x\n" 'pi\n=0\n' "$(printf %065d 1)" \
	    'root@-oX\n'; do
		hook "$answer"
		refused 100 "the hook's answer" "$bin/nat-ssh-route" ./hook
		SSH_ORIGINAL_COMMAND='nat-ssh-route -W pi' refused 100 \
		    "the hook's answer" "$bin/nat-ssh-route" ./hook
	done
	[ ! -e x ]
}

@test "nat-ssh-route: a hook that refuses, fails, or is not there" {
	hook 'pi\n' 1
	refused 1 'there is nobody' "$bin/nat-ssh-route" -u u ./hook
	hook 'pi\n=0' 1
	refused 1 'there is nobody' "$bin/nat-ssh-route" -u u ./hook
	hook 'pi\n' 2
	refused 111 'the hook failed' "$bin/nat-ssh-route" ./hook
	# cut off before its code
	hook "$(printf %0400d 1)" 0
	refused 111 'the hook failed' "$bin/nat-ssh-route" ./hook
	run ! "$bin/nat-ssh-route" ./nosuch
	[ "$status" = 127 ]
	: >dull
	run ! "$bin/nat-ssh-route" ./dull
	[ "$status" = 126 ]
}

@test "nat-ssh-route: what the hook is told" {
	printf '#!/bin/sh\nenv | sort >seen\nexit 1\n' >hook
	chmod +x hook
	LC_EVIL=x SSH_CONNECTION='192.0.2.1 1 192.0.2.2 22' \
	    SSH_ORIGINAL_COMMAND='nat-ssh-route -W pi' \
	    run -1 "$bin/nat-ssh-route" -u alice ./hook
	grep -v -e ^PATH= -e ^PWD= -e ^_= -e ^SHLVL= seen | diff - <(cat <<-'END'
		NATKIT_MODE=jump
		NATKIT_USER=alice
		NATKIT_WANT=pi
		SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22
		SSH_USER_AUTH=
	END
	)
	NATKIT_WANT=x NATKIT_USER=x SSH_ORIGINAL_COMMAND='echo -W pi' \
	    run -1 "$bin/nat-ssh-route" ./hook
	grep -x "NATKIT_USER=$(id -un)" seen
	grep -x NATKIT_WANT= seen
	grep -x NATKIT_MODE=login seen
}

@test "nat-ssh-route: names that a client asks for" {
	local name
	hook 'pi\n'
	for name in 'pi;touch x' '-oX' '../pi' 'pi pi' "$(printf %065d 1)" ''; do
		SSH_ORIGINAL_COMMAND="nat-ssh-route -W $name" refused 1 \
		    'what comes after -W' "$bin/nat-ssh-route" ./hook
	done
}

@test "nat-ssh: commands, their codes, bytes both ways; a link and an URI" {
	checks command locale
}

@test "nat-ssh: the examples of the page: tar, scp, rsync, git" {
	checks page
}

@test "nat-ssh: scp by both protocols, sftp, with checksums" {
	checks copies
}

@test "ssh_config: two lines do the same" {
	checks config
}

@test "nat-ssh: the host key is the machine's, under its name" {
	checks hostkey
}

@test "nat-ssh: a forwarded port, an agent, a host behind the machine" {
	checks forward hop
}

@test "gateway, jump: end to end, with scp, sftp, a port and the agent" {
	checks jump
}

@test "gateway: unknown users, other people's machines, hostile names" {
	checks strangers
}

@test "gateway, login: command, terminal and agent" {
	checks login
}

@test "gateway, login: scp by both protocols, sftp, rsync, bytes" {
	checks login_key
}

@test "gateway, login: no option, escape or port of the gateway's own" {
	checks inside
}

@test "gateway: one account for all" {
	checks one
}

@test "gateway: ssh -J with nat-pipe routes" {
	checks proxyjump
}
