# The table of `make coverage`, from gcovr's comma-separated one: a row for each file,
# lines and branches side by side.
function percent(part, whole) { return whole == 0 ? "-" : sprintf("%.1f%%", 100 * part / whole) }
function row(name, covered, lines, taken, branches) {
    printf "%-32s %5d of %5d %7s   %5d of %5d %7s\n", name, covered, lines, \
        percent(covered, lines), taken, branches, percent(taken, branches)
}
NR == 1 { printf "%-32s %22s   %22s\n", "", "lines", "branches"; next }
{
    row($1, $3, $2, $6, $5)
    lines += $2; covered += $3; branches += $5; taken += $6
}
END { row("all of raft/", covered, lines, taken, branches) }
