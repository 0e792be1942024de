#include "bench/support/http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int
bench_http_connect(int port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int
send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent <= 0) {
            return -1;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* The size that the head states; 0 where it states none. */
static size_t
stated_size(const char *head)
{
    const char *line = head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            return strtoul(line + 15, NULL, 10);
        }
    }
    return 0;
}

int
bench_http_ask(int fd, const char *request, size_t size, char *body,
               size_t capacity)
{
    char buffer[65536];
    size_t used = 0;
    size_t wanted = 0;
    char *end = NULL;
    size_t kept;

    if (send_all(fd, request, size) != 0) {
        return -1;
    }
    body[0] = '\0';
    kept = 0;
    for (;;) {
        ssize_t got = recv(fd, buffer + used, sizeof buffer - 1 - used, 0);

        if (got <= 0) {
            return -1;
        }
        used += (size_t)got;
        buffer[used] = '\0';
        if (end == NULL) {
            end = strstr(buffer, "\r\n\r\n");
            if (end == NULL) {
                continue;
            }
            end[2] = '\0';
            wanted = stated_size(buffer);
            end += 4;
        }
        got = buffer + used - end;
        if (kept + (size_t)got < capacity) {
            memcpy(body + kept, end, (size_t)got);
            body[kept + (size_t)got] = '\0';
        }
        kept += (size_t)got;
        if (kept >= wanted) {
            break;
        }
        /* The head is read: the buffer is free for more of the body. */
        used = (size_t)(end - buffer);
    }
    return (int)strtol(buffer + 9, NULL, 10);
}

size_t
bench_http_get(char *out, size_t capacity, const char *path, const char *key)
{
    return (size_t)snprintf(out, capacity,
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            "Authorization: Bearer %s\r\n\r\n",
                            path, key);
}
