// diagram.h: what a message diagram is drawn from: JSON objects, one a line.
//
// A trace tells what each node did; a picture also needs to know which sending belongs
// to which arrival. A message under way is known by its packet, which is its own until
// it arrives or is lost. Lines are written at once, so that a run that ends in a crash
// has left all of them. docs/reports.md lists the fields. Without a file nothing is
// written, and with one the run stays the same.
#ifndef SIM_DIAGRAM_H
#define SIM_DIAGRAM_H

#include <stdio.h>

#include "raft/raft.h"

// A message leaves; packet 0: it is lost at once.
void diagram_send(FILE *file, uint64_t now_us, uint64_t packet,
                  const struct raft_message *message);
void diagram_receive(FILE *file, uint64_t now_us, uint64_t packet);
void diagram_lose(FILE *file, uint64_t now_us, uint64_t packet);

// A node has taken a step; `raft` is seen as it is after it.
void diagram_step(FILE *file, uint64_t now_us, const struct raft *raft,
                  const struct raft_event *event, const struct raft_output *output);

// Something was done to the world; as a command of the language, or by chance.
void diagram_command(FILE *file, uint64_t now_us, const char *line, size_t size);
void diagram_note(FILE *file, uint64_t now_us, const char *text);

#endif
