// tool_wire.h: the codec of real nodes, for worlds whose messages pass as JSON.
#ifndef SIM_TOOL_TOOL_WIRE_H
#define SIM_TOOL_TOOL_WIRE_H

// Offers it to every world of this process.
void tool_wire_offer(void);

#endif
