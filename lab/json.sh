# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# json_records: records from standard input as JSON Lines (nat-records(5)); to
# be sourced.

json_records() {
	# shellcheck disable=SC2016
	awk '
	# The byte that stands at s as %XX, or -1.
	function byte(s, at) {
		return substr(s, at, 1) != "%" ? -1 : \
		    16 * index(digits, substr(s, at + 1, 1)) + \
		    index(digits, substr(s, at + 2, 1)) - 17
	}
	# As what is no UTF-8 (RFC 3629), one byte is U+FFFD. Sets used.
	function point(s,  c, n, i, b) {
		c = byte(s, 1)
		used = 3
		if (c < 128)
			return c
		n = c < 194 || c > 244 ? 0 : c < 224 ? 1 : c < 240 ? 2 : 3
		c = n == 1 ? c - 192 : n == 2 ? c - 224 : c - 240
		for (i = 1; i <= n; i++) {
			b = byte(s, 3 * i + 1)
			if (b < 128 || b > 191)
				return 65533
			c = 64 * c + b - 128
		}
		if (n == 0 || (n == 2 && c < 2048) || (n == 3 && c < 65536) ||
		    c > 1114111 || (c >= 55296 && c < 57344))
			return 65533
		used += 3 * n
		return c
	}
	function string(s,  out, at, c) {
		while ((at = index(s, "%")) > 0) {
			out = out substr(s, 1, at - 1)
			s = substr(s, at)
			c = point(s)
			s = substr(s, used + 1)
			if (c == 34 || c == 92)
				out = out "\\" sprintf("%c", c)
			else if (c >= 32 && c < 127)
				out = out sprintf("%c", c)
			else if (c < 65536)
				out = out sprintf("\\u%04x", c)
			else
				out = out sprintf("\\u%04x\\u%04x",
				    55296 + int((c - 65536) / 1024),
				    56320 + (c - 65536) % 1024)
		}
		return "\"" out s "\""
	}
	BEGIN { digits = "0123456789ABCDEF" }
	{
		line = "{\"record\":" string($1)
		for (i = 2; i <= NF; i++) {
			at = index($i, "=")
			value = substr($i, at + 1)
			if (value == "")
				continue
			if (value !~ /^(0|-?[1-9][0-9]*)$/)
				value = string(value)
			more = ",\"" substr($i, 1, at - 1) "\":" value
			# No longer than a record may be: what comes last goes.
			if (length(line) + length(more) > 510)
				break
			line = line more
		}
		print line "}"
	}'
}
