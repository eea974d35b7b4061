# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# The topology file (nat-lab(1)); to be sourced. topology_plan FILE prints one
# line per box, parents first, with every address filled in:
#
#	public LINE NAME PREFIX addresses=A,... ipv6=A,...
#	KIND LINE NAME BEHIND addresses=A,... gateway=A ipv4= ipv6=N lan=PREFIX
#	    upnp= KEY=VALUE ...			KIND: nat firewall router
#	host LINE NAME BEHIND address=A gateway=A ipv6=A,GATEWAY
#	wire LINE NAME KEY=VALUE ...
#
# PREFIX is the first three bytes of an IPv4 network of 256 addresses. What is
# wrong is a line "bad LINE TEXT", and then it returns 1. Before all that comes a
# line "keys LINE KEY=VALUE ..." for each box with keys of a profile, which the
# caller has to look at.

topology_plan() {
	# shellcheck disable=SC2016
	awk '
	function bad(text,  n) {
		n = line ? line : NR
		printf "bad %d %s\n", n, text
		if (!failed || n < failed)
			failed = n
	}
	function is_address(a,  p, i) {
		if (a !~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/)
			return 0
		split(a, p, ".")
		for (i = 1; i <= 4; i++)
			if (length(p[i]) > 3 || p[i] > 255 || p[i] ~ /^0./)
				return 0
		return p[1] > 0 && p[1] != 127 && p[1] < 224 && \
		    p[4] > 0 && p[4] < 255
	}
	function prefix_of(a) {
		sub(/\.[0-9]+$/, "", a)
		return a
	}
	function last_of(a) {
		sub(/.*\./, "", a)
		return a
	}
	function yes_no(b, key, standard) {
		if (!((b, key) in opt))
			return standard
		if (opt[b, key] !~ /^(yes|no)$/)
			bad(key "= is yes or no")
		return opt[b, key]
	}
	# The provider router has this prefix on the wire to b.
	function uplink(b, standard,  a, n, i, p) {
		if (!((b, "address") in opt))
			opt[b, "address"] = standard
		n = split(opt[b, "address"], a, ",")
		if (n > 8)
			bad("address= takes 8 addresses at most")
		for (i = 1; i <= n; i++)
			if (!is_address(a[i]))
				return bad(a[i] " is no IPv4 address of a host")
			else if (prefix_of(a[i]) != prefix_of(a[1]))
				return bad("address= spans two networks of 256")
			else if (last_of(a[i]) == 254)
				return bad(a[i] " is the router of the provider")
			else if ((b, a[i]) in outside)
				return bad(a[i] " stands there twice")
			else
				outside[b, a[i]] = 1
		p = prefix_of(a[1])
		if (p in taken)
			bad(p ".0 is the network of " taken[p])
		taken[p] = b
		return p
	}
	function gate(b,  i, p, a, v, six, upnp) {
		i = behind[b] == "isp" ? ++tops : ++gates
		six = yes_no(b, "ipv6", kind[b] == "nat" ? "no" : "yes")
		v = yes_no(b, "ipv4", "yes")
		if (v == "no" && (kind[b] == "nat" || behind[b] != "isp"))
			bad("ipv4=no is for a firewall or router behind isp")
		four[b] = v
		upnp = yes_no(b, "upnp", "no")
		if (upnp == "yes" && kind[b] != "nat")
			bad("upnp= is for a nat")
		if (behind[b] == "isp") {
			# miniupnpd wants no documentation address outside.
			p = upnp == "yes" ? "25.1." i : \
			    i == 1 ? "198.51.100" : i == 2 ? "203.0.113" : \
			    "198.18." i
			a = uplink(b, p ".2")
			up[b] = a ".254"
		} else {
			if ((b, "ipv6") in opt && six == "yes")
				bad("ipv6= needs a place behind isp")
			six = "no"
			inside(b)
			up[b] = lan[behind[b]] ".1"
		}
		six_of[b] = six == "yes" ? sprintf("%x", i) : ""
		lan[b] = kind[b] == "nat" ? \
		    (has_gate[b] ? (behind[b] == "isp" ? "100.64." : \
		    "100.65.") i : "192.168.1") : \
		    behind[b] == "isp" ? "198.19." i : "10." i ".0"
		if ((b, "lan") in opt) {
			a = opt[b, "lan"]
			sub(/\.0(\/24)?$/, ".1", a)
			if (!is_address(a) || last_of(a) != 1)
				bad("lan= is a network of 256, as 10.0.0.0/24")
			lan[b] = prefix_of(a)
		}
		if (lan[b] in taken || lan[b] == prefix_of(opt[b, "address"]))
			bad("lan= is in use outside")
		# Up to the next box that translates, all have to know the way.
		for (a = b; a != "isp" && (a == b || kind[a] != "nat"); )
			a = behind[a]
		if (kind[b] != "nat" && (a, lan[b]) in way)
			bad("lan= is that of " way[a, lan[b]])
		if (kind[b] != "nat")
			way[a, lan[b]] = b
		printf "%s %d %s %s addresses=%s gateway=%s ipv4=%s ipv6=%s" \
		    " lan=%s upnp=%s%s\n", kind[b], line, b, behind[b],
		    opt[b, "address"], up[b], v, six_of[b], lan[b],
		    upnp, keys[b]
	}
	# An address in the network of the box that b is behind.
	function inside(b,  p, a) {
		p = behind[b]
		if (!((b, "address") in opt)) {
			if (!(p in last))
				last[p] = 1
			do {
				a = lan[p] "." (++last[p])
			} while ((p, a) in used)
			opt[b, "address"] = a
		}
		a = opt[b, "address"]
		if (!is_address(a) || prefix_of(a) != lan[p] || last_of(a) == 1)
			bad("address=" a ": " p " has " lan[p] ".2 to .254 inside")
		else if ((p, a) in used)
			bad("address=" a " is that of " used[p, a])
		used[p, a] = b
	}
	function host(b,  p) {
		p = behind[b]
		inside(b)
		printf "host %d %s %s address=%s gateway=%s ipv6=%s\n", line,
		    b, p, four[p] == "yes" ? opt[b, "address"] : "",
		    four[p] == "yes" ? lan[p] ".1" : "", six_of[p] == "" ? "" : \
		    "2001:db8:" six_of[p] ":1::" last_of(opt[b, "address"]) \
		    ",2001:db8:" six_of[p] ":1::1"
	}
	function public(b,  i, p, n, a, six) {
		i = ++publics
		p = i == 1 ? "192.0.2" : "198.18." (100 + i)
		p = uplink(b, p ".1," p ".2")
		n = split(opt[b, "address"], a, ",")
		for (i = 1; i <= n; i++)
			six = six (i > 1 ? "," : "") "2001:db8:" \
			    (publics == 1 ? "" : sprintf("%x:", 99 + publics)) \
			    ":" sprintf("%x", last_of(a[i]))
		printf "public %d %s %s addresses=%s ipv6=%s\n", line, b, p,
		    opt[b, "address"], six
	}
	BEGIN {
		kinds = " public nat firewall router host wire "
		allowed["public"] = " address "
		allowed["host"] = " behind address "
		allowed["wire"] = " delay_ms jitter_ms loss rate_kbit" \
		    " queue_ms seed reorder duplicate direction "
		gate_keys = " behind address lan ipv4 ipv6 upnp "
	}
	{ sub(/#.*/, "") }
	NF == 0 { next }
	# As much as a record can say of it.
	length($0) > 300 { bad("a line has 300 bytes at most"); next }
	++lines > 500 { bad("500 boxes and wires are the most"); exit }
	/[^A-Za-z0-9._:\/@+=,\[\] \t-]/ { bad("this has a character that no" \
	    " key or value has"); next }
	{
		k = $1; b = $2
		if (!index(kinds, " " k " ")) {
			bad(k " is no kind of box: public, nat, host, firewall," \
			    " router, or a wire")
			next
		}
		if (b == "" || b ~ /=/) {
			bad("give a name after " k)
			next
		}
		if (b !~ /^[a-z][a-z0-9-]*$/ || length(b) > 10) {
			bad(b ": a name has up to 10 of a-z, 0-9 and -")
			next
		}
		if (b ~ /^wire-/) {
			bad(b ": names that begin with wire- are those of wires")
			next
		}
		if (k == "wire") {
			if (!(b in kind) && b != "pub")
				bad("no box " b " above this line")
			else if (b in wires)
				bad("a second wire of " b)
			wires[b] = NR
		} else {
			if (b == "isp" || b in kind)
				bad("there is already a box " b)
			kind[b] = k
			at[b] = NR
			order[++boxes] = b
			behind[b] = k == "host" ? "" : "isp"
		}
		for (i = 3; i <= NF; i++) {
			key = $i
			if (!sub(/=.*/, "", key) || $i ~ /=$/) {
				bad($i ": give key=value")
				continue
			}
			value = substr($i, length(key) + 2)
			if (k == "wire" && index(allowed[k], " " key " ")) {
				wire_keys[b] = wire_keys[b] " " $i
			} else if (k in allowed &&
			    !index(allowed[k], " " key " ")) {
				bad(key "= is nothing that a " k " has:" allowed[k])
			} else if (k in allowed ||
			    index(gate_keys, " " key " ")) {
				if (key == "behind")
					behind[b] = value
				else
					opt[b, key] = value
			} else
				keys[b] = keys[b] " " $i
		}
		if (keys[b] != "")
			print "keys", NR keys[b]
		if (k == "wire" || k == "public" || behind[b] == "isp")
			next
		if (behind[b] == "")
			bad("say what the host is behind: behind=NAME")
		else if (!(behind[b] in kind) || kind[behind[b]] == "host" ||
		    kind[behind[b]] == "public")
			bad("behind=" behind[b] ": no nat, firewall or router" \
			    " of that name above this line")
		if (k != "host")
			has_gate[behind[b]] = 1
	}
	END {
		# What is above the first bad line may be bad in other ways.
		above = failed ? failed : NR + 1
		for (b in kind)
			if (kind[b] == "public")
				found = 1
		# Without one there is nothing to talk to.
		line = 0
		if (!found && !("pub" in kind)) {
			kind["pub"] = "public"
			behind["pub"] = "isp"
			public("pub")
		}
		for (i = 1; i <= boxes; i++) {
			b = order[i]
			line = at[b]
			if (line >= above)
				break
			if (kind[b] == "public")
				public(b)
			else if (kind[b] == "host")
				host(b)
			else
				gate(b)
		}
		for (b in wires) {
			line = wires[b]
			if (line >= above)
				continue
			if (!(b in kind))
				bad("there is no box " b)
			printf "wire %d %s%s\n", line, b, wire_keys[b]
		}
		if (boxes == 0 && !failed) {
			line = NR
			bad("there is no box in this file")
		}
		exit failed != 0
	}' <"$1" # as an operand, a=b.lab would be an assignment
}
