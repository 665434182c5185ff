// version.c: see version.h.
#include "raft/version.h"

const char *raft_version_text(void)
{
    return RAFT_VERSION;
}
