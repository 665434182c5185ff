// crash.h: a process that is killed by a signal says where it was.
#ifndef SIM_TOOL_CRASH_H
#define SIM_TOOL_CRASH_H

// From now on a signal that kills (a bad address, abort(), the end of the processor
// time that there is) first prints the calls that led there, in the form of the
// sanitizers' reports, and the command that turns them into functions and lines. The
// exit status is what it would have been. A sanitizer's own handlers stay. `program` is
// argv[0], and has to live on.
void crash_tell(const char *program);

#endif
