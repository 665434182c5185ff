// socket.h: what both kinds of connections need from a socket.
#ifndef RPC_SOCKET_H
#define RPC_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

// Zeroed memory; running out of it ends the process with a message.
void *socket_alloc(size_t size);

// True where `host` is an IPv4 or IPv6 address (no name).
bool socket_address(const char *host, uint16_t port, struct sockaddr_storage *address);

// No delay for small writes, keep-alive, and an end to waiting for a silent peer.
// What a system cannot do is left out: the stall watch above does not need it.
void socket_tune(uv_tcp_t *tcp, uint32_t silence_ms);

#endif
