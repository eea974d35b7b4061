# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# The triangle of nat-lab's matrix, as text and as a picture; to be sourced.
# Both read lines I.J LEFT RIGHT EXPECTED RULE MEASURED METHOD TIME_MS REASON,
# where I and J are the numbers of the two profiles, and "-" is for nothing.

# triangle_text [COLOUR] <LINES: + direct, - none, ! not as expected, . not yet
triangle_text() {
	awk -v colour="${1:-}" '
	{
		split($1, at, ".")
		name[at[1] + 0] = $2
		name[at[2] + 0] = $3
		if (at[2] + 0 > n)
			n = at[2] + 0
		if (length($2) > wide)
			wide = length($2)
		if (length($3) > wide)
			wide = length($3)
		sign[at[1], at[2]] = $6 == "" ? "." : \
		    $6 != $4 ? "!" : $6 == "direct" ? "+" : "-"
	}
	function shown(s) {
		if (colour == "" || s == ".")
			return s
		return sprintf("\033[%sm%s\033[0m",
		    s == "!" ? "1;31" : s == "+" ? "32" : "2", s)
	}
	END {
		for (i = 1; i <= n; i++) {
			printf "%*s %2d ", wide, name[i], i
			for (j = 1; j <= i; j++)
				printf " %s ", shown(sign[j, i])
			print ""
		}
		printf "%*s    ", wide, ""
		for (j = 1; j <= n; j++)
			printf "%2d ", j
		print ""
	}'
}

# triangle_svg <LINES
triangle_svg() {
	awk '
	function say(x, y, class, text) {
		printf "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n",
		    x, y, class, text
	}
	function square(x, y, class) {
		printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" " \
		    "class=\"%s\"/>\n", x + 1, y + 1, s - 2, s - 2, class
	}
	function cell(x, y, class, sign, below) {
		square(x, y, class)
		say(x + s / 2, y + s / 2 + (below == "" ? 6 : 2), class " c b", sign)
		if (below != "")
			say(x + s / 2, y + s - 6, class " c s", below)
	}
	# What measured and expected come to: a class and a sign.
	function class_of(expected, measured) {
		return measured == expected ? measured : "wrong"
	}
	function sign_of(expected, measured) {
		if (measured != expected)
			return measured == "direct" ? "!+" : "!\342\210\222"
		return measured == "direct" ? "+" : "\342\210\222"
	}
	{
		split($1, at, ".")
		i = at[1] + 0
		j = at[2] + 0
		name[i] = $2
		name[j] = $3
		if (j > n)
			n = j
		line[i, j] = $0
		number[class_of($4, $6)]++
	}
	END {
		s = 34
		left = 112
		top = 78
		across = left + n * s + 24
		if (across < 560)
			across = 560
		high = top + n * s + 106 + 94
		printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" " \
		    "height=\"%d\" viewBox=\"0 0 %d %d\">\n",
		    across, high, across, high
		print "<style>text{font-family:sans-serif;font-size:12px;fill:#222}" \
		    ".t{font-size:18px;font-weight:bold}.e{text-anchor:end}" \
		    ".c{text-anchor:middle}.b{font-size:16px;font-weight:bold}" \
		    ".s{font-size:9px}rect.direct{fill:#b7dcc0;stroke:#2f7d47}" \
		    "rect.none{fill:#e4e4e8;stroke:#9a9aa4}" \
		    "rect.wrong{fill:#f7b267;stroke:#b3261e;stroke-width:3}" \
		    "text.direct{fill:#12491f}text.none{fill:#55555f}" \
		    "text.wrong{fill:#7a120c}</style>"
		printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
		    across, high
		say(16, 28, "t", "Which NATs a punch joins")
		say(16, 48, "", sprintf("%d pairs of profiles: %d direct and %d " \
		    "not, as expected; %d not as expected.",
		    number["direct"] + number["none"] + number["wrong"],
		    number["direct"], number["none"], number["wrong"]))
		say(16, 65, "", "Each cell: sign, and seconds until both sides " \
		    "were direct, or gave up.")
		for (j = 1; j <= n; j++) {
			y = top + (j - 1) * s
			say(left - 8, y + s / 2 + 4, "e", name[j])
			for (i = 1; i <= j; i++) {
				if (!((i, j) in line))
					continue
				split(line[i, j], f, " ")
				printf "<g><title>%s and %s: expected %s (%s), " \
				    "measured %s%s%s</title>\n", f[2], f[3], f[4],
				    f[5], f[6], f[7] == "-" ? "" : " by " f[7],
				    f[9] == "-" ? "" : " (" f[9] ")"
				cell(left + (i - 1) * s, y, class_of(f[4], f[6]),
				    sign_of(f[4], f[6]),
				    f[8] == "-" ? "" : sprintf("%.1f", f[8] / 1000))
				print "</g>"
			}
		}
		y = top + n * s + 6
		for (i = 1; i <= n; i++)
			printf "<text transform=\"translate(%d,%d) rotate(-60)\" " \
			    "class=\"e\">%s</text>\n",
			    left + (i - 1) * s + s / 2 + 4, y + 6, name[i]
		y = high - 94
		cell(16, y, "direct", "+", "0.4")
		say(16 + s + 8, y + 21, "", "direct, as expected")
		cell(16, y + s + 6, "none", "\342\210\222", "10.1")
		say(16 + s + 8, y + s + 27, "", "no path, as expected")
		cell(250, y, "wrong", "!+", "0.4")
		say(250 + s + 8, y + 21, "", "direct, but none was expected")
		cell(250, y + s + 6, "wrong", "!\342\210\222", "10.1")
		say(250 + s + 8, y + s + 27, "", "no path, but direct was expected")
		print "</svg>"
	}'
}
