// version.h: what the programs answer to --version, and what the library is.
//
// While the first number is 0, the second one changes with every change that needs a
// new build of the programs that use the library.
#ifndef RAFT_VERSION_H
#define RAFT_VERSION_H

#define RAFT_VERSION "0.1.0"

// The version of the library that is linked, to compare with that of the headers.
const char *raft_version_text(void);

#endif
