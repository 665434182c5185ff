// recover.h: `raftkv recover`, for a node that cannot start or a cluster that is lost.
//
// It reads a directory, tells in plain words what stands in it and what may be lost,
// and never changes it; what can be used is written to another directory.
#ifndef KVSERVER_RECOVER_H
#define KVSERVER_RECOVER_H

// The command line behind `raftkv recover`. Returns the process's exit code: 0 where
// the log is whole, or what was asked for was written; 1 where it is damaged, or
// nothing could be written; 2 where the command line cannot be used.
int recover_run(int argc, char **argv);

// Where the node in directory `dir` did not start because its log is damaged: says on
// stderr what may be lost and what to do.
void recover_advise(const char *reason, const char *dir);

#endif
