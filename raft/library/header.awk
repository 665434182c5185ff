# header.awk: a header of the sources as it is installed: it includes the others as
# <raftlab/name.h>, and may be included from C++.
/^#include "/ {
    count = split($2, path, /[\/"]/)
    $0 = "#include <raftlab/" path[count - 1] ">"
}
/^#include / || /^#define [A-Z_]+_H$/ { opening = NR } # what declares stands behind it
/^#endif/ { closing = NR }                             # the guard's, which is the last
{ line[NR] = $0 }
END {
    for (i = 1; i <= NR; i++) {
        if (i == closing)
            print "#ifdef __cplusplus\n}\n#endif\n"
        print line[i]
        if (i == opening)
            print "\n#ifdef __cplusplus\nextern \"C\" {\n#endif"
    }
}
