// socket.c: see socket.h.
#include "rpc/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void *socket_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fprintf(stderr, "rpc: out of memory for a connection\n");
        abort();
    }
    return memory;
}

bool socket_address(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)address) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0;
}

void socket_tune(uv_tcp_t *tcp, uint32_t silence_ms)
{
    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, 1);
#ifdef TCP_USER_TIMEOUT
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0) {
        unsigned timeout = silence_ms;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    }
#else
    (void)silence_ms;
#endif
}
