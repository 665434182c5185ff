// version.h: what both programs answer to --version.
#ifndef RAFT_VERSION_H
#define RAFT_VERSION_H

#define RAFT_VERSION "0.1.0"

#endif
