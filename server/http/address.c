#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "http/listener.h"

static llmlab_status_t
address_parse(const char *address, struct sockaddr_storage *out,
              socklen_t *out_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags =
                                 AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *colon = strrchr(address, ':');
    const char *begin = address;
    struct addrinfo *found = NULL;
    char host[64];
    size_t size;

    if (colon == NULL) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "%s: a port is needed too, as in 127.0.0.1:7400",
                            address);
    }
    /* getaddrinfo takes greater ones and cuts them. */
    if (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "%s: the port is a number up to 65535, as in "
                            "127.0.0.1:7400",
                            address);
    }
    size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && colon[-1] == ']') {
        begin++;
        size -= 2;
    }
    if (size >= sizeof(host)) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "%s is no address: a number such as "
                            "127.0.0.1:7400 is needed",
                            address);
    }
    memcpy(host, begin, size);
    host[size] = '\0';
    if (strcmp(host, "localhost") == 0) {
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    }
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "%s is no address: a number such as "
                            "127.0.0.1:7400 is needed",
                            address);
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *out_size = found->ai_addrlen;
    freeaddrinfo(found);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__address_check(const char *address)
{
    struct sockaddr_storage storage;
    socklen_t size;

    return address_parse(address, &storage, &size);
}

bool
llmlab__address_is_local(const char *address)
{
    struct sockaddr_storage storage;
    socklen_t size;

    if (address_parse(address, &storage, &size) != LLMLAB_OK) {
        return false;
    }
    if (storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&storage;

        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    return storage.ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(
               &((const struct sockaddr_in6 *)(const void *)&storage)
                    ->sin6_addr);
}

static void
address_text(const struct sockaddr_storage *storage,
             char out[LLMLAB__ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)storage;

        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(out, LLMLAB__ADDRESS_TEXT, "%s:%u", host,
                       ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const void *)storage;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        (void)snprintf(out, LLMLAB__ADDRESS_TEXT, "[%s]:%u", host,
                       ntohs(in->sin6_port));
    }
}

llmlab_status_t
llmlab__address_listen(const char *address, int *out_socket,
                       char out[LLMLAB__ADDRESS_TEXT])
{
    struct sockaddr_storage storage;
    socklen_t size;
    int on = 1;
    int fd;
    llmlab_status_t status = address_parse(address, &storage, &size);

    if (status != LLMLAB_OK) {
        return status;
    }
    fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&storage, size) != 0 ||
        listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&storage, &size) != 0) {
        status = llmlab__fail(LLMLAB_EIO, "cannot listen on %s: %s", address,
                              strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    address_text(&storage, out);
    *out_socket = fd;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__address_adopt(int socket, char out[LLMLAB__ADDRESS_TEXT])
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(storage);

    if (getsockname(socket, (struct sockaddr *)&storage, &size) != 0 ||
        (storage.ss_family != AF_INET && storage.ss_family != AF_INET6)) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "the socket handed over is none of TCP");
    }
    address_text(&storage, out);
    return LLMLAB_OK;
}
