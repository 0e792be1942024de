#include "http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool
address_parse(const char *text, unsigned char out[16], bool *is_v4)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};

    *is_v4 = inet_pton(AF_INET, text, out + 12) == 1;
    if (*is_v4) {
        memcpy(out, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

bool
llmlab__network_parse(const char *text, llmlab__network_t *out)
{
    char host[LLMLAB__CLIENT_ADDRESS_TEXT];
    const char *slash = strchr(text, '/');
    size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    unsigned bits = 0;
    bool is_v4;

    if (size >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    if (!address_parse(host, out->address, &is_v4)) {
        return false;
    }
    out->bits = 128;
    if (slash == NULL) {
        return true;
    }
    if (slash[1] == '\0' || strspn(slash + 1, "0123456789") > 3 ||
        slash[1 + strspn(slash + 1, "0123456789")] != '\0' ||
        sscanf(slash + 1, "%u", &bits) != 1 || bits > (is_v4 ? 32u : 128u)) {
        return false;
    }
    out->bits = is_v4 ? 96 + bits : bits;
    return true;
}

static bool
is_within(const unsigned char address[16], const llmlab__network_t *network)
{
    unsigned bytes = network->bits / 8;
    unsigned rest = network->bits % 8;

    return memcmp(address, network->address, bytes) == 0 &&
           (rest == 0 ||
            (address[bytes] ^ network->address[bytes]) >> (8 - rest) == 0);
}

static bool
is_trusted(const unsigned char address[16], const llmlab__network_t *proxies,
           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_within(address, &proxies[i])) {
            return true;
        }
    }
    return false;
}

static void
address_text(const unsigned char address[16],
             char out[LLMLAB__CLIENT_ADDRESS_TEXT])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};

    if (memcmp(address, mapped, sizeof(mapped)) == 0) {
        (void)inet_ntop(AF_INET, address + 12, out,
                        LLMLAB__CLIENT_ADDRESS_TEXT);
    } else {
        (void)inet_ntop(AF_INET6, address, out, LLMLAB__CLIENT_ADDRESS_TEXT);
    }
}

/* The last address of the list, which then ends before it. */
static bool
last_take(const char *list, size_t *size, unsigned char out[16])
{
    char host[LLMLAB__CLIENT_ADDRESS_TEXT];
    size_t end = *size;
    size_t begin;
    bool is_v4;

    while (end > 0 && strchr(" \t,", list[end - 1]) != NULL) {
        end--;
    }
    begin = end;
    while (begin > 0 && strchr(" \t,", list[begin - 1]) == NULL) {
        begin--;
    }
    *size = begin;
    if (end == begin || end - begin >= sizeof(host)) {
        return false;
    }
    memcpy(host, list + begin, end - begin);
    host[end - begin] = '\0';
    return address_parse(host, out, &is_v4);
}

void
llmlab__client_address(const struct sockaddr *peer, const char *forwarded,
                       const llmlab__network_t *proxies, size_t count,
                       char out[LLMLAB__CLIENT_ADDRESS_TEXT])
{
    unsigned char address[16] = {0};
    unsigned char next[16];
    size_t size = forwarded == NULL ? 0 : strlen(forwarded);

    if (peer != NULL && peer->sa_family == AF_INET) {
        address[10] = address[11] = 0xff;
        memcpy(address + 12,
               &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer != NULL && peer->sa_family == AF_INET6) {
        memcpy(address,
               &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
               16);
    }
    while (size > 0 && is_trusted(address, proxies, count) &&
           last_take(forwarded, &size, next)) {
        memcpy(address, next, sizeof(address));
    }
    address_text(address, out);
}
