# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
# nat-lab capture [NAME] DIRECTORY [-- prog args]

# From left to right as a ladder shows them: half of the NATs with what is
# behind them, the public side, the other half.
capture_order() {
	{
		lab_boxes
		lab_in ls /run/netns
	} | awk '
	function value(key,  i) {
		for (i = 2; i <= NF; i++)
			if (index($i, key "=") == 1)
				return substr($i, length(key) + 2)
		return ""
	}
	function tree(box, left,  i, out) {
		for (i = 1; i <= n; i++)
			if (behind[name[i]] == box && name[i] != box)
				out = out " " tree(name[i], left)
		return left ? out " " box : box " " out
	}
	$1 != "box" { there[$1] = 1; next }
	{
		name[++n] = value("name")
		kind[name[n]] = value("kind")
		behind[name[n]] = value("behind")
	}
	END {
		for (i = 1; i <= n; i++)
			if (kind[name[i]] == "public")
				middle = middle " " name[i]
			else if (behind[name[i]] == "" || behind[name[i]] == "isp")
				top[++t] = name[i]
		for (i = 1; i <= t; i++)
			if (i <= (t + 1) / 2)
				order = order " " tree(top[i], 1)
			else
				after = after " " tree(top[i], 0)
		order = order ("isp" in there ? " isp" : "") middle after
		k = split(order, b, " ")
		for (i = 1; i <= k; i++)
			if (b[i] in there)
				print b[i]
	}'
}

capture_name='' capture_n=0
for capture_word; do
	[ "$capture_word" != -- ] || break
	capture_n=$((capture_n + 1))
done
case $capture_n in
1) ;;
2)
	capture_name=$1
	shift
	;;
*) usage "give a directory to make, then -- and a program to run" ;;
esac
case $1 in -*) usage "$1 is no option of capture" ;; esac
lab_find "$capture_name"
capture_dir=$1
shift
capture_boxes=$(capture_order)
lab_exec='exec'
# shellcheck disable=SC2086
lab_in nat-capture "$capture_dir" $capture_boxes "$@"
